"""Which days of which tables no longer follow from what lies below them.

A day's fingerprint is made of the names of the immutable files that it was built from: nothing is read to compare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from pipeline.models import definition
from pipeline.product.scoring import score_definition
from pipeline.settings import Settings

DayFiles = dict[date | None, list[Path]]

# Each table by day, in the order of building: the tables it is made of, and which days of them beside its own.
INPUTS: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "requests": (("raw_requests", (0,)),),
    "identifier_days": (("requests", (0,)),),
    "acts": (("requests", (-1, 0, 1)), ("settled_acts", (0,))),
    "same_visit_days": (("acts", (0,)),),
    "clickstream": (("acts", (-1, 0, 1)), ("requests", (-1, 0, 1))),
    "visits": (("acts", (-1, 0, 1)), ("requests", (0, 1))),
    "user_days": (("clickstream", (0,)),),
    "feature_days": (("clickstream", (-1, 0, 1)),),
    "feature_usage": (("feature_days", (0,)),),
    "funnel_acts": (("clickstream", (0, 1)),),
    "friction": (("feature_days", (0,)),),
    "page_steps": (("visits", (0,)), ("clickstream", (0, 1))),
    "paths": (("page_steps", (0,)),),
}
WHOLE_INPUTS: dict[str, tuple[str, ...]] = {
    "identifier_links": ("identifier_days", "users", "link_corrections", "erased_owners"),
    "user_links": ("identifier_days", "identifier_links", "same_visit_days"),
    "user_businesses": ("user_days", "user_links", "identifier_days", "memberships"),
    "user_lookup": ("user_businesses", "users", "businesses"),
    "search_terms": ("user_businesses", "users", "former_names"),
    "feature_adoption": ("feature_days",),
    "active_users": ("user_days", "feature_days"),
    "lifecycle": ("user_days", "feature_days"),
    "stickiness": ("user_days", "feature_days"),
    "retention": ("user_days", "feature_days"),
    "feature_measures": ("user_days", "feature_days"),
    "feature_staying": ("user_days", "feature_days"),
    "feature_scores": ("feature_measures", "feature_staying"),
    "funnels": ("funnel_acts",),
    "segments": ("user_days", "feature_days"),
}

_WHICH = {"-1": "of the day before", "+0": "of the day", "+1": "of the day after"}
_MODEL = "model"
_NEAR = timedelta(days=7)  # to look at a day in between costs less than a run of its own

Stale = dict[str, list[date]]


class State(Protocol):
    """A state of the warehouse: what a run or a look without the lock offers."""

    settings: Settings
    facts: dict[str, Any]

    def files(self, table: str) -> DayFiles:
        """Live files by day."""


def find_stale(state: State, until: date | None = None) -> Stale:
    """Find the stale days of every table by day.

    Args:
        state: a run, or a look at the staged state.
        until: the last day to look at, today by default: lines from the future wait for their day.

    Returns:
        Days by table, sorted, tables in the order of building; a table with none is left out. What a stale day below
        will change is not foreseen: build a table, and look again.
    """
    found = {table: stale_days(state, table, until) for table in INPUTS}
    return {table: days for table, days in found.items() if days}


def today() -> date:
    """The current UTC day."""
    return datetime.now(UTC).date()


def stale_days(state: State, table: str, until: date | None = None) -> list[date]:
    """Find the stale days of one table by day: built from other files, or touched by a changed link."""
    return sorted(why_stale(state, table, until))


def why_stale(state: State, table: str, until: date | None = None) -> dict[date, str]:
    """Find the stale days of one table by day, and say of each why: never built, other rows below, a changed link."""
    last = until or today()
    files = {name: state.files(name) for name, _ in INPUTS[table]}
    built = _built(state.facts, table)
    known = {day for name in files for day in files[name] if day is not None}
    first = INPUTS[table][0][0]
    wanted = {day for day in files[first] if day is not None} | {date.fromisoformat(day) for day in built}
    touched = {date.fromisoformat(day) for day in state.facts.get("touched_by_links", [])} if table == "acts" else set()
    found = {}
    how = how_built(state, table)
    for day in wanted:
        if day <= last and (day in known or day.isoformat() in built):
            causes = ["a changed link"] if day in touched else []
            causes += _what_changed(built.get(day.isoformat()), fingerprint(files, table, day, how))
            if causes:
                found[day] = ", ".join(causes)
    return found


def _what_changed(before: str | None, now: str) -> list[str]:
    """Say which inputs differ between two fingerprints."""
    if before is None:
        return ["never built"]
    parts = {part.partition(":")[0] for part in set(before.split()) ^ set(now.split())}
    return sorted("another definition" if part == _MODEL else f"{part[:-2]} {_WHICH[part[-2:]]}" for part in parts)


def ranges_to_refresh(state: State, until: date | None = None) -> list[tuple[date, date]]:
    """Find the ranges of days that must be looked at to leave nothing stale.

    A stale day of a table makes its neighbours in the tables above stale; days a week or less apart share a range.

    Returns:
        First and last day of each range, in order.
    """
    last = until or today()
    tables = ("raw_requests", *INPUTS)
    known = {day for table in tables for day in state.files(table) if day is not None and day <= last}
    # A request changes the acts of the next day and the day before, an act the clickstream of its neighbours, and that
    # what was done around the uses of features on its neighbours.
    reach = {"requests": 3, "acts": 2, "clickstream": 1}
    wanted = {
        day + timedelta(days=offset)
        for table, days in find_stale(state, last).items()
        for day in days
        for offset in range(-reach.get(table, 0), reach.get(table, 0) + 1)
        if offset == 0 or day + timedelta(days=offset) in known
    }
    ranges: list[tuple[date, date]] = []
    for day in sorted(wanted):
        if ranges and day - ranges[-1][1] <= _NEAR:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges


def stale_whole(state: State) -> list[str]:
    """Find the stale tables of those that are not by day."""
    return [table for table in WHOLE_INPUTS if is_whole_stale(state, table)]


def is_whole_stale(state: State, table: str) -> bool:
    """Whether a table that is not by day was built from other files."""
    return bool(_built(state.facts, table).get("") != whole_fingerprint(state, table))


def how_built(state: State, table: str) -> str:
    """Fingerprint how a table is made; empty for `requests`: its rows say it themselves, see `trail enrich`."""
    if table == "feature_scores":
        return score_definition(state.settings)
    return "" if table == "requests" else definition(table, state.settings)


def fingerprint(files: Mapping[str, DayFiles], table: str, day: date, how: str) -> str:
    """Fingerprint what a day of a table is made of: each input of each day by itself, where it has files; and how."""
    parts = [f"{_MODEL}:{how}"] if how else []
    for name, offsets in INPUTS[table]:
        for offset in offsets:
            paths = files[name].get(day + timedelta(days=offset), [])
            parts += [f"{name}{offset:+d}:{_hashed(path.name for path in paths)}"] if paths else []
    return " ".join(parts)


def whole_fingerprint(state: State, table: str) -> str:
    """Fingerprint what a table that is not by day is made of: files, and its model."""
    made_of = [
        f"{name}/{path.name}" for name in WHOLE_INPUTS[table] for paths in state.files(name).values() for path in paths
    ]
    return _hashed([*made_of, how_built(state, table)])


def note_built(state: State, table: str, day: date | None, print_of_inputs: str) -> None:
    """Note what a day (None: a whole table) was built from."""
    _built(state.facts, table)[day.isoformat() if day else ""] = print_of_inputs
    if table == "acts" and day is not None:
        touched = set(state.facts.get("touched_by_links", []))
        state.facts["touched_by_links"] = sorted(touched - {day.isoformat()})


def touch(state: State, days: Iterable[date]) -> None:
    """Note days whose acts a changed link touches."""
    touched = set(state.facts.get("touched_by_links", []))
    state.facts["touched_by_links"] = sorted(touched | {day.isoformat() for day in days})


def _built(facts: dict[str, Any], table: str) -> dict[str, str]:
    built: dict[str, str] = facts.setdefault("built", {}).setdefault(table, {})
    return built


def _hashed(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]
