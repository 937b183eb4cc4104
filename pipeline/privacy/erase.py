"""Erasing: written ahead, taken out of all tables at once, then out of all else, proved by reading all, certified.

Each step can be done again, so that an erasure that was broken off goes on where it was: up to the moment at which the
warehouse shows the new state nothing was changed in it, and after that only what is left to be done is done.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audit import AccessLog, access_key, read_entries, user_hash
from pipeline.build import bring_up_to_date
from pipeline.build.stale import fingerprint, how_built, note_built
from pipeline.ingest.ledger import ERASED, Ledger
from pipeline.ingest.written import rejected_line
from pipeline.privacy.erasures import Erasure, Erasures
from pipeline.privacy.held import Held
from pipeline.privacy.landing import overwrite, plan_landing
from pipeline.privacy.prove import Searched, search
from pipeline.privacy.record import DONE, Record
from pipeline.privacy.rewrite import Mask, Rewritten, no_rows, rewrite
from pipeline.privacy.settle import keep_links, keep_owners
from pipeline.privacy.subjects import Reach, Subject
from pipeline.privacy.words import Words
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.tombstones import MARK, Erased
from pipeline.warehouse import Run, connect, open_run
from pipeline.warehouse.sweep import sweep_locked

_ACTOR, _ROLE = "erasure", "privacy"
_REASON = "erased with the person whom it names"
_MICROS = 1_000_000
_COUNTS = {"raw_requests": "lines_kept", "rejected_lines": "lines_rejected", "duplicate_lines": "lines_duplicate"}
_TOLD_OF = ("users", "identifier_days", "identifier_links", "link_corrections", "erased_owners", "acts")

Progress = Callable[[str], None]


class ErasureError(RuntimeError):
    """Something of whom was erased is left somewhere; the message names the places."""


def subject_of(kind: str, value: str, business: str | None, now: datetime) -> Subject:
    """Say whom or what to erase, up to now."""
    return Subject(kind, value, business, int(now.timestamp() * _MICROS))


def erase(
    settings: Settings,
    subjects: Sequence[Subject],
    requests: Sequence[int] = (),
    progress: Progress | None = None,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Erase some subjects at once, and prove it.

    Args:
        settings: where everything is.
        subjects: whom and what; whoever is held back is not among them.
        requests: numbers of the requests of the record that this answers.
        progress: told what is done.
        now: what time it is.

    Returns:
        The certificate.

    Raises:
        ErasureError: something is left.
        LockTimeoutError: another run holds the warehouse.
    """
    erasures = Erasures(settings)
    with erasures.locked():
        under_way = erasures.under_way()
        if under_way is not None:
            _go_on(settings, erasures, under_way, progress)
        begun = erasures.begin(subjects, requests, now or datetime.now(UTC))
        return _go_on(settings, erasures, begun, progress)


def resume(settings: Settings, progress: Progress | None = None) -> dict[str, Any] | None:
    """Go on with an erasure that was broken off.

    Returns:
        Its certificate; None where there was none.

    Raises:
        ErasureError: something is left.
    """
    erasures = Erasures(settings)
    with erasures.locked():
        under_way = erasures.under_way()
        return _go_on(settings, erasures, under_way, progress) if under_way else None


def _go_on(settings: Settings, erasures: Erasures, erasure: Erasure, progress: Progress | None) -> dict[str, Any]:
    tell = progress or (lambda _: None)
    erasure = _take_out(settings, erasures, erasure, tell)
    words = Words(erasure.words or ())
    for one in erasure.landing or ():
        overwrite(settings, one, erasure.offsets.get(one.file_id, ()), words)
        tell(f"{one.path}: overwritten in the landing folder")
    _forget_elsewhere(settings, erasure, words)
    open_requests = {path for path in _records(settings) if _is_open(path.read_bytes())}
    searched = search(settings, words, {erasures.working_folder(erasure), *open_requests}, tell)
    left = [f"{one.store}: {place}" for one in searched for place in one.found]
    left += [f"table {name}: {count:,} rows" for name, count in _rows_left(settings, erasure).items()]
    if left:
        raise ErasureError(f"erasure {erasure.number} left something: {'; '.join(left[:10])}")
    certificate = _certificate(settings, erasure, searched)
    _close(settings, erasure)
    erasures.finish(erasure, certificate)
    tell(f"erasure {erasure.number}: nothing is left")
    return certificate


