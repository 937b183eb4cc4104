"""Random acts of a few people, full of what is awkward for funnels, and how far they got, read plainly.

The reading tries every chain of acts there is; it shares nothing with the models' SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, groupby
from random import Random
from typing import Any

# What features claim; an act on /b is a use of two, one on /c only where it was answered well.
FEATURES = {"a": {"/a"}, "b": {"/b"}, "ab": {"/a", "/b"}, "c": {"/c"}}
PATTERNS = {
    "a": '{ route = "/a" }',
    "b": '{ route = "/b" }',
    "ab": '{ route = "/a" }, { route = "/b" }',
    "c": '{ route = "/c", status = "2xx" }',
}
REPORTS = ("hide", "show", "still")
START = datetime(2026, 3, 2, 22, tzinfo=UTC)
_STEP = timedelta(minutes=10)
Row = dict[str, Any]


@dataclass(frozen=True)
class Said:
    """A funnel as it is declared."""

    name: str
    steps: tuple[str, ...]
    within: timedelta | None
    per: str

    @property
    def text(self) -> str:
        """Its table in the catalogue's file."""
        within = "" if self.within is None else f'within = "{int(self.within.total_seconds())} seconds"\n'
        steps = ", ".join(f'"{step}"' for step in self.steps)
        return f'[funnels.{self.name}]\ndescription = "d"\nsteps = [{steps}]\nper = "{self.per}"\n{within}'


def funnels(random: Random) -> list[Said]:
    """Make funnels of two to four steps, of which one may come again, with windows that acts meet exactly."""
    return [
        Said(
            f"f{number}",
            tuple(random.choice(list(FEATURES)) for _ in range(random.choice((2, 2, 3, 4)))),
            random.choice(
                (_STEP, 2 * _STEP, 3 * _STEP, timedelta(days=1), None if per == "visit" else timedelta(days=90))
            ),
            per,
        )
        for number, per in enumerate(["person"] * 9 + ["visit"] * 3)
    ]


def acts(random: Random) -> list[Row]:
    """Make rows of `clickstream`: visits over midnight and at once, by users of two Businesses and by nobody."""
    found = []
    for number in range(random.randint(1, 14)):
        who = random.choice(("u1", "u2", "u3", "u4", None))
        visit = {
            "visit_id": f"v{random.randrange(10**6):06}{number}",
            "user_id": who,
            "visitor_id": f"c-{random.randrange(3)}",
            "business_id": random.choice(("b1", "b1", "b2", None)),
        }
        at = START + _STEP * random.choice((0, 1, 2, 3, 6, 9, 11, 12, 13, 14, 150, 155))
        for seq in range(1, random.randint(1, 7) + 1):
            found.append(visit | _act(random, at, seq))
            at += random.choice((timedelta(0), timedelta(0), _STEP, _STEP, _STEP + timedelta(microseconds=1)))
    return found


def _act(random: Random, at: datetime, seq: int) -> Row:
    event = random.choice((None, None, None, None, "hide", "saved"))
    kind = "event" if event else random.choice(("page", "page", "page", "api"))
    return {
        "date": at.date(),
        "occurred_at": at,
        "visit_seq": seq,
        "request_id": f"{random.randrange(10**12):012}",
        "kind": kind,
        "method": "POST" if kind == "api" and random.random() < 0.3 else "GET",
        "referrer": "https://app.example.com/a" if random.random() < 0.7 else None,
        "route": "/report" if event else random.choice(("/a", "/b", "/c", "/x")),
        "event": event,
        "event_label": "note" if event == "saved" else None,
        "status": random.choice((200, 200, 404, None)),
        "is_bot": random.random() < 0.07,
    }


def told(
    given: Sequence[Row],
    funnel: Said,
    business: str | None = "",
    first: date | None = None,
    last: date | None = None,
) -> list[Row] | None:
    """Tell what the table `funnels` must say of a funnel.

    Args:
        given: acts.
        funnel: which.
        business: which Business; all where empty.
        first: only acts of this day and later.
        last: only acts of this day and earlier.

    Returns:
        A row for each step, without names; None where the Business has none.
    """
    steps = [
        act
        for act in given
        if not act["is_bot"]
        and (first or act["date"]) <= act["date"] <= (last or act["date"])
        and business in ("", act["business_id"])
        and any(_meets(act, step) for step in funnel.steps)
    ]
    if business != "" and not steps:
        return None
    ways = [_way(list(own), funnel, given) for _, own in groupby(sorted(steps, key=_who(funnel)), _who(funnel))]
    return [_row(number, funnel, [way for way in ways if way]) for number in range(1, len(funnel.steps) + 1)]


