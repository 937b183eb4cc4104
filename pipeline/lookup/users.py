"""Find a user by part of a name or email, by id or identifier, and tell what happened to them.

Everything can be asked within one Business: then a user of another one does not exist, and no act in another one shows.
"""

from __future__ import annotations

import unicodedata

import duckdb

from pipeline.lookup.rows import Row, rows

_LONGEST_QUERY = 200


def find_users(
    connection: duckdb.DuckDBPyConnection, query: str, business: str | None = None, limit: int = 20
) -> list[Row]:
    """Find users.

    Args:
        connection: with the tables as views.
        query: parts of a name or email in any order, without regard to case and accents; or a whole id or identifier.
        business: id or name of the Business to keep to; None looks everywhere.
        limit: the most to return.

    Returns:
        Rows of `user_lookup` (without `search_text`), best first, with `why`: the field that matched.
    """
    words = _folded(query[:_LONGEST_QUERY]).split()
    if not words:
        return []
    return rows(
        connection,
        """
        with candidates as (
            select
                *,
                case
                    when lower(user_id) = $whole then 'user id'
                    when lower(email) = $whole then 'email'
                    when list_contains(identifiers, $query) or list_contains(identifiers, 'c-' || $query)
                        then 'identifier'
                    when list_bool_and(list_transform($words, lambda word: contains(search_text, word)))
                        then case
                            when contains(lower(strip_accents(coalesce(name, ''))), $words[1]) then 'name'
                            when contains(lower(coalesce(email, '')), $words[1]) then 'email'
                            else 'user id'
                        end
                end as why,
                starts_with(search_text, $words[1]) or contains(search_text, ' ' || $words[1]) as at_start
            from user_lookup
        )
        select * exclude (search_text, at_start)
        from candidates
        where why is not null
            and ($business is null or list_contains(business_ids, $business)
                or list_contains(list_transform(business_names, lambda name: lower(name)), lower($business)))
        order by
            lower(user_id) = $whole or lower(email) = $whole desc,
            at_start desc,
            last_seen_at desc nulls last,
            user_id
        limit $limit
        """,
        {"query": query.strip(), "whole": query.strip().lower(), "words": words, "business": business, "limit": limit},
    )


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain if not unicodedata.combining(char)).lower()


def user_story(
    connection: duckdb.DuckDBPyConnection, user_id: str, business: str | None = None, visits: int = 10
) -> Row | None:
    """Tell who a user is and what happened to them.

    Args:
        connection: with the tables as views.
        user_id: the user.
        business: id or name of the Business to keep to; None is all of theirs.
        visits: how many of the last visits and errors to tell.

    Returns:
        The row of `user_lookup` with `visits_last` and `errors_last`; None where there is no such user (in it).
    """
    found = [user for user in find_users(connection, user_id, business, limit=100) if user["user_id"] == user_id]
    if not found:
        return None
    user = found[0] | {"why": "user id"}
    scope = _scope(user, business)
    days = rows(
        connection,
        """
        select date
        from user_days
        where user_id = $user and ($business is null or business_id = $business)
        order by date desc
        """,
        {"user": user_id, "business": scope},
    )
    listed = [day["date"] for day in days]
    user["visits_last"] = _last(connection, _LAST_VISITS, user_id, scope, listed, visits)
    user["errors_last"] = _last(connection, _LAST_ERRORS, user_id, scope, listed, visits)
    return user


def _scope(user: Row, business: str | None) -> str | None:
    if business is None or business in user["business_ids"]:
        return business
    names = [name.lower() for name in user["business_names"]]
    return str(user["business_ids"][names.index(business.lower())])


_LAST_VISITS = """
    select visit_id, business_id, started_at, length_s, length_basis, page_views, acts, errors, server_errors,
        entry_path, exit_path, browser, os, country, city
    from visits
    where date in (select unnest($days)) and user_id = $user and ($business is null or business_id = $business)
    order by started_at desc, visit_id
    limit $limit
"""
_LAST_ERRORS = """
    select occurred_at, status, method, path, duration_ms, visit_id, request_id, business_id
    from clickstream
    where date in (select unnest($days)) and user_id = $user and ($business is null or business_id = $business)
        and status >= 400
    order by occurred_at desc, request_id
    limit $limit
"""
_DAYS_AT_A_TIME = 32


def _last(
    connection: duckdb.DuckDBPyConnection, query: str, user: str, business: str | None, days: list[object], limit: int
) -> list[Row]:
    """Ask the newest days first, some at a time, until there are enough rows: old days stay unread."""
    found: list[Row] = []
    for start in range(0, len(days), _DAYS_AT_A_TIME):
        if len(found) >= limit:
            break
        some = days[start : start + _DAYS_AT_A_TIME]
        parameters = {"days": some, "user": user, "business": business, "limit": limit - len(found)}
        found += rows(connection, query, parameters)
    return found
