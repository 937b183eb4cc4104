"""What is told of a user: who they are, their last visits and errors."""

from __future__ import annotations

from collections import Counter
from datetime import date

import duckdb

from pipeline.features import NO_FEATURES, Catalogue
from pipeline.lookup.features import summed, titles_of, used_in
from pipeline.lookup.rows import Row, rows


def user_story(
    connection: duckdb.DuckDBPyConnection, user_id: str, visits: int = 10, catalogue: Catalogue = NO_FEATURES
) -> Row | None:
    """Tell who a user is and what happened to them.

    Args:
        connection: a scope.
        user_id: the user.
        visits: how many of the last visits and errors to tell.
        catalogue: the service's features.

    Returns:
        The row of `user_lookup` with `created_at` (when the account was made), `businesses` (rows of `user_businesses`
        with `business_name`), `days` (rows of `user_days`, newest first), `visits_last` (each with `features`, the
        titles of those it used, most used first), `errors_last`, and of these visits `places` (rows of `country, city,
        visits`, most first) and `features` (rows of `feature, title, uses, errors, visits, last_at`, most used first);
        None where there is no such user in scope.
    """
    found = rows(connection, "select * exclude (search_text) from user_lookup where user_id = $user", {"user": user_id})
    if not found:
        return None
    days = rows(
        connection,
        """
        select date, business_id, requests, visits, errors
        from days_of_users
        where user_id = $user
        order by date desc, business_id
        """,
        {"user": user_id},
    )
    last = _last(connection, _LAST_VISITS, user_id, _newest(days, "visits", visits), visits)
    used = used_in(connection, last, user_id, catalogue)
    created = rows(connection, "select created_at from users where user_id = $user", {"user": user_id})
    return found[0] | {
        "created_at": created[0]["created_at"] if created else None,
        "businesses": rows(connection, _BUSINESSES, {"user": user_id}),
        "days": days,
        "visits_last": [visit | {"features": titles_of(used, visit["visit_id"])} for visit in last],
        "errors_last": _last(connection, _LAST_ERRORS, user_id, _newest(days, "errors", visits), visits),
        "places": _places(last),
        "features": summed(used),
    }


def _places(visits: list[Row]) -> list[Row]:
    counted = Counter((visit["country"], visit["city"]) for visit in visits if visit["country"])
    return [{"country": country, "city": city, "visits": count} for (country, city), count in counted.most_common()]


_BUSINESSES = """
    select user_businesses.* exclude (identifiers, devices), businesses.name as business_name
    from user_businesses
    left join businesses on businesses.business_id = user_businesses.business_id
    where user_businesses.user_id = $user
    order by user_businesses.last_seen_at desc nulls last, user_businesses.business_id
"""


_LAST_VISITS = """
    select visit_id, business_id, started_at, length_s, length_basis, page_views, acts, errors, server_errors,
        entry_path, exit_path, browser, os, country, city
    from visits
    where date in ({days}) and user_id = $user
    order by started_at desc, visit_id
    limit $limit
"""
_LAST_ERRORS = """
    select occurred_at, status, method, path, duration_ms, visit_id, request_id, business_id
    from clickstream
    where date in ({days}) and user_id = $user
        and status >= 400
    order by occurred_at desc, request_id
    limit $limit
"""


def _newest(days: list[Row], counted: str, limit: int) -> list[date]:
    """The newest days that together have as many visits or errors as are told: old days stay unread."""
    found: dict[date, None] = {}
    count = 0
    for day in days:
        if count >= limit and day["date"] not in found:
            break
        if day[counted]:
            found[day["date"]] = None
            count += day[counted]
    return list(found)


def _last(connection: duckdb.DuckDBPyConnection, query: str, user: str, days: list[date], limit: int) -> list[Row]:
    """Ask days; they stand in the query as they are, so that files of others are left out before it runs."""
    if not days:
        return []
    listed = ", ".join(f"date '{day}'" for day in days)
    return rows(connection, query.format(days=listed), {"user": user, "limit": limit})
