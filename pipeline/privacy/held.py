"""What is held on a person, table by table: which rows of each are theirs, and which tables tell of nobody.

A new table of the warehouse must be named here, in one way or the other. What is done with rows does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from functools import cached_property

import duckdb
import pyarrow as pa

from pipeline.build.request_ids import ids_of_lines, lines_of_all
from pipeline.models import ask_model
from pipeline.privacy.person import Person
from pipeline.schemas import TABLES
from pipeline.settings import Settings

_THEIRS = "theirs(user_id, business_id)"
_WHOSE = "user_id in (select own_user from own_people)"

# Which rows of a table are those of some people, each in the Business that asks.
ROWS: Mapping[str, str] = {
    "users": _WHOSE,
    "former_names": _WHOSE,
    "user_corrections": _WHOSE,
    "memberships": _THEIRS,
    "user_businesses": _THEIRS,
    "link_corrections": _THEIRS,
    "erased_owners": "identifier in (select identifier from own_cookies)",
    "settled_acts": "(date, request_id) in (select (date, request_id) from own_requests)",
    "user_links": _THEIRS,
    "identifier_links": _THEIRS,
    "identifier_days": """
        theirs(user_id, business_id)
        or (user_id is null and identifier in (select identifier from own_cookies where is_here(of_user, business_id)))
    """,
    "same_visit_days": _THEIRS,
    "user_days": _THEIRS,
    "visits": _THEIRS,
    "clickstream": _THEIRS,
    "acts": _THEIRS,
    "requests": "(date, request_id) in (select (date, request_id) from own_requests)",
    "raw_requests": "(date, file_id, line_offset) in (select (date, file_id, line_offset) from own_lines)",
    "duplicate_lines": "(date, source, line_hash) in (select (date, source, line_hash) from own_lines)",
    "rejected_lines": """
        exists (select word from own_words where contains(lower(text), word))
        or exists (
            select own_user
            from own_people
            where is_only_here
                and regexp_matches(text, '(^|[^A-Za-z0-9_])' || regexp_escape(own_user) || '([^A-Za-z0-9_]|$)')
        )
    """,
    "feature_days": _THEIRS,
    "feature_adoption": _THEIRS,
    "page_steps": _THEIRS,
    "funnel_acts": _THEIRS,
}
# They tell of a person in all Businesses at once: they are made for the Business that asks, of what is held there.
_MADE_OF = {
    "users": "select * from main.users where user_id in (select own_user from own_people)",
    "former_names": "select * from main.former_names where user_id in (select own_user from own_people)",
    "user_businesses": "select * from main.user_businesses where theirs(user_id, business_id)",
}
MADE_ANEW = ("user_lookup", "search_terms")
NEEDS_LINES = ("raw_requests", "duplicate_lines")
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
    """What is held on some people, each in a Business or everywhere, as a connection finds it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, people: Sequence[Person]) -> None:
        """Find the people's cookies, words and requests, by reading all there is and no index.

        Args:
            connection: what `connect()` gives; some tables are made on it.
            people: who, and in which Business each.
        """
        self._connection = connection
        connection.execute("create table own_people (own_user varchar, own_business varchar, is_only_here boolean)")
        for person in people:
            connection.execute("insert into own_people values ($user_id, $business_id, $is_only_here)", asdict(person))
        connection.execute(_IS_HERE)
        connection.execute(_IS_THEIRS)
        for name, query in _OWN.items():
            connection.execute(f"create table own_{name} as {query}")
        self.reach_waiting(_WAITING)

    def reach(self, day: date, ids: Sequence[str]) -> None:
        """Take in further requests of a day, by their ids."""
        self._connection.execute(_FURTHER, {"day": day, "ids": list(ids)})

    def reach_waiting(self, condition: str, asked: Mapping[str, object] | None = None) -> None:
        """Take in lines that wait for their day, as of a clock that is ahead: what stands on them is all that is known.

        Args:
            condition: of columns of `raw_requests`.
            asked: its parameters.
        """
        for (day,) in self._connection.sql(_DAYS_WAITING).fetchall():
            query = f"select source, line_hash, {condition} as is_it from main.raw_requests where date = $day"  # noqa: S608 our own words
            lines = self._connection.sql(query, params={"day": day, **(asked or {})}).to_arrow_table()
            is_it = lines["is_it"].fill_null(False).to_numpy()
            if is_it.any():
                self.reach(day, ids_of_lines(day, lines, is_it))

    def rows(self, table: str) -> duckdb.DuckDBPyRelation:
        """The people's rows of a table, in its columns; what happened in the order in which it did."""
        if table in NEEDS_LINES:
            self.find_lines()
        if table in MADE_ANEW:
            found = ask_model(self._connection, table, {}, Settings(), _MADE_OF)
        else:
            found = self._connection.sql(f"select * from main.{table} where {ROWS[table]}")  # noqa: S608 our own names
        order = [name for name in _IN_ORDER if name in found.columns]
        return found.order(", ".join(dict.fromkeys([*order, *TABLES[table].key])))

    def of_no_business(self) -> int:
        """How many acts are of no known Business, and are left out since the person is in several."""
        ((count,),) = self._connection.sql("""
            select count(*)
            from main.acts
            where business_id is null
                and user_id in (select own_user from own_people where own_business is not null and not is_only_here)
        """).fetchall()
        return int(count)

    @cached_property
    def lines(self) -> pa.Table:
        """The lines of the people's requests; a request's id is made of its line, so a day's are compared with them."""
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

    def find_lines(self) -> None:
        """Make the lines a table, `own_lines`."""
        if not self._has_lines:
            self._connection.register("own_lines", self.lines)
            self._has_lines = True

    _has_lines = False