def _meets(act: Row, step: str) -> bool:
    is_well = step != "c" or (act["status"] is not None and act["status"] < 300)
    return act["route"] in FEATURES[step] and is_well


def _who(funnel: Said) -> Any:
    if funnel.per == "visit":
        return lambda act: act["visit_id"]
    return lambda act: (act["user_id"] or "", "" if act["user_id"] else act["visitor_id"])


@dataclass(frozen=True)
class Way:
    """How far somebody got: when they were at each step, and how they went on."""

    times: list[datetime]
    left_by: str
    is_error: bool


def _way(own: list[Row], funnel: Said, given: Sequence[Row]) -> Way | None:
    ordered = sorted(own, key=lambda act: (act["occurred_at"], act["visit_id"], act["visit_seq"]))
    for level in range(len(funnel.steps), 0, -1):
        found = list(_chains(ordered, funnel.steps[:level], funnel.within))
        if found:
            soonest = min(chain[-1] for chain in found)
            times = [[ordered[place]["occurred_at"] for place in chain] for chain in found if chain[-1] == soonest]
            chosen = max(times, key=lambda at: (at[0], [at[0] - one for one in at]))
            last = ordered[max(chain[-1] for chain in found)]
            return Way(chosen, _left_by(last, given), (last["status"] or 0) >= 400)
    return None


def _chains(ordered: list[Row], steps: Sequence[str], within: timedelta | None) -> Iterator[tuple[int, ...]]:
    for chain in combinations(range(len(ordered)), len(steps)):
        took = ordered[chain[-1]]["occurred_at"] - ordered[chain[0]]["occurred_at"]
        if (within is None or took <= within) and all(
            _meets(ordered[place], step) for place, step in zip(chain, steps, strict=True)
        ):
            yield chain


def _left_by(act: Row, given: Sequence[Row]) -> str:
    later = [
        other
        for other in given
        if other["visit_id"] == act["visit_id"]
        and other["visit_seq"] > act["visit_seq"]
        and other["event"] not in REPORTS
        and not _is_read_by_a_page(other)
    ]
    if not later:
        return "ended"
    following = min(later, key=lambda other: int(other["visit_seq"]))
    return f"event {following['event']}:note" if following["event"] else str(following["route"])


def _is_read_by_a_page(act: Row) -> bool:
    is_read = act["kind"] == "api" and act["method"] == "GET" and act["referrer"] is not None
    return is_read and (act["status"] or 200) < 400


def _row(step: int, funnel: Said, ways: list[Way]) -> Row:
    reached = [way.times for way in ways if len(way.times) >= step]
    first, before = (sum(len(way.times) >= one for way in ways) for one in (1, step - 1))
    dropped = [way for way in ways if len(way.times) == step] if step < len(funnel.steps) else None
    went = Counter(way.left_by for way in dropped or ())
    from_first = [(times[step - 1] - times[0]).total_seconds() for times in reached if step > 1]
    from_previous = [(times[step - 1] - times[step - 2]).total_seconds() for times in reached if step > 1]
    return {
        "step": step,
        "steps": len(funnel.steps),
        "feature": funnel.steps[step - 1],
        "per": funnel.per,
        "within_s": None if funnel.within is None else int(funnel.within.total_seconds()),
        "entered": len(reached),
        "from_first": len(reached) / first if first else None,
        "from_previous": len(reached) / before if before and step > 1 else None,
        "from_first_median_s": _quantile(from_first, 0.5),
        "from_first_p90_s": _quantile(from_first, 0.9),
        "from_previous_median_s": _quantile(from_previous, 0.5),
        "from_previous_p90_s": _quantile(from_previous, 0.9),
        "dropped": None if dropped is None else len(dropped),
        "dropped_on_error": None if dropped is None else sum(way.is_error for way in dropped),
        "instead": [
            {"route": route, "times": times} for route, times in sorted(went.items(), key=lambda one: (-one[1], one[0]))
        ][:5]
        or None,
    }


def _quantile(values: list[float], share: float) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
