"""One funnel: what may stand in it, and its steps as rows for SQL.

The file that funnels stand in does not belong here, nor what a feature is; those are `catalogue`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import pyarrow as pa

FUNNEL_KEYS = ("title", "description", "steps", "within", "per")
PER = ("person", "visit")
_FEWEST, _MOST = 2, 10  # steps
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_WITHIN = re.compile(f"([0-9]{{1,9}}) ?({'|'.join(_SECONDS)})s?")
_LONGEST_S = 90 * _SECONDS["day"]
_SCHEMA = pa.schema(
    [
        ("funnel", pa.string()),
        ("step", pa.int64()),
        ("steps", pa.int64()),
        ("feature", pa.string()),
        ("within_s", pa.int64()),
        ("per", pa.string()),
    ]
)


class FunnelError(ValueError):
    """A funnel is not what it must be; the message names the key and what it may be."""


@dataclass(frozen=True)
class Funnel:
    """Features that are used one after the other, as the team means them to be.

    Attributes:
        name: what tables and commands call it.
        title: what pages call it; the name where nothing else is said.
        description: what somebody comes to do.
        steps: names of features, in order; one may come again.
        within_s: the most seconds from the first step to the last; None where the visit alone is the bound.
        per: whose acts make one way through it: a person's, or a visit's.
    """

    name: str
    title: str
    description: str
    steps: tuple[str, ...]
    within_s: int | None
    per: str


def read_funnel(name: str, said: Mapping[str, Any], features: Collection[str]) -> Funnel:
    """Read a funnel as it stands in the file.

    Args:
        name: its name.
        said: its table, in which texts were checked and unknown keys are left to the caller.
        features: names that steps may have.

    Raises:
        FunnelError: it is none; with the key that is wrong and what it may be.
    """
    if "steps" not in said:
        raise FunnelError("steps is absent; every funnel has them")
    per = read_per(said.get("per", "person"))
    within_s = read_within(said.get("within"), per)
    return Funnel(
        name, said.get("title", name), said["description"], read_steps(said["steps"], features), within_s, per
    )


def read_per(said: Any) -> str:
    """Read whose acts make one way through a funnel; see `read_funnel`."""
    if said not in PER:
        raise FunnelError(f"per is {said!r}; it must be one of {', '.join(PER)}")
    return str(said)


def read_steps(said: Any, features: Collection[str]) -> tuple[str, ...]:
    """Read names of features; see `read_funnel`."""
    if not isinstance(said, list | tuple) or not _FEWEST <= len(said) <= _MOST:
        raise FunnelError(f"steps is {said!r}; it must be a list of {_FEWEST} to {_MOST} features, in their order")
    for step in said:
        if step not in features:
            near = get_close_matches(str(step), features, 1)
            meant = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(features) or 'none'}"
            raise FunnelError(f"steps has {step!r}, which is no feature; {meant}")
    return tuple(said)


def read_within(said: Any, per: str) -> int | None:
    """Read how long a way through a funnel may take, in seconds; per visit it may be left out. See `read_funnel`."""
    if said is None and per == "visit":
        return None
    found = _WITHIN.fullmatch(said) if isinstance(said, str) else None
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST_S:
        was = "is absent" if said is None else f"is {said!r}"
        raise FunnelError(
            f'within {was}; it must be a whole number of seconds, minutes, hours or days, such as "7 days", '
            "at most 90 days"
        )
    return seconds


def within_text(seconds: int) -> str:
    """Write how long a way through a funnel may take as it may be read again, in the longest unit that is exact."""
    unit, length = next((unit, length) for unit, length in reversed(_SECONDS.items()) if seconds % length == 0)
    count = seconds // length
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def step_rows(funnels: Iterable[Funnel]) -> pa.Table:
    """Give funnels as a relation that models join.

    Returns:
        A row for each step: `funnel`, `step` (from 1), `steps` (how many the funnel has), `feature`, `within_s` (null
        where the visit alone is the bound) and `per`.
    """
    rows = [
        (funnel.name, number, len(funnel.steps), feature, funnel.within_s, funnel.per)
        for funnel in funnels
        for number, feature in enumerate(funnel.steps, 1)
    ]
    return pa.Table.from_pylist([dict(zip(_SCHEMA.names, row, strict=True)) for row in rows], schema=_SCHEMA)