def _take_out(settings: Settings, erasures: Erasures, erasure: Erasure, tell: Progress) -> Erasure:
    """Take everything out of the warehouse in one run, which readers see all at once or not at all."""
    with open_run(settings, is_erasing=True) as run:
        mark = run.facts.get(MARK) or {"number": 0}
        if mark["number"] < erasure.number:
            erasure = _taken_out(run, settings, erasures, erasure, tell)
        run.publish()
        sweep_locked(settings, grace_s=0)
    return erasure


def _taken_out(run: Run, settings: Settings, erasures: Erasures, erasure: Erasure, tell: Progress) -> Erasure:
    bring_up_to_date(run, tell)
    before = {name: run.files(name) for name in _TOLD_OF}
    with run.connect() as connection:
        reach = Reach(connection, erasure.subjects)
        words = Words(reach.words)
        rejected = _rejected(connection, words)
        erasure = replace(
            erasure,
            words=reach.words,
            looks=[user_hash(access_key(settings.secret), user) for user in reach.gone],
        )
        texts = [(row["source"], rejected_line(row)) for row in rejected]
        erasures.keep_out(erasure, reach.tombstones(settings, texts, erasure.began_us))
        tell(f"{reach.held.lines.num_rows:,} lines go")
        lines = {"raw_requests": reach.held.lines, "rejected_lines": pa.Table.from_pylist(rejected, _PLACE)}
        lines["duplicate_lines"] = _copies(connection, reach.held)
        done = _rewrite_lines(run, lines, words)
        done["requests"] = _rewrite_requests(run, connection, words)
        offsets = _offsets(lines)
        done |= _rewrite_people(run, reach, words)
    ledger = Ledger.from_files(run.files("ingested_files").get(None, []))
    landing = plan_landing(run, settings, ledger, offsets, words) if settings.landing_is_ours else []
    _enter_counts(ledger, lines, offsets, words)
    run.replace("ingested_files", {None: [run.write("ingested_files", None, ledger.to_table())]})
    bring_up_to_date(run, tell, until="identifier_days")
    kept = {"identifiers": keep_owners(run, before, erasure.number)}
    bring_up_to_date(run, tell, until="acts")
    kept["acts"] = keep_links(run, before)
    bring_up_to_date(run, tell)
    scrubbed = {one.file_id for one in landing}
    erasure = replace(
        erasure,
        landing=landing,
        offsets={file_id: places for file_id, places in offsets.items() if file_id in scrubbed},
        done={name: one.to_dict() for name, one in done.items() if one.files},
        kept=kept,
    )
    erasures.write(erasure)
    run.facts[MARK] = Erased(erasure.number, erasure.token, is_done=False).mark
    return erasure


_PLACE = pa.schema(
    [pa.field("source", pa.string()), pa.field("file_id", pa.string()), pa.field("line_offset", pa.int64())]
)


def _rejected(connection: duckdb.DuckDBPyConnection, words: Words) -> list[dict[str, Any]]:
    """The lines that could not be read and hold a word: whose they are cannot be told, so that they go as a whole."""
    if not words:
        return []
    found = []
    for batch in connection.sql("from rejected_lines").to_arrow_reader(20_000):
        rows = pa.Table.from_batches([batch])
        has = words.rows(rows["text"]) | words.rows(rows["line"])
        found += rows.filter(pa.array(has)).to_pylist()
    return found


def _copies(connection: duckdb.DuckDBPyConnection, held: Held) -> pa.Table:
    held.find_lines()
    return connection.sql("""
        select date, source, file_id, line_offset, line_hash
        from duplicate_lines
        where (date, source, line_hash) in (select (date, source, line_hash) from own_lines)
    """).to_arrow_table()


