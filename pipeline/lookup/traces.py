"""Find who it was by what they left in the log: an address, or a reference that an answer gave them.

Who came to a path at a time is asked of `affected.py`; people by their names are found by `search.py`.
"""

from __future__ import annotations

import ipaddress
import json
from datetime import timedelta

import duckdb

from pipeline.lookup.questions import newest_day
from pipeline.lookup.rows import Row, rows

DAYS = 30  # looked through for an address or a reference, from the newest day back
_AT_A_TIME = 6
_SHORTEST = 6  # characters of a reference


def read_address(text: str) -> str | None:
    """Read an address as logs are kept, such as 2001:db8::1; None where the text is none."""
    try:
        return str(ipaddress.ip_address(text.strip().strip("[]")))
    except ValueError:
        return None


def users_at(connection: duckdb.DuckDBPyConnection, address: str, limit: int = 200) -> list[Row]:
    """Find the users who came from an address in the last thirty days.

    Args:
        connection: a scope.
        address: as `read_address` gives it.
        limit: the most to return.

    Returns:
        Rows of `user_lookup` (without `search_text`), latest first, with `why`: how many acts, from when to when.
    """
    newest = newest_day(connection)
    asked = {"first": newest - timedelta(days=DAYS - 1), "last": newest, "address": address, "limit": limit}
    found = rows(connection, _USERS_AT, asked)
    for user in found:
        user["why"] = f"{user.pop('acts')} acts, {user.pop('from_at'):%Y-%m-%d} to {user.pop('to_at'):%Y-%m-%d}"
    return found


# The spare row has the acts in scope read whether or not an address was seen out of it, so that time does not tell.
_USERS_AT = """
with from_there as (
    select date, request_id, occurred_at
    from main.requests
    where date between $first and $last and ip = $address
    union all
    select $last, '', null
),

by_user as (
    select
        clickstream.user_id,
        count(*) as acts,
        min(clickstream.occurred_at) as from_at,
        max(clickstream.occurred_at) as to_at,
    from clickstream
    inner join from_there
        on from_there.date = clickstream.date and from_there.request_id = clickstream.request_id
    where clickstream.date between $first and $last
    group by clickstream.user_id
)

select user_lookup.* exclude (search_text), by_user.acts, by_user.from_at, by_user.to_at
from by_user
inner join user_lookup on user_lookup.user_id = by_user.user_id
order by by_user.to_at desc, user_lookup.user_id
limit $limit
"""


def requests_of_reference(connection: duckdb.DuckDBPyConnection, reference: str, limit: int = 20) -> list[Row]:
    """Find acts by a reference that an answer gave, such as a request's or a trace's id, in the last thirty days.

    Args:
        connection: a scope.
        reference: a whole value of any further field of a line.
        limit: the most to return.

    Returns:
        Rows of `request_id, occurred_at, method, path, status, user_id, business_id, visit_id`, latest first; those of
        the newest days that have any.
    """
    text = reference.strip()
    if len(text) < _SHORTEST:
        return []
    newest = newest_day(connection)
    for start in range(0, DAYS, _AT_A_TIME):
        last = newest - timedelta(days=start)
        asked = {
            "first": last - timedelta(days=_AT_A_TIME - 1),
            "last": last,
            "value": json.dumps(text, ensure_ascii=False),
            "limit": limit,
        }
        if found := rows(connection, _REFERRED, asked):
            return found
    return []


_REFERRED = """
with referred as (
    select date, request_id
    from main.requests
    where date between $first and $last and contains(extra, $value)
    union all
    select $last, ''
)

select clickstream.request_id, clickstream.occurred_at, clickstream.method, clickstream.path, clickstream.status,
    clickstream.user_id, clickstream.business_id, clickstream.visit_id
from clickstream
inner join referred on referred.date = clickstream.date and referred.request_id = clickstream.request_id
where clickstream.date between $first and $last
order by clickstream.occurred_at desc, clickstream.request_id
limit $limit
"""
