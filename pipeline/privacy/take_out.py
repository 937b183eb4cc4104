"""Rows and words taken out of a run's tables, with all that follows from them built anew: the core of an erasure.

Readers see it once the run publishes. What lies outside of the warehouse, and the proof, is not done here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.build import bring_up_to_date
from pipeline.build.stale import fingerprint, how_built, note_built
from pipeline.ingest.landing import KnownFiles
from pipeline.ingest.ledger import ERASED, Ledger
from pipeline.privacy.held import Held
from pipeline.privacy.landing import Scrubbed, plan_landing
from pipeline.privacy.person import Person
from pipeline.privacy.rewrite import Mask, Rewritten, no_rows, rewrite
from pipeline.privacy.settle import keep_links, keep_owners
from pipeline.privacy.subjects import Reach, Subject
from pipeline.privacy.words import Words
from pipeline.warehouse import Run

_COUNTS = {"raw_requests": "lines_kept", "rejected_lines": "lines_rejected", "duplicate_lines": "lines_duplicate"}
_TOLD_OF = ("users", "identifier_days", "identifier_links", "link_corrections", "erased_owners", "acts")

Progress = Callable[[str], None]
Rejects = list[dict[str, Any]]


@dataclass(frozen=True)
class TakenOut:
    """What was taken out.

    Attributes:
        words: what no text may hold any more.
        users: ids of the users of whom nothing stays.
        people: everybody whose rows went, and in which Business.
        landing: files of the landing folder that are to be overwritten.
        offsets: where the lines in these begin that go, by file.
        landing_left: paths of the other files of the landing place from which lines were read that are taken out.
        done: rows taken out and masked, files and days, by table.
        kept: how many acts and identifiers of others were settled.
    """

    words: Sequence[str]
    users: Sequence[str]
    people: Sequence[Person]
    landing: Sequence[Scrubbed]
    offsets: Mapping[str, Sequence[int]]
    landing_left: Sequence[str]
    done: Mapping[str, Mapping[str, int]]
    kept: Mapping[str, int]


def take_out(
    run: Run,
    subjects: Sequence[Subject],
    number: int,
    tell: Progress,
    before_change: Callable[[Reach, Rejects], None] = lambda _reach, _rejects: None,
    is_line: Callable[[pa.Table], Mask] | None = None,
) -> TakenOut:
    """Take some subjects out of every table.

    Args:
        run: an open run; the caller publishes.
        subjects: whom and what.
        number: of the erasure, which the words about others carry.
        tell: told what is done.
        before_change: called once it is known what goes, before anything does.
        is_line: tells of rows of `raw_requests` whether they go as well, whoever they are of.

    Returns:
        What was taken out.
    """
    bring_up_to_date(run, tell)
    before = {name: run.files(name) for name in _TOLD_OF}
    with run.connect() as connection:
        reach = Reach(connection, subjects)
        if is_line is not None:
            reach.add_lines(is_line)
        words = Words(reach.words)
        rejects = _rejected(connection, words)
        before_change(reach, rejects)
        tell(f"{reach.held.lines.num_rows:,} lines go")
        lines = {"raw_requests": reach.held.lines, "rejected_lines": pa.Table.from_pylist(rejects, _PLACE)}
        lines["duplicate_lines"] = _copies(connection, reach.held)
        done = _rewrite_lines(run, lines, words)
        done["requests"] = _rewrite_requests(run, connection, words)
        done |= _rewrite_people(run, reach, words)
    offsets = _offsets(lines)
    ledger = Ledger.from_files(run.files("ingested_files").get(None, []))
    is_ours = run.settings.landing_is_ours
    landing = plan_landing(run, run.settings, ledger, offsets, words) if is_ours else []
    _enter_counts(ledger, lines, offsets, words)
    if len(ledger):
        run.replace("ingested_files", {None: [run.write("ingested_files", None, ledger.to_table())]})
    bring_up_to_date(run, tell, until="identifier_days")
    kept = {"identifiers": keep_owners(run, before, number)}
    bring_up_to_date(run, tell, until="acts")
    kept["acts"] = keep_links(run, before)
    bring_up_to_date(run, tell)
    scrubbed = {one.file_id for one in landing}
    overwritten = {one.path for one in landing}
    known = KnownFiles(run.files("landing_files").get(None, [])).of_files(offsets)
    return TakenOut(
        reach.words,
        reach.gone,
        reach.people,
        landing,
        {file_id: places for file_id, places in offsets.items() if file_id in scrubbed},
        sorted(path for path, _, _ in known if path not in overwritten),
        {name: one.to_dict() for name, one in done.items() if one.files},
        kept,
    )


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
        "user_corrections": rewrite(run, "user_corrections", of_user, ("user_id",), Words(()), None),
        "memberships": rewrite(run, "memberships", of_member, member, Words(()), None),
        "businesses": rewrite(run, "businesses", of_business, ("business_id",), Words(()), None),
        "link_corrections": rewrite(run, "link_corrections", of_member, member, words, None),
    }


def _offsets(lines: Mapping[str, pa.Table]) -> dict[str, list[int]]:
    """Where lines begin that go, sorted, by file."""
    all_lines = pa.concat_tables([table.select(["file_id", "line_offset"]) for table in lines.values()])
    by_file = all_lines.group_by("file_id").aggregate([("line_offset", "distinct")]).to_pylist()
    return {row["file_id"]: sorted(row["line_offset_distinct"]) for row in by_file}


def _enter_counts(
    ledger: Ledger, lines: Mapping[str, pa.Table], offsets: Mapping[str, Sequence[int]], words: Words
) -> None:
    """Bring the ledger up to date: what was kept, rejected or a copy is now erased; and no text of it stays."""
    for name, count in _COUNTS.items():
        for of_file in lines[name]["file_id"].value_counts().to_pylist():
            entry = ledger.get(of_file["values"])
            if entry is not None:
                setattr(entry, count, getattr(entry, count) - of_file["counts"])
                entry.lines_erased += of_file["counts"]
    for entry in ledger:
        own = offsets.get(entry.file_id, ())
        if entry.first_line is not None and 0 in own:
            entry.first_line, entry.first_line_date, entry.first_text = ERASED, None, b""
        if entry.last_line is not None and entry.bytes_read in own:
            entry.last_line, entry.waiting_text = ERASED, b""
        entry.first_text = words.masked(entry.first_text)
        if words.are_in(entry.waiting_text):
            entry.waiting_text = b""
