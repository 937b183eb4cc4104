"""Erasures asked for and confirmed, which wait for the daily run and are made as one: to erase many costs little more.

Users who are too young, by the directory's birth dates, are erased by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import duckdb

from pipeline.audit import Subject
from pipeline.ingest.barrier import Barrier
from pipeline.lookup.rows import rows
from pipeline.people.ages import CHILD_UNTIL
from pipeline.privacy.access import Asking, note
from pipeline.privacy.erase import erase, resume, subject_of
from pipeline.privacy.erasures import Erasures
from pipeline.privacy.held import ROWS
from pipeline.privacy.holds import Hold, active_holds, held_back
from pipeline.privacy.record import Record, RecordError, Request
from pipeline.privacy.subjects import Reach
from pipeline.privacy.subjects import Subject as Whom
from pipeline.privacy.words import Words
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import connect, live_files

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Taken:
    """What an erasure would take out of a table.

    Attributes:
        table: its name.
        days: how many days have such rows; None for a table that is not by day.
        rows: how many rows.
        files: how many data files have that table's days, of which those are written again that hold such rows.
        bytes: of these files.
    """

    table: str
    days: int | None
    rows: int
    files: int
    bytes: int


@dataclass(frozen=True)
class DryRun:
    """What an erasure would do.

    Attributes:
        taken: what it would take out, table by table.
        words: how many words would be looked for everywhere.
        untold: ids that could be anything else as well, and are looked for in columns of ids only.
        hold: what keeps it from being made.
    """

    taken: Sequence[Taken]
    words: int
    untold: Sequence[str]
    hold: Hold | None


def dry_run(settings: Settings, asked: Whom, today: date) -> DryRun:
    """Tell what an erasure would take out; nothing is changed.

    Args:
        settings: where the tables are.
        asked: whom or what to erase.
        today: the UTC day.
    """
    with connect(settings) as connection:
        reach = Reach(connection, [asked])
        taken = [_taken(connection, settings, name, query) for name, query in _queries(connection, reach)]
        hold = held_back(active_holds(settings, today), reach.users(), _where(asked))
        return DryRun([one for one in taken if one.rows], len(reach.words), reach.untold, hold)


def _queries(connection: duckdb.DuckDBPyConnection, reach: Reach) -> list[tuple[str, str]]:
    """Which rows of each table would go."""
    reach.held.find_lines()
    words = Words(reach.words)
    texts = connection.sql("select date, file_id, line_offset, text, line from rejected_lines").to_arrow_table()
    has = words.rows(texts["text"]) | words.rows(texts["line"])
    connection.register("unread_lines", texts.filter(has))
    found = {name: f"main.{name} where {condition}" for name, condition in ROWS.items()}
    found["rejected_lines"] = "unread_lines"
    own = "(date, request_id) in (select (date, request_id) from own_requests)"
    found |= {name: f"main.{name} where {own}" for name in ("acts", "clickstream")}
    if any(not person.is_only_here for person in reach.people):
        gone = "user_id in (select own_user from own_people where is_only_here)"
        found |= {name: f"main.{name} where {gone}" for name in ("users", "former_names", "user_corrections")}
    return list(found.items())


def _taken(connection: duckdb.DuckDBPyConnection, settings: Settings, name: str, query: str) -> Taken:
    if not TABLES[name].is_by_day:
        ((count,),) = connection.sql(f"select count(*) from {query}").fetchall()  # noqa: S608 our own names
        paths = live_files(settings, name)
        return Taken(name, None, count, len(paths), sum(path.stat().st_size for path in paths))
    days = connection.sql(f"select date, count(*) from {query} group by date").fetchall()  # noqa: S608 our own names
    named = {f"date={day.isoformat()}" for day, _ in days}
    paths = [path for path in live_files(settings, name) if path.parent.name in named]
    return Taken(name, len(days), sum(n for _, n in days), len(paths), sum(path.stat().st_size for path in paths))


def ask_erasure(
    settings: Settings,
    kind: str,
    business: str,
    said: str,
    asking: Asking,
    number: int | None = None,
    is_everywhere: bool = False,
) -> Request:
    """Write down that an erasure is to be made, by the next daily run or by `erase_waiting`.

    Args:
        settings: where the record and the log of who looked are.
        kind: what `said` is: a user, an identifier, an address, or the Business itself.
        business: id of the Business that asks.
        said: the user's id, the cookie or login, the address, or the Business's id.
        asking: who asked, and how; of an open request only who acts on it counts.
        number: the open request that this confirms; a new one is written down where None.
        is_everywhere: whether in all Businesses.

    Raises:
        RecordError: there is no such open request, or it concerns somebody else.
        AccessLogError: it cannot be noted.
    """
    record = Record(settings)
    if number is None:
        request = record.receive(
            *("erasure", business, said, asking.noted_by, asking.asked_by, asking.reference, asking.received_at),
            of=kind,
            is_everywhere=is_everywhere,
        )
    else:
        request = record.read(number)
        if (request.kind, request.of, request.business, request.user) != ("erasure", kind, business, said):
            raise RecordError(f"request {number} is no open one of this erasure in {business}")
    whose = said if kind == "user" else None
    note(settings, asking, "privacy", request, Subject(whose, (business,)), "shown")
    return record.confirm(request.number)


def subject(request: Request, now: datetime) -> Whom:
    """Whom or what a request of erasure concerns."""
    assert request.user is not None
    business = None if request.is_everywhere or request.of == "business" else request.business
    return subject_of(request.of, request.user, business, now)


def waiting(settings: Settings, today: date) -> tuple[list[Request], list[tuple[Request, Hold]]]:
    """The erasures to be made, and those that are held back."""
    confirmed = [one for one in Record(settings).all() if one.is_open and one.kind == "erasure" and one.is_confirmed]
    holds = active_holds(settings, today)
    ready, kept = [], []
    for one in confirmed:
        hold = _hold_of(settings, one, holds) if holds else None
        if hold is None:
            ready.append(one)
        else:
            kept.append((one, hold))
    return ready, kept


def _hold_of(settings: Settings, request: Request, holds: Sequence[Hold]) -> Hold | None:
    """The hold on somebody whom an erasure reaches, whatever it is of."""
    asked = subject(request, datetime.now(UTC))
    with connect(settings) as connection:
        return held_back(holds, Reach(connection, [asked]).users(), _where(asked))


def _where(asked: Whom) -> str | None:
    return asked.value if asked.kind == "business" else asked.business


def erase_waiting(
    settings: Settings, progress: Progress | None = None, now: datetime | None = None
) -> dict[str, Any] | None:
    """Go on with what was broken off, then make the erasures that wait, and those of users who are too young, as one.

    Args:
        settings: where everything is.
        progress: told what is done.
        now: what time it is.

    Returns:
        The certificate; None where there was nothing to erase.

    Raises:
        ErasureError: something is left.
    """
    now = now or datetime.now(UTC)
    resumed = resume(settings, progress)
    let_in_grown(settings, now)
    ready, kept = waiting(settings, now.date())
    for request, hold in kept:
        if progress:
            progress(f"request {request.number} is held back until {hold.until}: {hold.reason}")
    subjects = [subject(one, now) for one in ready] + children(settings, now.date())
    if not subjects:
        return resumed
    held = [{"request": one.number, "reason": hold.reason, "until": hold.until.isoformat()} for one, hold in kept]
    return erase(settings, subjects, [one.number for one in ready], progress, now, held)


def let_in_grown(settings: Settings, now: datetime) -> None:
    """Keep the lines again of whoever was erased as a child, and is none by the birth date that is known today."""
    barrier = Barrier(settings)
    if not barrier.has("child"):
        return
    with connect(settings) as connection:
        grown = [row["user_id"] for row in rows(connection, _GROWN, {"years": CHILD_UNTIL, "today": now.date()})]
    Erasures(settings).let_in("child", [user for user in grown if barrier.stops("child", user, at=now)])


_GROWN = """
select user_id
from users
where date_of_birth + to_years($years) <= $today::date
order by user_id
"""


def children(settings: Settings, today: date) -> list[Whom]:
    """The users of the directory who are too young to be kept, until the day on which they no longer are."""
    with connect(settings) as connection:
        found = rows(connection, _CHILDREN, {"years": CHILD_UNTIL, "today": today})
    holds = active_holds(settings, today)
    return [
        Whom("child", row["user_id"], None, int(datetime.combine(row["grown_on"], time(), UTC).timestamp() * 1_000_000))
        for row in found
        if held_back(holds, [row["user_id"]], None) is None
    ]


_CHILDREN = """
select user_id, (date_of_birth + to_years($years))::date as grown_on
from users
where date_of_birth + to_years($years) > $today::date
order by user_id
"""
