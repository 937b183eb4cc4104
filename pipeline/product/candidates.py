"""What to do next, of the scores: features to fix, to promote and to retire, each with its reason and rows; the matrix.

Here belong the rules by which a feature is proposed. What numbers are is `scoring`; whether to follow is the team's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from statistics import median
from typing import Any

import duckdb
import pyarrow as pa

Row = dict[str, Any]
Scores = dict[str, dict[str, Row]]
_FEW = 0.05  # of the people there: what fewer surely use may go
_MANY = 0.5  # what more may use needs no promoting
_PEOPLE_IN_TROUBLE = 5
_CANDIDATES = pa.schema(
    [("kind", pa.string()), ("feature", pa.string()), ("reason", pa.string()), ("people", pa.int64())]
    + [(name, pa.float64()) for name in ("value", "low", "high", "rice")]
    + [("rows", pa.string())]
)
_MATRIX = pa.schema(
    [("feature", pa.string()), ("place", pa.string()), ("users", pa.int64())]
    + [(f"{name}{end}", pa.float64()) for name in ("breadth", "depth") for end in ("", "_low", "_high")]
)
_BEHIND = {
    "fix": """select user_id, business_id, sum(errors)::bigint as errors, sum(retries)::bigint as retries,
    sum(abandoned)::bigint as abandoned
from feature_days
where feature = '{feature}' and user_id is not null and errors + retries + abandoned > 0
    and date > (select max(date) from user_days) - 7 * (select max(weeks)::integer from feature_measures)
