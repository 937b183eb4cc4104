"""How people go from page to page within their visits: over any days, by Business or in all, people counted once."""

from __future__ import annotations

from datetime import date
from typing import Literal

import duckdb
import pyarrow as pa

from pipeline.models import ask_model
from pipeline.product.rows import ALWAYS, QuestionError
from pipeline.settings import Settings

_STEPS_AT_ONCE = 9_500_000
By = Literal["way", "from", "to"]
_ROUTES = {"way": ("from_route", "to_route"), "from": ("from_route", "null"), "to": ("null", "to_route")}


def paths(
    connection: duckdb.DuckDBPyConnection,
    of: str | None = None,
    business: str | None = None,
    first: date | None = None,
    last: date | None = None,
    by_business: bool = False,
    by: By = "way",
) -> duckdb.DuckDBPyRelation:
    """Tell how often people went from where to where.

    Args:
        connection: what `connect()` gives.
        of: a route; only what leads to it or from it.
        business: in this Business only.
        first: the first UTC day on which the visits start; of all where None.
        last: the last one, included.
        by_business: whether each Business has rows of its own.
        by: whether a row is a `way` from one page to the next; or all ways `to` a page, whatever was seen before; or
            all `from` it, whatever came next.

    Returns:
        As the table `paths`, the most frequent first: `date` (the first day that was asked for, or of all),
        `business_id` (null where not by Business), `from_route` (null where visits begin, and by `to`), `to_route`
        (null where they end, and by `from`), `times`, `visits`, `users` and `visitors` (each once in all days),
        `seconds` (the median of all days).

    Raises:
        QuestionError: `by` is none of the three.
    """
    if by not in _ROUTES:
        raise QuestionError(f"by is {by!r}; it must be one of {', '.join(_ROUTES)}")
    from_route, to_route = _ROUTES[by]
    steps = f"""
        select * replace (
            coalesce($first::date, (select min(date) from main.page_steps)) as date,
            {"business_id" if by_business or business is not None else "cast(null as varchar)"} as business_id,
            cast({from_route} as varchar) as from_route,
            cast({to_route} as varchar) as to_route
        )
        from main.page_steps
        where date between coalesce($first::date, date) and coalesce($last::date, date)
            and ($business::varchar is null or business_id = $business)
            and ($of::varchar is null or $of = {from_route} or $of = {to_route})
            and hash(coalesce({from_route}, ''), coalesce({to_route}, '')) % $parts = $part
    """  # noqa: S608 our own names
    asked = {"business": business, "first": first, "last": last, "of": of}
    always = {"first_day": ALWAYS[0], "last_day": ALWAYS[1]}
    # Ways between other pages change nothing, so that those of some pages are counted after those of others.
    parts = _steps(connection, first, last) // _STEPS_AT_ONCE + 1
    found = [
        ask_model(
            connection, "paths", {**asked, **always, "parts": parts, "part": part}, Settings(), {"page_steps": steps}
        ).to_arrow_table()
        for part in range(parts)
    ]
    return connection.from_arrow(pa.concat_tables(found)).order("times desc, from_route, to_route, business_id")


def _steps(connection: duckdb.DuckDBPyConnection, first: date | None, last: date | None) -> int:
    """How many steps there are in some days."""
    ((count,),) = connection.sql(
        "select count(*) from main.page_steps"
        " where date between coalesce($first::date, date) and coalesce($last::date, date)",
        params={"first": first, "last": last},
    ).fetchall()
    return int(count)
