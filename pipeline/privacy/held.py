"""What is held on a person, table by table: which rows of each are theirs, and which tables tell of nobody.

A new table of the warehouse must be named here, in one way or the other. What is done with rows does not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import duckdb
import pyarrow as pa

from pipeline.build.request_ids import lines_of_all
from pipeline.models import ask_model
from pipeline.privacy.person import Person
from pipeline.schemas import TABLES
from pipeline.settings import Settings

_THEIRS = "user_id = $user and here(business_id)"
_WHOSE = "user_id = $user"

# Which rows of a table are a person's, in the Business that asks.
ROWS: Mapping[str, str] = {
    "users": _WHOSE,
    "former_names": _WHOSE,
    "memberships": "user_id = $user and business_id = $business",
    "user_businesses": _THEIRS,
    "link_corrections": _THEIRS,
    "user_links": _THEIRS,
    "identifier_links": _THEIRS,
    "identifier_days": """
        here(business_id) and (user_id = $user or (user_id is null and identifier in (from own_cookies)))
    """,
    "same_visit_days": _THEIRS,
    "user_days": _THEIRS,
    "visits": _THEIRS,
    "clickstream": _THEIRS,
    "acts": _THEIRS,
    "requests": "(date, request_id) in (select (date, request_id) from own_requests)",
    "raw_requests": "(date, file_id, line_offset) in (select (date, file_id, line_offset) from own_lines)",
    "duplicate_lines": "(date, source, line_hash) in (select (date, source, line_hash) from own_lines)",
    "rejected_lines": """here(null) and (
        exists (select word from own_words where contains(lower(text), word))
        or regexp_matches(text, '(^|[^A-Za-z0-9_])' || regexp_escape($user) || '([^A-Za-z0-9_]|$)')
    )""",
    "feature_days": _THEIRS,
    "feature_adoption": _THEIRS,
    "page_steps": _THEIRS,
    "funnel_acts": _THEIRS,
}
# They tell of a person in all Businesses at once: they are made for the Business that asks, of what is held there.
_MADE_OF = {
    "users": "select * from main.users where user_id = $user",
    "former_names": "select * from main.former_names where user_id = $user",
    "user_businesses": "select * from main.user_businesses where user_id = $user and here(business_id)",
}
MADE_ANEW = ("user_lookup", "search_terms")
_IN_ORDER = ("date", "started_at", "occurred_at", "visit_seq")
# They count people, or tell of files, features and Businesses.
OF_NOBODY = frozenset(
    {
        *("ingested_files", "landing_files", "blank_lines", "businesses"),
        *("feature_usage", "friction", "paths", "segments"),
        *("active_users", "lifecycle", "stickiness", "retention", "funnels"),
        *("feature_measures", "feature_staying", "feature_scores"),
    }
)


class Held:
    """What is held on a person in a Business, as a connection finds it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, person: Person) -> None:
        """Find the person's cookies, requests and lines, by reading all there is and no index.

        Args:
            connection: what `connect()` gives; some tables are made on it.
            person: who, and in which Business.
        """
        self._connection = connection
        self._asked: dict[str, object] = {
            "user": person.user_id,
            "business": person.business_id,
            "is_only_here": person.is_only_here,
        }
        self._ask("select $business as business_id, $is_only_here as is_only_here").create("own_business")
        connection.execute(_HERE)
        for name, query in _OWN.items():
            self._ask(query).create(f"own_{name}")
        connection.register("own_lines", self._own_lines())

    def rows(self, table: str) -> duckdb.DuckDBPyRelation:
        """The person's rows of a table, in its columns; what happened in the order in which it did."""
        if table in MADE_ANEW:
            found = ask_model(self._connection, table, self._asked, Settings(), _MADE_OF)
        else:
            found = self._ask(f"select * from main.{table} where {ROWS[table]}")  # noqa: S608 our own names
        order = [name for name in _IN_ORDER if name in found.columns]
        return found.order(", ".join(dict.fromkeys([*order, *TABLES[table].key])))

    def of_no_business(self) -> int:
        """How many of the person's acts are of no known Business, and are left out since the person is in several."""
        if self._asked["is_only_here"]:
            return 0
        ((count,),) = self._ask(
            "select count(*) from main.acts where user_id = $user and business_id is null"
        ).fetchall()
        return int(count)

    def _ask(self, query: str) -> duckdb.DuckDBPyRelation:
        used = {name: value for name, value in self._asked.items() if re.search(rf"\${name}\b", query)}
        return self._connection.sql(query, params=used)

    def _own_lines(self) -> pa.Table:
        """The lines of the person's requests; a request's id is made of its line, so a day's are compared with them."""
        found = []
        for (day,) in self._connection.sql("select distinct date from own_requests order by date").fetchall():
            asked = {"day": day}
            ids = self._connection.sql("select request_id from own_requests where date = $day", params=asked).fetchall()
            raw = self._connection.sql(
                "select date, source, file_id, line_offset, line_hash from main.raw_requests where date = $day",
                params=asked,
            ).to_arrow_table()
            found.append(raw.filter(pa.array(lines_of_all([name for (name,) in ids], raw))))
        return pa.concat_tables(found) if found else _NO_LINES


_NO_LINES = pa.schema(
    [
        *(pa.field("date", pa.date32()), pa.field("source", pa.string()), pa.field("file_id", pa.string())),
        *(pa.field("line_offset", pa.int64()), pa.field("line_hash", pa.int64())),
    ]
).empty_table()
_HERE = """
create macro here(business) as
    business = (select business_id from own_business) or (business is null and (select is_only_here from own_business))
"""
_OWN = {
    # A cookie is somebody's alone where no line and no rule ever gave it to another.
    "cookies": """
        select identifier
        from main.user_links
        where identifier_kind = 'visitor'
        group by identifier
        having count(distinct user_id) = 1 and min(user_id) = $user
    """,
    # Where a visitor_id is a cookie, the line has it without what tells it from an address's.
    "words": """
        with said as (
            select lower(email) as word from main.users where user_id = $user
            union
            select lower(value) from main.former_names where user_id = $user and field = 'email'
            union
            select lower(substr(identifier, 3)) from own_cookies
        )
        select word from said where length(word) >= 6
        union
        select replace(word, '@', '%40') from said where contains(word, '@')
    """,
    "requests": """
        select date, request_id from main.acts where user_id = $user and here(business_id)
        union all
        select date, request_id
        from main.requests
        where kind not in ('page', 'api', 'event', 'download')
            and here(business_id)
            and (user_id = $user or (user_id is null and visitor_id in (from own_cookies)))
    """,
}
