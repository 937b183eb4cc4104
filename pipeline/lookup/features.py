"""Which features a user's visits used, in the service's own words.

What a feature is, and how much all use it, is in `features/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import duckdb

from pipeline.features import TOLD_BY, Catalogue
from pipeline.lookup.rows import Row, rows


def used_in(
    connection: duckdb.DuckDBPyConnection, visits: Sequence[Row], user_id: str, catalogue: Catalogue
) -> list[Row]:
    """Count the uses of features in some visits of a user.

    Args:
        connection: a scope.
        visits: with `visit_id` and `started_at`.
        user_id: whose they are.
        catalogue: the service's features.

    Returns:
        Rows of `visit_id, feature, title, uses, errors, last_at`.
    """
    if not visits or not catalogue.features:
        return []
    began = {visit["started_at"].date() for visit in visits}
    asked = {
        "days": sorted(began | {day + timedelta(days=1) for day in began}),
        "visits": [visit["visit_id"] for visit in visits],
        "user": user_id,
    }
    found: dict[tuple[str, str], Row] = {}
    for act in rows(connection, _ACTS, asked):
        for feature in catalogue.features_of(*(act[column] for column in TOLD_BY)):
            named = {"visit_id": act["visit_id"], "feature": feature, "title": catalogue.titles[feature]}
            new = named | {"uses": 0, "errors": 0}
            use = found.setdefault((act["visit_id"], feature), new | {"last_at": act["last_at"]})
            use["uses"] += act["acts"]
            use["errors"] += act["acts"] if act["status"] is not None and act["status"] >= 400 else 0
            use["last_at"] = max(use["last_at"], act["last_at"])
    return list(found.values())


_ACTS = """
select visit_id, method, host, route, event, event_label, status, count(*) as acts, max(occurred_at) as last_at
from clickstream
where date in (select unnest($days::date[])) and user_id = $user
    and visit_id in (select unnest($visits::varchar[]))
group by all
order by visit_id, method, host, route, event, event_label, status
"""


def titles_of(used: Sequence[Row], visit_id: str) -> list[str]:
    """Titles of the features that a visit used, most used first."""
    own = [use for use in used if use["visit_id"] == visit_id]
    return [use["title"] for use in sorted(own, key=lambda use: (-use["uses"], use["title"]))]


def summed(used: Sequence[Row]) -> list[Row]:
    """Sum uses over visits: rows of `feature, title, uses, errors, visits, last_at`, most used first."""
    found: dict[str, Row] = {}
    for use in used:
        named = {"feature": use["feature"], "title": use["title"], "uses": 0, "errors": 0, "visits": 0}
        row = found.setdefault(use["feature"], named | {"last_at": use["last_at"]})
        row["uses"] += use["uses"]
        row["errors"] += use["errors"]
        row["visits"] += 1
        row["last_at"] = max(row["last_at"], use["last_at"])
    return sorted(found.values(), key=lambda row: (-row["uses"], row["feature"]))
