"""Random visits, act by act: ties, midnights, reloads, ways back, errors, slow answers, reports, robots, nobody known.

What must come of them is told in the tests, plainly, of the acts of each visit in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from random import Random
from typing import Any

from pipeline.enrich.targets import read_route
from pipeline.settings import Settings

FIRST = date(2026, 3, 28)  # a Saturday: a week and a month end within the days that follow
DAYS = [FIRST + timedelta(number) for number in range(6)]
_SECOND = timedelta(seconds=1)
_GAPS = (
    *(timedelta(0), timedelta(0), timedelta(microseconds=1), _SECOND, 4 * _SECOND),
    *(10 * _SECOND, 10 * _SECOND + timedelta(microseconds=1)),
    *(30 * _SECOND, 30 * _SECOND + timedelta(microseconds=1), timedelta(minutes=29)),
)
_PAGES = ("/notes/7", "/notes/7", "/notes/8", "/plans", "/plans", "/", "/plans/2026-03-02")
_VIEWS = (
    *(
        *_PAGES,
        None,
        None,
        None,
        "/notes/0a1b2c3d4e",
        "/notes/deadbeef",
        "/people/x@y.example",
        "/people/x%40y.example",
        "/v2/7",
    ),
    *("/notes/6F9619FF-8B86-D011-B42D-00CF4FC964FF", "/plans/2026-03", "/plans/2026-03-1", "//7/8/", "/a@b@c"),
)
_STATUSES = (200, 200, 200, 201, 299, 300, 302, 303, 304, 399, 400, 404, 500, None)
_DURATIONS = (None, 20.0, 20.0, 1000.0, 1000.5, 4000.0)


@dataclass(frozen=True)
class Act:
    """A row of `clickstream`, as far as it matters here."""

    date: date
    request_id: str
    visit_id: str
    visit_seq: int
    occurred_at: datetime
    visitor_id: str
    user_id: str | None
    business_id: str | None
    kind: str
    method: str
    host: str
    path: str
    route: str
    event: str | None
    event_label: str | None
    event_page: str | None
    status: int | None
    duration_ms: float | None
    engaged_s: float | None
    is_bot: bool

    @property
    def page(self) -> str | None:
        """The path of the page that it showed; None where it showed none."""
        if self.event == "view":
            return self.event_page
        has_moved = self.status is not None and 300 <= self.status < 400 and self.status != 304
        return self.path if self.kind == "page" and not has_moved else None


def acts() -> list[Act]:
    """Make some hundred visits, always the same, of a few people in two Businesses and in none."""
    return [act for number in range(400) for act in _visit(Random(number), number)]


def by_visit(rows: Iterable[Act]) -> Iterator[list[Act]]:
    """Group acts by visit, in order."""
    for _, visit in groupby(sorted(rows, key=lambda act: (act.visit_id, act.visit_seq)), lambda act: act.visit_id):
        yield list(visit)


def clickstream(rows: Iterable[Act]) -> list[dict[str, Any]]:
    """The acts as rows of the table."""
    return [asdict(act) for act in rows]


def visits(rows: Iterable[Act]) -> list[dict[str, Any]]:
    """The visits of acts, as far as they matter here, as rows of the table."""
    columns = ("date", "visit_id", "visitor_id", "user_id", "business_id")
    return [
        {name: getattr(visit[0], name) for name in columns} | {"is_bot": any(act.is_bot for act in visit)}
        for visit in by_visit(rows)
    ]


def _visit(chance: Random, number: int) -> Iterator[Act]:
    start = datetime.combine(chance.choice(DAYS[:-1]), datetime.min.time(), UTC)
    at = start + timedelta(hours=chance.choice((9, 23)), minutes=chance.choice((0, 59)), seconds=chance.choice((0, 50)))
    user = chance.choice((None, "u1", "u2", "u3"))
    business = chance.choice(("b1", "b2", None))
    robot = chance.choice((0.0,) * 8 + (0.2, 1.0))
    page = chance.choice(_PAGES)
    for seq in range(1, chance.randint(2, 12)):
        kind = chance.choice(("page", "page", "page", "api", "event"))
        event = chance.choice(("view", "view", "hide", "still", "show", "click", "saved")) if kind == "event" else None
        page = chance.choice((page, *_PAGES))
        path = {"page": page, "api": "/api/notes/7", "event": "/trail/event"}[kind]
        yield Act(
            date=at.date(),
            request_id=f"{number}-{seq}",
            visit_id=f"{start:%Y%m%d}-{number}",
            visit_seq=seq,
            occurred_at=at,
            visitor_id=f"c-{number % 5}",
            user_id=user,
            business_id=business,
            kind=kind,
            method=chance.choice(("GET", "POST")) if kind == "api" else "GET",
            host=chance.choice(("a", "a", "a", "b")),
            path=path,
            route=read_route(path, Settings()),
            event=event,
            event_label=chance.choice(("save", "help")) if event == "click" else None,
            event_page=chance.choice(_VIEWS) if event else None,
            status=chance.choice(_STATUSES),
            duration_ms=chance.choice(_DURATIONS),
            engaged_s=chance.choice((None, 2.5)) if kind != "api" else None,
            is_bot=chance.random() < robot,
        )
        at += chance.choice(_GAPS)