_NO_LINES = pa.schema(
    [
        *(pa.field("date", pa.date32()), pa.field("source", pa.string()), pa.field("file_id", pa.string())),
        *(pa.field("line_offset", pa.int64()), pa.field("line_hash", pa.int64())),
    ]
).empty_table()
_DAYS_WAITING = """
select distinct date from main.raw_requests
except
select distinct date from main.requests
order by date
"""
_WAITING = """
theirs(user_id, business_id)
or (
    user_id is null
    and 'c-' || visitor_cookie in (
        select identifier from own_cookies where is_here(own_cookies.of_user, raw_requests.business_id)
    )
)
"""
_FURTHER = """
insert into own_requests
select $day::date, id
from (select unnest($ids::varchar[]) as id)
where ($day::date, id) not in (select (date, request_id) from own_requests)
"""
# A macro's arguments are bound where they stand, so that no column here may be called as one that is given.
_IS_HERE = """
create macro is_here(whose, place) as exists (
    from own_people as asked
    where asked.own_user = whose
        and (asked.own_business is null or asked.own_business = place or (place is null and asked.is_only_here))
)
"""
# A list of users first, which is looked for in files that are sorted by them.
_IS_THEIRS = """
create macro theirs(someone, somewhere) as
    someone in (select own_user from own_people) and is_here(someone, somewhere)
"""
_OWN = {
    # A cookie is somebody's alone where no line and no rule ever gave it to another.
    "cookies": """
        select identifier, min(user_id) as of_user
        from main.user_links
        where identifier_kind = 'visitor'
        group by identifier
        having count(distinct user_id) = 1 and min(user_id) in (select own_user from own_people)
    """,
    # Where a visitor_id is a cookie, the line has it without what tells it from an address's.
    "words": """
        with known as (select own_user from own_people where is_only_here),
        said as (
            select lower(email) as word from main.users where user_id in (from known)
            union
            select lower(value) from main.former_names where user_id in (from known) and field = 'email'
            union
            select lower(substr(identifier, 3)) from own_cookies where of_user in (from known)
        )
        select word from said where length(word) >= 6
        union
        select replace(word, '@', '%40') from said where contains(word, '@')
    """,
    "requests": """
        select date, request_id from main.acts where theirs(user_id, business_id)
        union all
        select date, request_id
        from main.requests
        where kind not in ('page', 'api', 'event', 'download')
            and (
                theirs(user_id, business_id)
                or (
                    user_id is null
                    and visitor_id in (
                        select identifier from own_cookies where is_here(own_cookies.of_user, requests.business_id)
                    )
                )
            )
    """,
}
