"""Erasing: written ahead, taken out of all tables at once, then out of all else, proved by reading all, certified.

Each step can be done again, so that an erasure that was broken off goes on where it was: up to the moment at which the
warehouse shows the new state nothing was changed in it, and after that only what is left to be done is done.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from pipeline.audit import AccessLog, access_key, read_entries, user_hash
from pipeline.ingest.written import rejected_line
from pipeline.privacy.backup import back_up_erased
from pipeline.privacy.erasures import Erasure, Erasures
from pipeline.privacy.holds import all_holds, lift
from pipeline.privacy.landing import overwrite
from pipeline.privacy.prove import LOOKS, RECORD, Searched, search
from pipeline.privacy.record import DONE, Record
from pipeline.privacy.share import note_recall, to_recall
from pipeline.privacy.subjects import Reach, Subject
from pipeline.privacy.take_out import Rejects, take_out
from pipeline.privacy.words import Words
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.tombstones import MARK, Erased
from pipeline.warehouse import Run, connect, open_run
from pipeline.warehouse.sweep import sweep_locked

_ACTOR, _ROLE = "erasure", "privacy"
_REASON = "erased with the person whom it names"
_MICROS = 1_000_000

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
    held_back: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Erase some subjects at once, and prove it.

    Args:
        settings: where everything is.
        subjects: whom and what; whoever is held back is not among them.
        requests: numbers of the requests of the record that this answers.
        progress: told what is done.
        now: what time it is.
        held_back: requests that law or business holds back, with why and until when: the certificate names them.

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
        begun = erasures.begin(subjects, requests, now or datetime.now(UTC), held_back)
        return _go_on(settings, erasures, begun, progress)


def resume(settings: Settings, progress: Progress | None = None) -> dict[str, Any] | None:
    """Go on with an erasure that was broken off.

    Returns:
        Its certificate; None where there was none.

    Raises:
        ErasureError: something is left.
    """
    erasures = Erasures(settings)
    if erasures.under_way() is None:
        return None
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
    working = erasures.working_folder(erasure)
    record = Record(settings)
    searched = search(settings, words, {working, *record.open_files()}, progress=tell)
    left = _places(one for one in searched if one.store != LOOKS)
    left += [f"{LOOKS}: reason of entry {seq}" for seq in _reasons(settings, erasure, words)]
    left += [f"table {name}: {count:,} rows" for name, count in _rows_left(settings, erasure).items()]
    if left:
        raise ErasureError(f"erasure {erasure.number} left something: {'; '.join(left[:10])}")
    note_recall(settings, erasure.number, erasure.recalled)
    certificate = _certificate(settings, erasure, searched)
    _close(settings, erasure)
    if left := _places(search(settings, words, {working, *record.open_files()}, only=RECORD)):
        raise ErasureError(f"erasure {erasure.number} left something: {'; '.join(left[:10])}")
    erasures.finish(erasure, certificate)
    if settings.backup is not None:
        back_up_erased(settings)
    tell(f"erasure {erasure.number}: nothing is left")
    return certificate


def _places(searched: Iterable[Searched]) -> list[str]:
    return [f"{one.store}: {place}" for one in searched for place in one.found]


def _take_out(settings: Settings, erasures: Erasures, erasure: Erasure, tell: Progress) -> Erasure:
    """Take everything out of the warehouse in one run, which readers see all at once or not at all."""
    with open_run(settings) as run:
        mark = run.facts.get(MARK) or {"number": 0}
        if mark["number"] < erasure.number:
            erasure = _taken_out(run, settings, erasures, erasure, tell)
        run.publish()
        sweep_locked(settings, grace_s=0)
    return erasure


def _taken_out(run: Run, settings: Settings, erasures: Erasures, erasure: Erasure, tell: Progress) -> Erasure:
    def keep_out(reach: Reach, rejects: Rejects) -> None:
        texts = [(row["source"], rejected_line(row)) for row in rejects]
        erasures.keep_out(erasure, reach.tombstones(settings, texts, erasure.began_us))

    taken = take_out(run, erasure.subjects, erasure.number, tell, keep_out)
    erasure = replace(
        erasure,
        words=taken.words,
        looks=[user_hash(access_key(settings.secret), user) for user in taken.users],
        landing=taken.landing,
        offsets=taken.offsets,
        landing_left=taken.landing_left,
        recalled={str(number): ids for number, ids in to_recall(settings, taken.people).items()},
        done=taken.done,
        kept=taken.kept,
    )
    erasures.write(erasure)
    run.facts[MARK] = Erased(erasure.number, erasure.token, is_done=False).mark
    return erasure


def _forget_elsewhere(settings: Settings, erasure: Erasure, words: Words) -> None:
    """Take out what is in no table: reasons in the log of who looked, texts of requests, pages, the cache."""
    if seqs := _reasons(settings, erasure, words):
        AccessLog(settings.access_log, access_key(settings.secret)).erase_why(seqs, _ACTOR, _ROLE, _REASON)
    for hold in all_holds(settings):
        if user_hash(access_key(settings.secret), hold.user) in erasure.looks:
            lift(settings, hold)
    shutil.rmtree(settings.warehouse / "_cache", ignore_errors=True)
    for page in settings.reports_folder.glob("week-*.html") if erasure.done else ():
        page.unlink()


def _reasons(settings: Settings, erasure: Erasure, words: Words) -> list[int]:
    """The entries of the log of who looked whose reasons are about whom was erased, or name them."""
    looks = set(erasure.looks)
    return [
        entry.seq
        for entry in read_entries(settings.access_log)
        if entry.why is not None
        and (words.are_in(entry.why.encode()) or any(one.user in looks for one in entry.subjects))
    ]


def _close(settings: Settings, erasure: Erasure) -> None:
    """Say in the record that the requests are answered, with how many rows that took; no closed one names anybody."""
    record = Record(settings)
    rows = {name: counts["rows"] for name, counts in erasure.done.items()}
    for number in erasure.requests:
        if record.read(number).is_open:
            record.close(number, DONE, f"erasure {erasure.number}", rows)
    record.mask_closed(Words(erasure.words or ()).masked)


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
    now = datetime.now(UTC)
    return {
        "number": erasure.number,
        "began_at": erasure.began_at,
        "done_at": now.isoformat(),
        "in_no_backup_from": (now + timedelta(days=settings.backup_days)).isoformat() if settings.backup else None,
        "subjects": dict(kinds),
        "requests": list(erasure.requests),
        "held_back": list(erasure.held_back),
        "taken_out": {name: dict(counts) for name, counts in erasure.done.items()},
        "settled_of_others": dict(erasure.kept),
        "landing": {
            "is_ours": settings.landing_is_ours,
            "files_overwritten": len(erasure.landing or ()),
            "files_that_may_hold_lines": list(erasure.landing_left),
        },
        "copies_to_recall": sorted(map(int, erasure.recalled)),
        "words_looked_for": len(erasure.words or ()),
        "searched": [asdict(one) for one in searched],
        # Whoever looked at somebody is named in the log's chain, as staff; an erased user who is staff stays there.
        "kept_in_log_of_who_looked": any(one.found for one in searched if one.store == LOOKS),
    }