def _rewrite_lines(run: Run, lines: Mapping[str, pa.Table], words: Words) -> dict[str, Rewritten]:
    done = {}
    for name, gone in lines.items():
        days = set(gone["date"].to_pylist()) if "date" in gone.schema.names else None
        places: dict[str, Any] = {
            file_id: pc.unique(pc.filter(gone["line_offset"], pc.equal(gone["file_id"], file_id)))
            for file_id in gone["file_id"].unique().to_pylist()
        }

        def goes(_day: date | None, rows: pa.Table, places: Mapping[str, Any] = places) -> Mask:
            files = rows["file_id"].unique().to_pylist()
            mask = np.zeros(rows.num_rows, dtype=np.bool_)
            for file_id in set(files) & places.keys():
                is_it = pc.and_(
                    pc.equal(rows["file_id"].cast(pa.string()), file_id),
                    pc.is_in(rows["line_offset"], value_set=places[file_id]),
                )
                mask |= is_it.to_numpy()
            return mask

        wanted = dict.fromkeys(days) if days is not None else None
        done[name] = rewrite(run, name, goes, ("file_id", "line_offset"), words, wanted)
    done["blank_lines"] = rewrite(run, "blank_lines", no_rows, ("line_offset",), words, {})
    return done


def _rewrite_requests(run: Run, connection: duckdb.DuckDBPyConnection, words: Words) -> Rewritten:
    """Take requests out of what was derived of the lines, without deriving the others again."""
    ids: dict[date | None, pa.Array] = {}
    for (day,) in connection.sql("select distinct date from own_requests").fetchall():
        found = connection.sql("select request_id from own_requests where date = $day", params={"day": day})
        ids[day] = found.to_arrow_table()["request_id"].combine_chunks()

    def goes(day: date | None, rows: pa.Table) -> Mask:
        of_day: Mask = pc.is_in(rows["request_id"].cast(pa.string()), value_set=ids[day]).to_numpy()
        return of_day

    done = rewrite(run, "requests", goes, ("request_id",), words, ids)
    rewrite(run, "settled_acts", goes, ("request_id",), Words(()), ids)
    files = {"raw_requests": run.files("raw_requests")}
    built = run.facts.get("built", {}).get("requests", {})
    for day in {*files["raw_requests"], *ids}:
        if day is not None and day.isoformat() in built:
            note_built(run, "requests", day, fingerprint(files, "requests", day, how_built(run, "requests")))
    return done


def _rewrite_people(run: Run, reach: Reach, words: Words) -> dict[str, Rewritten]:
    """Take people out of the directory and of what persons said."""
    gone = pa.array(reach.gone, pa.string())
    places = pa.array(reach.businesses, pa.string())
    pairs = {(one.user_id, one.business_id) for one in reach.people if not one.is_only_here}

    def of_user(_day: date | None, rows: pa.Table) -> Mask:
        found: Mask = pc.is_in(rows["user_id"].cast(pa.string()), value_set=gone).to_numpy()
        return found

    def of_business(_day: date | None, rows: pa.Table) -> Mask:
        found: Mask = pc.is_in(rows["business_id"].cast(pa.string()), value_set=places).to_numpy()
        return found

    def of_member(day: date | None, rows: pa.Table) -> Mask:
        told = zip(rows["user_id"].to_pylist(), rows["business_id"].to_pylist(), strict=True)
        is_pair = np.array([pair in pairs for pair in told], dtype=np.bool_)
        return of_user(day, rows) | of_business(day, rows) | is_pair

    member = ("user_id", "business_id")
    return {
        "users": rewrite(run, "users", of_user, ("user_id",), Words(()), None),
        "former_names": rewrite(run, "former_names", of_user, ("user_id",), Words(()), None),
        "memberships": rewrite(run, "memberships", of_member, member, Words(()), None),
        "businesses": rewrite(run, "businesses", of_business, ("business_id",), Words(()), None),
        "link_corrections": rewrite(run, "link_corrections", of_member, member, words, None),
    }


def _offsets(lines: Mapping[str, pa.Table]) -> dict[str, list[int]]:
    """Where lines begin that go, sorted, by file."""
    found: dict[str, list[int]] = defaultdict(list)
    for table in lines.values():
        for file_id, offset in zip(table["file_id"].to_pylist(), table["line_offset"].to_pylist(), strict=True):
            found[file_id].append(offset)
    return {file_id: sorted(set(places)) for file_id, places in found.items()}


