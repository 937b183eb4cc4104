"""Random histories of a few people: gaps of exactly half an hour, ties, midnights, polling screens, shared devices.

Each history keeps to its own people, so that many lie side by side in the same tables. What must come of them is in
`oracle`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tests.models.oracle import GAP, Act, Said

DAYS = 5
STARTS = (
    datetime(2028, 2, 27, tzinfo=UTC),  # holds a leap day
    datetime(2026, 3, 6, tzinfo=UTC),  # holds the change to summer time in New York
    datetime(2026, 10, 23, tzinfo=UTC),  # and that to winter time in Berlin
)
_MICROSECOND = timedelta(microseconds=1)
_STEPS = (
    timedelta(0),
    timedelta(0),
    _MICROSECOND,
    timedelta(seconds=40),
    timedelta(minutes=7),
    GAP - _MICROSECOND,
    GAP,
    GAP,
    GAP + _MICROSECOND,
    GAP + timedelta(seconds=1),
    timedelta(hours=5),
    timedelta(hours=19),
)
_METHODS = {"page": ("GET",), "api": ("GET", "POST"), "event": ("POST",), "download": ("GET",)}


@dataclass
class _Seat:
    """A device, and who sits at it.

    Attributes:
        cookie: what the browser sends; none where it refuses.
        ip: where it is.
        user: who is logged in, at which Business.
        login: the name given to the web server's own password.
    """

    cookie: str
    ip: str
    agent: str
    user: tuple[str, str] | None = None
    login: str | None = None


def mailboxes(number: int) -> dict[str, str]:
    """The directory's emails of a history's people, of whom one is not in it."""
    return {f"u{person}.{number}@example.org": f"u{person}.{number}" for person in (1, 2)}


def said_of(number: int, seed: int, start: datetime) -> list[Said]:
    """What persons said of a history's identifiers: nothing of most; never two users at once of one."""
    chance = random.Random(f"said {seed}")
    words = []
    for identifier in (f"c-k0.{number}", f"c-k1.{number}", f"guest.{number}", f"h-ip0.{number} agent0"):
        person = f"u{chance.randrange(1, 4)}.{number}"
        what = chance.random()
        if what < 0.15:
            words.append(Said(identifier, person, is_theirs=False))
        elif what < 0.4 and not identifier.startswith("h-"):
            at = start + timedelta(hours=chance.randrange(24 * DAYS))
            business = chance.choice((None, f"b1.{number}"))
            span = chance.choice(((None, None), (at, None), (None, at), (at, at + timedelta(hours=20))))
            words.append(Said(identifier, person, True, business, *span))
    return words


def history(number: int, seed: int, start: datetime) -> list[Act]:
    """Make a history.

    Args:
        number: keeps its people apart from those of others.
        seed: decides everything.
        start: midnight of its first day.
    """
    chance = random.Random(seed)
    seats = [
        _Seat(chance.choice(("", f"k{place}.{number}")), f"ip{chance.randrange(2)}.{number}", f"agent{place % 2}")
        for place in range(chance.randrange(1, 4))
    ]
    acts = [*_browsing(chance, number, seats, start)]
    for _ in range(chance.choice((0, 0, 1, 2))):
        acts += _polling(chance, number, chance.choice(seats), start)
    inside = [act for act in acts if start <= act.at < start + timedelta(days=DAYS)]
    chance.shuffle(inside)
    return [replace(act, request_id=f"{act.at:%Y%m%d}-{number:08x}{place:08x}") for place, act in enumerate(inside)]


def _browsing(chance: random.Random, number: int, seats: list[_Seat], start: datetime) -> Iterator[Act]:
    """People who look around, log in and out, as themselves or others, at one Business or another."""
    at = start + timedelta(hours=chance.choice((0, 0, 12, 20, 23)), minutes=chance.randrange(60))
    for _ in range(chance.randrange(1, 26)):
        at += chance.choice(_STEPS)
        if chance.random() < 0.1:
            at = at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        seat = chance.choice(seats)
        what = chance.random()
        if what < 0.25:
            seat.user = (f"u{chance.randrange(1, 4)}.{number}", f"b{chance.randrange(1, 3)}.{number}")
        elif what < 0.4:
            seat.user = None
        elif what < 0.5:
            seat.login = chance.choice((None, f"U1.{number}@example.org", f"guest.{number}"))
        elif what < 0.55:
            seat.ip = f"ip{chance.randrange(2)}.{number}"
        yield _act(chance, seat, at)


def _polling(chance: random.Random, number: int, seat: _Seat, start: datetime) -> Iterator[Act]:
    """A screen that asks every 29 or 30 minutes for days, now and then as a user."""
    pace = timedelta(minutes=chance.choice((29, 30)))
    at = start + timedelta(minutes=chance.choice((0, 15, 30, 31, 700)))
    user = (f"u1.{number}", f"b1.{number}")
    for turn in range(chance.randrange(20, 160)):
        is_known = chance.random() < 0.02
        yield _act(chance, _Seat(seat.cookie, seat.ip, seat.agent, user if is_known else None), at + turn * pace)


def _act(chance: random.Random, seat: _Seat, at: datetime) -> Act:
    kind = chance.choice(("page", "page", "api", "event", "download"))
    visitor = f"c-{seat.cookie}" if seat.cookie else f"h-{seat.ip} {seat.agent}"
    user, business = seat.user or (None, None)
    return Act("", at, visitor, seat.agent, kind, chance.choice(_METHODS[kind]), user, business, seat.login)
