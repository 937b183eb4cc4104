"""A visit, request by request. Its id names the day it starts on, so that two days' files are read and no more."""

from __future__ import annotations

from datetime import timedelta

import duckdb

from pipeline.lookup.rows import Row, day_of, rows


def visit_story(connection: duckdb.DuckDBPyConnection, visit_id: str, business: str | None = None) -> Row | None:
    """Tell a visit.

    Args:
        connection: with the tables as views.
        visit_id: such as 20260302-0123456789abcdef.
        business: id of the Business to keep to; None is any.

    Returns:
        The row of `visits` with `acts_in_order`: each act with `gap_s`, the seconds since the one before. None where
        there is no such visit (in it).
    """
    day = day_of(visit_id)
    if day is None:
        return None
    found = rows(
        connection,
        """
        select *
        from visits
        where date = $day and visit_id = $visit and ($business is null or business_id = $business)
        """,
        {"day": day, "visit": visit_id.strip(), "business": business},
    )
    if not found:
        return None
    acts = rows(
        connection,
        """
        select visit_seq, occurred_at, kind, method, status, duration_ms, path, route, linked_by, seconds_to_next,
            request_id
        from clickstream
        where date between $day and $next and visit_id = $visit
        order by visit_seq
        """,
        {"day": day, "next": day + timedelta(days=1), "visit": visit_id.strip()},
    )
    before = [None, *(act["seconds_to_next"] for act in acts[:-1])]
    return found[0] | {"acts_in_order": [act | {"gap_s": gap} for act, gap in zip(acts, before, strict=True)]}
