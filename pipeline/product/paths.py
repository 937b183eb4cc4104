"""How people go from page to page within their visits: over any days, by Business or in all, people counted once."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb

from pipeline.models import ask_model
from pipeline.product.rows import ALWAYS
from pipeline.settings import Settings


def paths(
    connection: duckdb.DuckDBPyConnection,
    of: str | None = None,
    business: str | None = None,
    first: date | None = None,
    last: date | None = None,
    by_business: bool = False,
) -> duckdb.DuckDBPyRelation:
    """Tell how often people went from where to where.

    Args:
        connection: what `connect()` gives.
        of: a route; only what leads to it or from it.
        business: in this Business only.
        first: the first UTC day on which the visits start; of all where None.
        last: the last one, included.
        by_business: whether each Business has rows of its own.

    Returns:
        As the table `paths`, the most frequent first: `date` (the first day that was asked for, or of all),
        `business_id` (null where not by Business), `from_route` (null where visits begin), `to_route` (null where they
        end), `times`, `visits`, `users` and `visitors` (each once in all days), `seconds` (the median of all days).
    """
    of_business = "business_id" if by_business or business is not None else "cast(null as varchar)"
    visits = f"""
        select * replace (
            coalesce($first::date, (select min(date) from main.visits)) as date,
            {of_business} as business_id
        )
        from main.visits
        where date between coalesce($first::date, date) and coalesce($last::date, date)
            and ($business::varchar is null or business_id = $business)
    """  # noqa: S608 our own names
    parameters = {
        "business": business,
        "first": first,
        "last": last,
        "first_day": first or ALWAYS[0],
        "last_day": last or ALWAYS[1],
        "day_after": last + timedelta(days=1) if last else ALWAYS[1],
    }
    found = ask_model(connection, "paths", parameters, Settings(), {"visits": visits})
    if of is not None:
        ends = (duckdb.ColumnExpression(end) == duckdb.ConstantExpression(of) for end in ("from_route", "to_route"))
        found = found.filter(next(ends) | next(ends))
    return found.order("times desc, from_route, to_route, business_id")
