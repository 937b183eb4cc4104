"""How far a catalogue and what is done in the service cover each other: the use of each feature, and what none claims.

Only acts of people are counted, not of bots. Which acts a feature claims is told by `catalogue`. The tables made of the
configured catalogue say the same of it; here any is asked, also one that is only proposed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.features.catalogue import Catalogue

Row = dict[str, Any]
DAYS = 28  # four of each day of the week
_MET = pa.schema(
    [
        *((name, pa.string()) for name in ("method", "host", "route", "event", "event_label")),
        ("status", pa.int64()),
        ("feature", pa.string()),
    ]
)
_KEYS = """
    select distinct method, host, route, event, event_label, status
    from clickstream
    where not is_bot and date between $first and $last
"""
# Acts of people, each once for every feature that claims it, or once where none does.
_CLAIMED = """
    with claimed as (
        select acts.*, met.feature
        from clickstream as acts
        left join features_met as met
            on met.method is not distinct from acts.method
            and met.host is not distinct from acts.host
            and met.route is not distinct from acts.route
            and met.event is not distinct from acts.event
            and met.event_label is not distinct from acts.event_label
            and met.status is not distinct from acts.status
        where not acts.is_bot and acts.date between $first and $last
    )
"""


@dataclass(frozen=True)
class Period:
    """UTC days from the first to the last, both included."""

    first: date
    last: date


def read_period(connection: duckdb.DuckDBPyConnection, first: date | None, last: date | None) -> Period:
    """Make a period of what was said of it.

    Args:
        connection: with `clickstream` as a view.
        first: the first day; `DAYS` up to the last one where None.
        last: the last day; where None, the last one that has acts, or today where nothing has.
    """
    found = connection.execute("select max(date) from clickstream").fetchone()
    end = last or (found and found[0]) or datetime.now(UTC).date()
    return Period(first or end - timedelta(DAYS - 1), end)


def feature_use(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, period: Period) -> list[Row]:
    """Tell how much each feature is used.

    Returns:
        A row for each feature, in the order of the file: `feature`, `uses` (acts that it claims; one of two features is
        a use of both), `users` and `businesses`.
    """
    found = _ask(
        connection,
        catalogue,
        period,
        """
        select feature, count(*) as uses, count(distinct user_id) as users, count(distinct business_id) as businesses
        from claimed
        where feature is not null
        group by feature
        """,
    )
    used = {row["feature"]: row for row in found}
    none = {"uses": 0, "users": 0, "businesses": 0}
    return [used.get(feature.name, {"feature": feature.name} | none) for feature in catalogue.features]


def unclaimed(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, period: Period) -> list[Row]:
    """List what people did that no feature claims, that of most users first.

    Returns:
        Rows of `method`, `route` and `event` (what a page reported; none for requests), `users`, `uses`, and `errors`:
        the uses answered with 400 or more, which are all where people only guess an address. Reports that tell how long
        a page was looked at are no use of anything and left out.
    """
    return _ask(
        connection,
        catalogue,
        period,
        """
        select method, route, event, count(distinct user_id) as users, count(*) as uses,
            count(*) filter (where status >= 400) as errors
        from claimed
        where feature is null and coalesce(event, '') not in ('hide', 'show', 'still', 'view')
        group by method, route, event
        order by users desc, uses desc, route, method, event
        """,
    )


def _ask(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, period: Period, query: str) -> list[Row]:
    days = {"first": period.first, "last": period.last}
    keys = connection.execute(_KEYS, days).fetchall()
    met = [dict(zip(_MET.names, (*key, name), strict=True)) for key in keys for name in catalogue.features_of(*key)]
    connection.register("features_met", pa.Table.from_pylist(met, schema=_MET))
    rows: list[Row] = connection.sql(_CLAIMED + query, params=days).to_arrow_table().to_pylist()
    return rows