group by user_id, business_id
order by errors desc, user_id""",
    "promote": "from feature_staying where feature = '{feature}'",
    "retire": "from feature_adoption where feature = '{feature}' order by last_at desc, user_id",
}


def scores(connection: duckdb.DuckDBPyConnection, measure: str | None = None) -> duckdb.DuckDBPyRelation:
    """Give the scores of the features: of all measures, or of one in the order of what is best.

    Args:
        connection: what `connect()` gives.
        measure: one of those of the table `feature_scores`; all where None.

    Returns:
        Its columns: `feature`, `measure`, `value`, `low`, `high`, `people`, `of_people`, `method`, `note` and ranks.
    """
    return connection.sql(
        """
        from feature_scores
        where $measure::varchar is null or measure = $measure
        order by measure, rank nulls last, value desc nulls last, feature
        """,
        params={"measure": measure},
    )


def matrix(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """Lay features out by breadth (the share of people who use one) and depth (on how many days a week they do).

    Args:
        connection: what `connect()` gives.

    Returns:
        A row for each feature that is used and told: `feature`; `place`: core (many, often), occasional (many, rarely),
        niche (few, often), marginal (few, rarely), or unclear, where an interval holds the median of all; `users`;
        `breadth` and `depth`, each with `_low` and `_high`.
    """
    told = _told(connection)
    used = {name: of for name, of in told.items() if of["frequency"]["value"] is not None and of["reach"]["value"]}
    middle = {
        measure: median([of[measure]["value"] for of in used.values()] or [0]) for measure in ("reach", "frequency")
    }
    rows = [_laid_out(name, of, middle) for name, of in used.items()]
    rows.sort(key=lambda row: (-row["breadth"], row["feature"]))
    return connection.from_arrow(pa.Table.from_pylist(rows, schema=_MATRIX))


_PLACES: Mapping[tuple[bool | None, bool | None], str] = {
    (True, True): "core",
    (True, False): "occasional",
    (False, True): "niche",
    (False, False): "marginal",
}


def _laid_out(feature: str, of: Mapping[str, Row], middle: Mapping[str, float]) -> Row:
    sides = _side(of["reach"], middle["reach"]), _side(of["frequency"], middle["frequency"])
    row: Row = {"feature": feature, "place": _PLACES.get(sides, "unclear"), "users": of["reach"]["people"]}
    for name, measure in (("breadth", "reach"), ("depth", "frequency")):
        row |= {name: of[measure]["value"], f"{name}_low": of[measure]["low"], f"{name}_high": of[measure]["high"]}
    return row


def _side(number: Row, middle: float) -> bool | None:
    """Tell whether a number is surely at or above the middle, surely below, or neither."""
    if number["low"] >= middle:
        return True
    return False if number["high"] < middle else None


def candidates(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """Propose what to fix, to promote and to retire; first of each kind what concerns most people.

    To fix is what surely troubles a larger share of its users than half of the features do. To promote is what surely
    goes with staying and is surely used by less than half. To retire is what surely fewer than one in twenty use, does
    not surely grow, and does not surely go with staying.

    Args:
        connection: what `connect()` gives.

    Returns:
        `kind` (fix, promote, retire), `feature`, `reason` in words, `people` whom it concerns (in trouble; who do not
        use it; who do), the number that decides as `value`, `low` and `high`, `rice` where the team gave effort and
        strategy, `rows`: SQL for what is behind. All are of the days that `scored_days` names.
    """
    told = _told(connection)
    rules: Mapping[str, Callable[[str, Scores], Row | None]] = {"fix": _fix, "promote": _promote, "retire": _retire}
    rows = [row for kind, rule in rules.items() for row in _proposed(kind, rule, told)]
    return connection.from_arrow(pa.Table.from_pylist(rows, schema=_CANDIDATES))


def scored_days(connection: duckdb.DuckDBPyConnection) -> tuple[date, date] | None:
    """Name the first and the last day of the weeks by which features are scored; None where there is no score."""
    ((last, weeks),) = connection.sql(
        "select (select max(date) from user_days), (select max(weeks) from feature_measures)"
    ).fetchall()
    return None if last is None or weeks is None else (last - timedelta(7 * weeks - 1), last)


def _proposed(kind: str, rule: Callable[[str, Scores], Row | None], told: Scores) -> list[Row]:
    found = [
        {"kind": kind, "feature": name, "rice": of["rice"]["value"], "rows": _BEHIND[kind].format(feature=name)} | why
        for name, of in told.items()
        if (why := rule(name, told))
    ]
    return sorted(found, key=lambda row: (-row["people"], row["feature"]))


def _told(connection: duckdb.DuckDBPyConnection) -> Scores:
    found: Scores = {}
    for row in connection.sql("from feature_scores order by feature, measure").to_arrow_table().to_pylist():
        found.setdefault(row["feature"], {})[row["measure"]] = row
    return found


def _fix(feature: str, told: Scores) -> Row | None:
    friction = told[feature]["friction"]
    usual = median(_known(of["friction"]["value"] for of in told.values()) or [0.0])
    if friction["value"] is None or friction["people"] < _PEOPLE_IN_TROUBLE or friction["low"] <= usual:
        return None
    reason = (
        f"{friction['people']:,} of its {friction['of_people']:,} users ({_percent(friction)}) met an error, tried "
        f"again or gave up; of half of the features at most {usual:.1%} do"
    )
    return _why(friction, friction["people"], reason)


def _promote(feature: str, told: Scores) -> Row | None:
    staying, reach = told[feature]["staying"], told[feature]["reach"]
    if staying["value"] is None or staying["low"] <= 0 or reach["high"] >= _MANY:
        return None
    reason = (
        f"who used it stayed more often than others alike, by {staying['value'] * 100:.1f} points "
        f"({staying['low'] * 100:.1f} to {staying['high'] * 100:.1f}; an association), and "
        f"only {reach['value']:.1%} ({reach['low'] * 100:.1f} to {reach['high'] * 100:.1f}) use it"
    )
    return _why(staying, reach["of_people"] - reach["people"], reason)


def _retire(feature: str, told: Scores) -> Row | None:
    reach, trend, staying = (told[feature][measure] for measure in ("reach", "trend", "staying"))
    if reach["value"] is None or reach["high"] >= _FEW:
        return None
    if (trend["low"] or 0) > 0 or (staying["low"] or 0) > 0:
        return None
    use = f"{reach['people']:,} of {reach['of_people']:,} people ({_percent(reach)}) use it"
    grows = "and it does not surely grow" if trend["value"] is not None else "and whether it grows is unknown"
    return _why(reach, reach["people"], f"{use if reach['people'] else 'nobody uses it'}, {grows}")


def _why(number: Row, people: int, reason: str) -> Row:
    return {"people": people, "reason": reason} | {name: number[name] for name in ("value", "low", "high")}


def _known(values: Iterator[float | None] | Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _percent(number: Row) -> str:
    return f"{number['value']:.1%}, {number['low'] * 100:.1f} to {number['high'] * 100:.1f}"
