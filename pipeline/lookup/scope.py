"""What somebody may see, as a connection that holds nothing else: rows of their Businesses, and no child's.

Every look-up asks such a connection. What is out of scope is not there, so that no question can tell it from what does
not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import duckdb

from pipeline.lookup.search import SEARCHED, searched
from pipeline.models import bare_select
from pipeline.people.ages import CHILD_UNTIL
from pipeline.settings import Settings
from pipeline.warehouse import connect

_SCHEMA = "in_scope"

# Each view in terms of the tables in `main`; `visible(business_id, user_id)` is said for each scope.
_VIEWS = {
    "memberships": "where visible(business_id, user_id)",
    "businesses": "where visible(business_id, null)",
    "user_businesses": "where visible(business_id, user_id)",
    "search_terms": "where visible(business_id, user_id)",
    "user_days": "where visible(business_id, user_id)",
    "visits": "where visible(business_id, user_id)",
    "clickstream": "where visible(business_id, user_id)",
    "user_links": "where visible(business_id, user_id)",
    "link_corrections": "where visible(business_id, user_id)",
}
_HELD = ("memberships", "businesses", "user_businesses")


def open_scope(
    settings: Settings,
    businesses: Sequence[str] | None = None,
    today: date | None = None,
    in_memory: bool = False,
) -> duckdb.DuckDBPyConnection:
    """Open the published tables as far as somebody may see them.

    Args:
        settings: where the warehouse is.
        businesses: ids of the Businesses to keep to; None is all, and what is of no known Business.
        today: the UTC day for which the age of users is reckoned; today by default.
        in_memory: whether to hold the tables that are searched in memory, for many questions.

    Returns:
        A connection whose views hold what is in scope: those of `_VIEWS`, `users`, `user_lookup`, `days_of_users`
        (`user_days` in the order of users), what search asks (see `SEARCHED`), `requests` (acts in scope) and
        `silent_requests` (what is no act: of a Business in scope, or of nobody). The macro `sees_all()` tells whether
        all Businesses are in scope; `span` has the `newest_day` with an act, of whomever.
    """
    connection = connect(settings)
    connection.execute(f"create schema {_SCHEMA}")
    _name_children(connection, today or datetime.now(UTC).date())
    _name_businesses(connection, businesses)
    if in_memory:
        connection.execute("set preserve_insertion_order = true")
    for name, condition in _VIEWS.items():
        _give(connection, name, f"from main.{name} {condition}", in_memory and name in _HELD)
    connection.execute(f"create table {_SCHEMA}.span as select max(date) as newest_day from main.clickstream")  # noqa: S608 our names
    connection.execute(f"set schema = '{_SCHEMA}'")
    _make_rest(connection, in_memory, businesses is None)
    if in_memory:
        connection.execute("set preserve_insertion_order = false")
    return connection


def _give(connection: duckdb.DuckDBPyConnection, name: str, query: str, is_held: bool) -> None:
    """Give a scope a view, or a table held in memory; not a view of one, through which less is left to its scans."""
    connection.execute(f"create {'table' if is_held else 'view'} {_SCHEMA}.{name} as {query}")


def _name_children(connection: duckdb.DuckDBPyConnection, today: date) -> None:
    """Note users who are too young to be shown; whose birth date is unknown is not known to be."""
    connection.execute(f"create table {_SCHEMA}.children (user_id varchar)")
    connection.execute(
        f"insert into {_SCHEMA}.children select user_id from main.users"  # noqa: S608 our names
        " where date_of_birth + to_years($years) > $today::date",
        {"years": CHILD_UNTIL, "today": today},
    )


def _name_businesses(connection: duckdb.DuckDBPyConnection, businesses: Sequence[str] | None) -> None:
    connection.execute(f"create table {_SCHEMA}.allowed (business_id varchar)")
    if businesses is None:
        allowed = "true"
    else:
        allowed = f"business in (from {_SCHEMA}.allowed)"
        for business in businesses:
            connection.execute(f"insert into {_SCHEMA}.allowed values ($business)", {"business": business})  # noqa: S608 our names
    connection.execute(f"create macro main.sees_all() as {businesses is None}")
    connection.execute(
        f"create macro main.visible(business, person) as {allowed}"
        f" and (person is null or person not in (from {_SCHEMA}.children))"
    )


def _make_rest(connection: duckdb.DuckDBPyConnection, in_memory: bool, is_whole: bool) -> None:
    known = "user_id in (select user_id from user_businesses)"
    whole = "user_id not in (from children)" if is_whole else known
    number = "row_number() over (order by user_id)::integer" if in_memory else "user_id"
    _give(connection, "users", f"from main.users where {whole} order by user_id", in_memory)
    # Of all Businesses it is as it was built; else it is made again, of what is in scope.
    looked_up = "from main.user_lookup where user_id not in (from children)" if is_whole else bare_select("user_lookup")
    people = f"select {number} as person, * from ({looked_up}) order by user_id"  # noqa: S608 our names
    _give(connection, "people", people, in_memory)
    connection.execute("create view user_lookup as select * exclude (person) from people")
    for name in SEARCHED:
        _give(connection, name, searched(name, in_memory), in_memory)
    _give(connection, "days_of_users", _DAYS, in_memory)
    connection.execute(_REQUESTS)
    connection.execute(_SILENT)


_DAYS = """
select user_id, date, business_id, requests, visits, errors
from user_days
order by user_id, date desc, business_id
"""
_REQUESTS = """
create view requests as
from main.requests as requests
where exists (
        from clickstream
        where clickstream.date = requests.date and clickstream.request_id = requests.request_id
    )
"""
_SILENT = """
create view silent_requests as
from main.requests
where kind not in ('page', 'api', 'event', 'download')
    and (visible(business_id, user_id) or (business_id is null and user_id is null))
"""
