"""Whom or what an erasure concerns, and what of the tables that reaches: requests, lines, words, and what stops them.

Taking rows out does not belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.build.request_ids import ids_of_lines
from pipeline.ingest.barrier import keyed_lines
from pipeline.lookup.rows import rows
from pipeline.privacy.held import Held
from pipeline.privacy.person import Person, is_elsewhere, members
from pipeline.privacy.rewrite import Mask
from pipeline.privacy.words import is_telling, is_telling_name
from pipeline.settings import Settings
from pipeline.tombstones import Keys, Tombstones

_USERS = ("user", "child")


@dataclass(frozen=True)
class Subject:
    """Whom or what to erase.

    Attributes:
        kind: user, child (a user who is too young to be kept), identifier, address or business.
        value: the user's id, the cookie or login, the address, or the Business's id.
        business: where, by the Business's id; everywhere where None.
        until: lines of up to then are kept out, in microseconds since 1970; of a child, until it is one no more.
    """

    kind: str
    value: str
    business: str | None
    until: int


class Reach:
    """What of the tables some subjects reach."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, subjects: Sequence[Subject]) -> None:
        """Find it.

        Args:
            connection: with every table as a view; some tables are made on it.
            subjects: whom and what.
        """
        self._connection = connection
        self._subjects = subjects
        self._users = [self._person(one) for one in subjects if one.kind in _USERS]
        self.businesses = sorted({one.value for one in subjects if one.kind == "business"})
        self.people = list(dict.fromkeys([*self._users, *self._people_of_businesses()]))
        self.held = Held(connection, self.people)
        for one in subjects:
            if one.kind not in _USERS:
                asked = {"value": one.value} | ({"business": one.business} if one.kind != "business" else {})
                connection.execute(_REQUESTS[one.kind], asked)
                self.held.reach_waiting(_WAITING[one.kind], asked)
        connection.execute(
            "create or replace table own_requests as select distinct date, request_id from own_requests order by all"
        )

    def add_lines(self, is_line: Callable[[pa.Table], Mask]) -> None:
        """Reach further lines, whoever they are of.

        Args:
            is_line: tells of rows of `raw_requests`, of which it gets `source` and `line_hash`, which they are.
        """
        days = self._connection.sql("select distinct date from raw_requests order by date").fetchall()
        for (day,) in days:
            asked = {"day": day}
            raw = self._connection.sql("select source, line_hash from raw_requests where date = $day", params=asked)
            of_day = raw.to_arrow_table()
            ids = ids_of_lines(day, of_day, is_line(of_day))
            if ids:
                self.held.reach(day, ids)

    def _person(self, one: Subject) -> Person:
        elsewhere = one.business is not None and is_elsewhere(self._connection, one.value, one.business)
        return Person(one.value, one.business if elsewhere else None, not elsewhere)

    def _people_of_businesses(self) -> Iterable[Person]:
        for business in self.businesses:
            for user in members(self._connection, business):
                yield self._person(Subject("user", user, business, 0))

    def users(self) -> set[str]:
        """Everybody whose rows go: the people, and whose a cookie's, an address's or a Business's acts are."""
        acts = rows(self._connection, _USERS_OF_ACTS)
        return {*(one.user_id for one in self.people), *(row["user_id"] for row in acts)}

    @property
    def gone(self) -> list[str]:
        """The users of whom nothing stays anywhere."""
        return [one.user_id for one in self.people if one.is_only_here]

    @cached_property
    def words(self) -> list[str]:
        """What is looked for in every text there is: what tells of those of whom nothing stays, and of nobody else."""
        found = [row["word"] for row in rows(self._connection, _WORDS) if is_telling(row["word"])]
        names = [row["name"] for row in rows(self._connection, _NAMES) if is_telling_name(row["name"])]
        named = [one.value for one in self._subjects if one.kind not in _USERS and one.business is None]
        addresses = [one.value for one in self._subjects if one.kind == "address" and one.business is None]
        return sorted({*found, *names, *addresses, *(word for word in named if is_telling(word))})

    @property
    def untold(self) -> list[str]:
        """Ids of users that could be something else as well, so that they are looked for in columns of ids only."""
        return [user for user in self.gone if not is_telling(user)]

    def tombstones(self, settings: Settings, texts: Iterable[tuple[str, bytes]], now: int) -> Tombstones:
        """Make what keeps all this out when it arrives again.

        Args:
            settings: the key.
            texts: source and text of lines that could not be read and are taken out.
            now: when it is erased, in microseconds since 1970.
        """
        keys = Keys(settings.secret)
        values: dict[str, dict[str, int]] = {}
        for told, until in self._stopped(now):
            values.setdefault(told[0], {})[keys.of_value(*told)] = until
        lines = [np.zeros(0, dtype=np.uint64)]
        found = self.held.lines
        for source in found["source"].unique().to_pylist():
            of_source = found.filter(pc.equal(found["source"], source))
            lines.append(keyed_lines(keys, source, of_source["line_hash"].to_numpy()))
        hashed = frozenset(keys.of_text(source, text) for source, text in texts)
        return Tombstones(values, hashed, np.unique(np.concatenate(lines)))

    def _stopped(self, now: int) -> Iterable[tuple[tuple[str, ...], int]]:
        """What of a line that arrives says that it is not to be kept, and until when."""
        children = {one.value: one.until for one in self._subjects if one.kind == "child"}
        for person in self.people:
            if person.user_id in children:
                yield ("child", person.user_id), children[person.user_id]
            elif person.is_only_here:
                yield ("user", person.user_id), now
            elif person.business_id is not None:
                yield ("member", person.user_id, person.business_id), now
        for row in rows(self._connection, _IDENTIFIERS):
            until = children.get(row["user_id"], now)
            if row["identifier_kind"] == "visitor":
                yield ("cookie", row["identifier"].removeprefix("c-")), until
            else:
                yield ("login", row["identifier"]), until
        for one in self._subjects:
            if one.kind == "business":
                yield ("business", one.value), now
            elif one.business is None and one.kind == "identifier":
                yield ("cookie", one.value.removeprefix("c-")), now
                yield ("login", one.value), now
            elif one.business is None and one.kind == "address":
                yield ("ip", one.value), now


