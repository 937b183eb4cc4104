"""Who is meant when a Business names one of its users: by id, email, identifier or name; nobody of another Business."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from pipeline.lookup.rows import rows


class PersonError(ValueError):
    """Nobody, or more than one, of the Business is meant; the message says what to name instead."""


@dataclass(frozen=True)
class Person:
    """A user in the context of a Business.

    Attributes:
        user_id: the service's own id.
        business_id: the Business's; None for all of them.
        is_only_here: whether the user is known in no other Business: then what is of no known Business is told too.
    """

    user_id: str
    business_id: str | None
    is_only_here: bool


def find_person(connection: duckdb.DuckDBPyConnection, business: str, said: str) -> Person:
    """Find the user of a Business whom a text names.

    Args:
        connection: what `connect()` gives.
        business: id of the Business.
        said: the user's id, email, a cookie or login seen, or name, present or former; letter case and accents do not
            matter but in ids and identifiers. What is found first in this order is meant.

    Raises:
        PersonError: there is no such Business, or nobody, or more than one, of it is named so.
    """
    if not rows(connection, _BUSINESS, {"business": business}):
        raise PersonError(f"there is no Business {business!r}")
    asked = {"business": business, "said": said.strip()}
    for query in (_BY_ID, _BY_EMAIL, _BY_IDENTIFIER, _BY_NAME):
        found = [row["user_id"] for row in rows(connection, query, asked)]
        if len(found) > 1:
            raise PersonError(f"{business} has several users who are so called: {', '.join(found)}; name one by id")
        if found:
            return Person(found[0], business, not is_elsewhere(connection, found[0], business))
    raise PersonError(f"{business} has no user of that id, email, identifier or name")


def is_elsewhere(connection: duckdb.DuckDBPyConnection, user: str, business: str) -> bool:
    """Whether a user is known in another Business than one."""
    return bool(rows(connection, _ELSEWHERE, {"business": business, "user": user}))


def members(connection: duckdb.DuckDBPyConnection, business: str) -> list[str]:
    """The users who are known in a Business."""
    return [row["user_id"] for row in rows(connection, _MEMBERS, {"business": business})]


_MEMBERS = """
select user_id from user_businesses where business_id = $business
union
select user_id from memberships where business_id = $business
order by all
"""
_BUSINESS = """
select business_id from businesses where business_id = $business
union
select business_id from user_businesses where business_id = $business
"""
_BY_ID = "select user_id from user_businesses where business_id = $business and user_id = $said"
_CALLED = """
with here as (select distinct user_id from user_businesses where business_id = $business),
called as (
    select user_id, {field} as called from users
    union all
    select user_id, value as called from former_names where field = '{field}'
)
select distinct here.user_id
from here
inner join called on called.user_id = here.user_id
where strip_accents(lower(trim(called.called))) = strip_accents(lower($said))
order by all
"""
_BY_EMAIL = _CALLED.format(field="email")
_BY_NAME = _CALLED.format(field="name")
_BY_IDENTIFIER = """
select distinct user_id
from user_businesses
where business_id = $business and list_contains(identifiers, $said)
order by all
"""
_ELSEWHERE = """
select business_id
from user_businesses
where user_id = $user and business_id is not null and business_id <> $business
"""
