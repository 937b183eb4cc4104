"""Ranks features: what `feature_measures` and `feature_staying` count, as numbers with intervals, and what follows.

Here belongs what a score is and how sure it is. Who is counted is in the models; what to do about it is `candidates`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.features import Feature, catalogue_of
from pipeline.product.intervals import Interval, difference_interval, mean_interval, share_interval
from pipeline.schemas import TABLES
from pipeline.settings import Settings

FEWEST_USERS, FEWEST_BUSINESSES = 5, 3
# In an order, since the last digit of a mean depends on it.
_COUNTED = """
from feature_measures
where scope = 'all' or (scope = 'business' and measure = 'habit')
order by feature, measure, scope, business_id, days
"""
VERSION = 1  # another one whenever the same counts give other scores
IMPACT = {"grow": 2.0, "keep": 1.0, "retire": 0.25}  # of a strategy, on RICE's own scale from 0.25 to 3
_CONFIDENCE = ((0.1, 1.0), (0.25, 0.8))  # of a reach whose interval is so much of it on either side; else half
Row = dict[str, Any]


@dataclass(frozen=True)
class Counts:
    """What was counted of one feature.

    Attributes:
        of: people and of how many, by measure, of all Businesses together.
        days: how many of its users used it on how many days.
        by_business: people with a habit and people there, of each known Business.
        staying: the row of `feature_staying`; None where there is nobody to compare.
        weeks: how long the weeks now are.
        hidden: why numbers of it are not told; None where they are.
    """

    of: Mapping[str, tuple[int, int]]
    days: Mapping[int, int]
    by_business: Mapping[str, tuple[int, int]]
    staying: Row | None
    weeks: int
    hidden: str | None


def score_features(connection: duckdb.DuckDBPyConnection, settings: Settings) -> pa.Table:
    """Score the features of the catalogue.

    Args:
        connection: with `feature_measures` and `feature_staying` as views or tables.
        settings: which catalogue.

    Returns:
        Rows of the table `feature_scores`.
    """
    features = catalogue_of(settings).features
    measures: dict[str, list[Row]] = {}
    for row in _rows(connection, _COUNTED):
        measures.setdefault(row["feature"], []).append(row)
    staying = {row["feature"]: row for row in _rows(connection, "from feature_staying")}
    counts = {one.name: _counts(measures.get(one.name, []), staying.get(one.name)) for one in features}
    rows = [_named(one.name, *row) for one in features for row in _measured(one, counts[one.name])]
    for measure in ("score", "score_by_business"):
        _rank([row for row in rows if row["measure"] == measure and row["value"] is not None])
    told = {row["feature"]: row for row in rows if row["measure"] == "score" and row["rank"]}
    _leave_one_out(connection, told)
    return pa.Table.from_pylist(rows, schema=TABLES["feature_scores"].file_schema.remove_metadata())


def score_definition(settings: Settings) -> str:
    """Tell what scores follow from beside their inputs."""
    return repr([(one.name, one.effort, one.strategy) for one in catalogue_of(settings).features] + [VERSION])


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    found: list[Row] = connection.sql(query).to_arrow_table().to_pylist()
    return found


def _counts(own: Sequence[Row], staying: Row | None) -> Counts:
    whole = {row["measure"]: (row["people"], row["of_people"]) for row in own if row["scope"] == "all"}
    habits = [row for row in own if row["scope"] == "business"]
    return Counts(
        of=whole,
        days={row["days"]: row["people"] for row in own if row["measure"] == "days"},
        by_business={row["business_id"]: (row["people"], row["of_people"]) for row in habits if row["business_id"]},
        staying=staying,
        weeks=own[0]["weeks"] if own else 1,
        hidden=_hidden(whole),
    )


def _hidden(whole: Mapping[str, tuple[int, int]]) -> str | None:
    """Say why numbers of a feature are not told; where hardly any Business exists, they hide nobody."""
    users, _ = whole.get("reach", (0, 0))
    businesses, of_businesses = whole.get("businesses", (0, 0))
    if 0 < users < FEWEST_USERS:
        return f"fewer than {FEWEST_USERS} users"
    if users and businesses < FEWEST_BUSINESSES <= of_businesses:
        return f"fewer than {FEWEST_BUSINESSES} Businesses"
    return None


@dataclass(frozen=True)
class Number:
    """A measured number: its value and interval, of how many it is, and what is to be said of it."""

    value: float | None
    interval: Interval | None
    people: int | None
    of_people: int | None
    method: str | None
    note: str | None = None


Measured = tuple[str, Number]


def _unknown(note: str) -> Number:
    return Number(None, None, None, None, None, note)


def _named(feature: str, measure: str, number: Number) -> Row:
    low, high = number.interval or (None, None)
    told = {"people": number.people, "of_people": number.of_people, "method": number.method, "note": number.note}
    ranks = dict.fromkeys(("rank", "rank_at_best", "rank_at_worst", "moved_by"))
    return {"feature": feature, "measure": measure, "value": number.value, "low": low, "high": high} | told | ranks


def _measured(feature: Feature, counts: Counts) -> Iterator[Measured]:
    measures: dict[str, Callable[[], Number]] = {
        "score": lambda: _share(counts, "habit"),
        "score_by_business": lambda: _by_business(counts),
        "reach": lambda: _share(counts, "reach"),
        "businesses": lambda: _share(counts, "businesses"),
        "frequency": lambda: _frequency(counts),
        "kept": lambda: _share(counts, "kept"),
        "trend": lambda: _trend(counts),
        "friction": lambda: _share(counts, "friction"),
        "staying": lambda: _staying(counts),
        "rice": lambda: _rice(feature, counts),
    }
    for name, measure in measures.items():
        yield name, _unknown(f"not told: {counts.hidden}") if counts.hidden else measure()


def _share(counts: Counts, measure: str) -> Number:
    people, of_people = counts.of.get(measure, (0, 0))
    least = FEWEST_USERS if measure != "businesses" else 1
    if of_people < least:
        return _unknown(_WHY_NOBODY[measure] if not of_people else f"of fewer than {least} people")
    return Number(people / of_people, share_interval(people, of_people), people, of_people, "wilson")


_WHY_NOBODY = {
    "habit": "nobody was there, or the log holds no whole week",
    "reach": "nobody was there, or the log holds no whole week",
    "businesses": "no Business is known",
    "friction": "nobody used it",
    "kept": "nobody used it in the weeks before, or the log does not hold them",
}


def _by_business(counts: Counts) -> Number:
    shares = [people / of_people for people, of_people in counts.by_business.values()]
    if len(shares) < FEWEST_BUSINESSES:
        return _unknown(f"fewer than {FEWEST_BUSINESSES} Businesses")
    interval = mean_interval(shares, np.ones(len(shares), dtype=int))
    return Number(float(np.mean(shares)), interval, None, len(shares), "bootstrap")


def _frequency(counts: Counts) -> Number:
    users = sum(counts.days.values())
    if users < FEWEST_USERS:
        return _unknown("nobody used it" if not users else f"fewer than {FEWEST_USERS} users")
    a_week = [days / counts.weeks for days in counts.days]
    many = list(counts.days.values())
    return Number(float(np.average(a_week, weights=many)), mean_interval(a_week, many), None, users, "bootstrap")


def _trend(counts: Counts) -> Number:
    if "reach_before" not in counts.of:
        return _unknown("the log does not hold the weeks before")
    people, of_people = counts.of["reach"]
    before, of_before = counts.of["reach_before"]
    if min(of_people, of_before) < FEWEST_USERS:
        return _unknown(f"of fewer than {FEWEST_USERS} people")
    change, interval = _change(counts.of["reach"], counts.of["reach_before"])
    note = "whole weeks; the log does not hold the same weeks a year before"
    then, then_before = counts.of.get("reach_year_ago", (0, 0)), counts.of.get("reach_before_year_ago", (0, 0))
    if min(then[1], then_before[1]) >= FEWEST_USERS:
        season, around = _change(then, then_before)
        low = change - season - hypot(change - interval[0], around[1] - season)
        high = change - season + hypot(interval[1] - change, season - around[0])
        change, interval, note = change - season, (low, high), "the change of the same weeks a year before taken out"
    return Number(change, interval, people - before, of_people, "newcombe", note)


def _change(now: tuple[int, int], before: tuple[int, int]) -> tuple[float, Interval]:
    return now[0] / now[1] - before[0] / before[1], difference_interval(*now, *before)


def _staying(counts: Counts) -> Number:
    found = counts.staying
    if found is None:
        return _unknown("nobody alike to compare, or the log does not hold the weeks before")
    if min(found["users"], found["others"]) < FEWEST_USERS:
        return _unknown(f"fewer than {FEWEST_USERS} people alike to compare")
    note = f"an association: beside {found['others']:,} who did not use it, as often there, in the same Business"
    return Number(
        found["difference"],
        (found["low"], found["high"]),
        found["users_stayed"],
        found["users"],
        "mantel-haenszel",
        note,
    )


def _rice(feature: Feature, counts: Counts) -> Number:
    """Reach (users) x impact (of the strategy) x confidence (how sure the reach is) by effort (person-weeks)."""
    impact = IMPACT.get((feature.strategy or "").lower())
    reach = _share(counts, "reach")
    if feature.effort is None or impact is None:
        lacks = "effort" if feature.effort is None else f"strategy that is one of {', '.join(IMPACT)}"
        return _unknown(f"the catalogue says no {lacks}")
    if not reach.interval or not reach.value or reach.people is None:
        return _unknown("nobody used it")
    half = (reach.interval[1] - reach.interval[0]) / 2 / reach.value
    confidence = next((told for most, told in _CONFIDENCE if half <= most), 0.5)
    note = f"{reach.people:,} users x impact {impact:g} x confidence {confidence:g} / {feature.effort:g} person-weeks"
    return Number(reach.people * impact * confidence / feature.effort, None, reach.people, None, None, note)


def _rank(rows: list[Row]) -> None:
    """Give each the place behind those that are surely better: whose intervals lie above; others share a place."""
    for row, rank in zip(rows, _ranks([row["low"] for row in rows], [row["high"] for row in rows]), strict=True):
        row["rank"] = int(rank)


def _ranks(lows: Sequence[float], highs: Sequence[float]) -> Any:
    return 1 + (np.asarray(lows)[None, :] > np.asarray(highs)[:, None]).sum(axis=1)


def _leave_one_out(connection: duckdb.DuckDBPyConnection, told: Mapping[str, Row]) -> None:
    """Tell between which places a feature would be if any one Business were not there, and which one moves it most."""
    without: dict[str, dict[str, Interval]] = {}
    for row in _rows(connection, "from feature_measures where scope = 'without' order by business_id, feature"):
        if row["of_people"]:
            interval = share_interval(row["people"], row["of_people"])
            without.setdefault(row["business_id"], {})[row["feature"]] = interval
    names = list(told)
    for row in told.values():
        row["rank_at_best"] = row["rank_at_worst"] = row["rank"]
    moved = dict.fromkeys(names, 0)
    for business, intervals in without.items():
        ranks = _ranks([intervals[name][0] for name in names], [intervals[name][1] for name in names])
        for name, rank in zip(names, map(int, ranks), strict=True):
            row = told[name]
            row["rank_at_best"], row["rank_at_worst"] = min(row["rank_at_best"], rank), max(row["rank_at_worst"], rank)
            if abs(rank - row["rank"]) > moved[name]:
                moved[name], row["moved_by"] = abs(rank - row["rank"]), business