_USERS_OF_ACTS = """
select distinct user_id
from acts
where user_id is not null and (date, request_id) in (select (date, request_id) from own_requests)
"""
_GONE = "(select own_user from own_people where is_only_here)"
# Login names that were never another's, beside cookies that were not.
_IDENTIFIERS = f"""
select 'visitor' as identifier_kind, identifier, of_user as user_id from own_cookies where of_user in {_GONE}
union
select 'login', identifier, min(user_id)
from user_links
where identifier_kind = 'login'
group by identifier
having count(distinct user_id) = 1 and min(user_id) in {_GONE}
order by all
"""  # noqa: S608 our own names
_WORDS = f"""
select own_user as word from own_people where is_only_here
union
select email from users where email is not null and user_id in {_GONE}
union
select value from former_names where field = 'email' and user_id in {_GONE}
union
select case identifier_kind when 'visitor' then substr(identifier, 3) else identifier end from ({_IDENTIFIERS})
order by all
"""  # noqa: S608 our own names
_NAMES = f"""
with called as (
    select user_id, name from users where name is not null
    union
    select user_id, value from former_names where field = 'name'
)
select min(name) as name
from called
group by lower(name)
having bool_and(user_id in {_GONE})
order by all
"""  # noqa: S608 our own names
_PLACE = "($business is null or coalesce(acts.business_id, requests.business_id, $business) = $business)"
_OF_REQUESTS = """
insert into own_requests
select requests.date, requests.request_id
from requests
left join acts on acts.date = requests.date and acts.request_id = requests.request_id
where
"""
_REQUESTS: dict[str, Any] = {
    "identifier": f"""{_OF_REQUESTS}
        (requests.visitor_id in ($value, 'c-' || $value) or requests.identifier = $value) and {_PLACE}
    """,
    "address": f"{_OF_REQUESTS} requests.ip = $value and {_PLACE}",
    "business": f"{_OF_REQUESTS} requests.business_id = $value or acts.business_id = $value",
}
_PLACE_OF_LINE = "($business is null or coalesce(business_id, $business) = $business)"
_WAITING: dict[str, str] = {
    "identifier": f"""
        ('c-' || visitor_cookie in ($value, 'c-' || $value) or remote_user = $value) and {_PLACE_OF_LINE}
    """,
    "address": f"""
        (ip = $value or list_contains(string_split_regex(forwarded_for, '[ ,]+'), $value)) and {_PLACE_OF_LINE}
    """,
    "business": "business_id = $value",
}