def _enter_counts(
    ledger: Ledger, lines: Mapping[str, pa.Table], offsets: Mapping[str, Sequence[int]], words: Words
) -> None:
    """Bring the ledger up to date: what was kept, rejected or a copy is now erased; and no text of it stays."""
    for name, count in _COUNTS.items():
        for file_id in lines[name]["file_id"].to_pylist():
            entry = ledger.get(file_id)
            if entry is not None:
                setattr(entry, count, getattr(entry, count) - 1)
                entry.lines_erased += 1
    for entry in ledger:
        own = offsets.get(entry.file_id, ())
        if entry.first_line is not None and 0 in own:
            entry.first_line, entry.first_line_date, entry.first_text = ERASED, None, b""
        if entry.last_line is not None and entry.bytes_read in own:
            entry.last_line, entry.waiting_text = ERASED, b""
        entry.first_text = words.masked(entry.first_text)
        if words.are_in(entry.waiting_text):
            entry.waiting_text = b""


def _forget_elsewhere(settings: Settings, erasure: Erasure, words: Words) -> None:
    """Take out what is in no table: reasons in the log of who looked, texts of requests, pages, the cache."""
    looks = set(erasure.looks)
    seqs = [
        entry.seq
        for entry in read_entries(settings.access_log)
        if entry.why is not None
        and (words.are_in(entry.why.encode()) or any(one.user in looks for one in entry.subjects))
    ]
    if seqs:
        AccessLog(settings.access_log, access_key(settings.secret)).erase_why(seqs, _ACTOR, _ROLE, _REASON)
    for path in _records(settings):
        text = path.read_bytes()
        if words.are_in(text) and not _is_open(text):
            path.write_bytes(words.masked(text))
    shutil.rmtree(settings.warehouse / "_cache", ignore_errors=True)
    for page in settings.reports_folder.glob("week-*.html") if erasure.done else ():
        page.unlink()


def _close(settings: Settings, erasure: Erasure) -> None:
    """Say in the record that the requests are answered, with how many rows that took."""
    record = Record(settings)
    rows = {name: counts["rows"] for name, counts in erasure.done.items()}
    for number in erasure.requests:
        if record.read(number).is_open:
            record.close(number, DONE, f"erasure {erasure.number}", rows)


def _records(settings: Settings) -> list[Path]:
    return sorted((settings.privacy / "requests").glob("*.json"))


def _is_open(text: bytes) -> bool:
    return b'"outcome": null' in text


def _rows_left(settings: Settings, erasure: Erasure) -> dict[str, int]:
    """Count what tables still hold by ids: so it is known also of whoever has no word that tells of them alone."""
    with connect(settings) as connection:
        reach = Reach(connection, erasure.subjects)
        found = {name: _count(connection, f"main.{name} where {condition}") for name, condition in _conditions()}
        found["requests"] = _count(connection, "own_requests")
        asked = {"places": [one.value for one in erasure.subjects if one.kind == "business"]}
        counted = connection.execute(
            "select count(*) from businesses where business_id in (select unnest($places))", asked
        )
        found["businesses"] = counted.fetchall()[0][0]
        found["raw_requests"] = reach.held.lines.num_rows
    return {name: count for name, count in found.items() if count}


def _conditions() -> Iterator[tuple[str, str]]:
    """Which rows are the people's, of each table that names users; whoever is in other Businesses stays a user."""
    gone = "user_id in (select own_user from own_people where is_only_here)"
    for name, table in TABLES.items():
        if "user_id" in table.schema.names and name != "raw_requests":
            yield name, "theirs(user_id, business_id)" if "business_id" in table.schema.names else gone


def _count(connection: duckdb.DuckDBPyConnection, what: str) -> int:
    ((count,),) = connection.execute(f"select count(*) from {what}").fetchall()  # noqa: S608 our own names
    return int(count)


def _certificate(settings: Settings, erasure: Erasure, searched: Sequence[Searched]) -> dict[str, Any]:
    kinds: dict[str, int] = defaultdict(int)
    for one in erasure.subjects:
        kinds[one.kind] += 1
    return {
        "number": erasure.number,
        "began_at": erasure.began_at,
        "done_at": datetime.now(UTC).isoformat(),
        "subjects": dict(kinds),
        "requests": list(erasure.requests),
        "taken_out": {name: dict(counts) for name, counts in erasure.done.items()},
        "settled_of_others": dict(erasure.kept),
        "landing": {"is_ours": settings.landing_is_ours, "files_overwritten": len(erasure.landing or ())},
        "words_looked_for": len(erasure.words or ()),
        "searched": [asdict(one) for one in searched],
    }
