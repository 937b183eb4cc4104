"""What an erased user's lines made of others' is kept as words about those others, so that a rebuild gives them again.

A cookie that two had does not become the one's who is left, nor do acts of a visit of two: how many users an identifier
had is in `erased_owners`, whose an act is in `settled_acts`. Neither says anything of who was erased.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.compute as pc

from pipeline.schemas import TABLES
from pipeline.warehouse import Run

Files = Mapping[date | None, Sequence[Path]]

# Whom identifiers had, as the rules count it, in one of two states; `name` is a name in the directory.
_STATE = """
seen_{state} as (
    select days.*, coalesce(days.user_id, logins.user_id) as known
    from {state}.identifier_days as days
    left join logins on logins.login = days.login
),
users_{state} as (
    select identifier_kind, identifier, known
    from seen_{state}
    where identifier_kind <> 'login' and known is not null
    union
    select identifier_kind, identifier, user_id
    from seen_{state}
    where identifier_kind = 'login' and user_id is not null
    union
    select 'name', lower(user_id), user_id from {state}.users
    union
    select 'name', lower(email), user_id from {state}.users where email is not null
),
owners_{state} as (
    select 'visitor' as identifier_kind, identifier, known
    from seen_{state}
    where identifier_kind = 'visitor' and known is not null
    union
    select 'visitor', identifier, user_id
    from {state}.link_corrections
    where identifier_kind = 'visitor' and verdict = 'add'
    union
    select 'visitor', seen.identifier, said.user_id
    from seen_{state} as seen
    inner join {state}.link_corrections as said
        on said.identifier_kind = 'login' and said.verdict = 'add' and said.identifier = seen.login
    where seen.identifier_kind = 'visitor'
),"""
_OWNERS = f"""
with logins as (
    select identifier as login, min(user_id) as user_id
    from before.identifier_links
    where identifier_kind = 'login' and method = 'identifier'
    group by identifier
),
{_STATE.format(state="before")}
{_STATE.format(state="main")}
staying as (
    select identifier_kind, identifier from main.identifier_days
    union
    select identifier_kind, identifier from users_main where identifier_kind = 'name'
),
counted as (
    select identifier_kind, identifier, count(*) as users, 0 as owners
    from (from users_before except from users_main)
    group by identifier_kind, identifier
    union all
    select identifier_kind, identifier, 0, count(*)
    from (from owners_before except from owners_main)
    group by identifier_kind, identifier
),
made as (
    select
        identifier_kind,
        identifier,
        cast(sum(users) as bigint) as users,
        cast(sum(owners) as bigint) as owners,
        cast($erasure as bigint) as erasure,
    from counted
    group by identifier_kind, identifier
    union all
    select identifier_kind, identifier, users, owners, erasure from before.erased_owners where erasure <> $erasure
)
select made.*
from made
semi join staying on staying.identifier_kind = made.identifier_kind and staying.identifier = made.identifier
order by erasure, identifier_kind, identifier
"""  # noqa: S608 our own words
_OTHERWISE = """
insert into otherwise by name
select before.date, before.request_id, before.business_id, before.user_id, before.linked_by, before.link_evidence
from before.acts as before
inner join main.acts as after on after.date = before.date and after.request_id = before.request_id
where before.date = $day
    and after.date = $day
    and (before.business_id, before.user_id, before.linked_by)
        is distinct from (after.business_id, after.user_id, after.linked_by)
"""
# What shows a link may be gone with the erased; a request's id begins with its day.
_SETTLED = """
select otherwise.* replace (acts.request_id as link_evidence)
from otherwise
left join main.acts
    on acts.request_id = otherwise.link_evidence
    and acts.date = strptime(substr(otherwise.link_evidence, 1, 8), '%Y%m%d')::date
order by otherwise.date, otherwise.request_id
"""
_SEEN = ("identifier_days", "identifier_links", "link_corrections", "erased_owners", "users")


def keep_owners(run: Run, before: Mapping[str, Files], erasure: int) -> int:
    """Note how many erased users identifiers had that others still have; `identifier_days` is up to date in the run.

    Args:
        run: an open run.
        before: files of the tables as they were.
        erasure: its number.

    Returns:
        How many identifiers.
    """
    with beside(run, before, _SEEN) as connection:
        made = connection.sql(_OWNERS, params={"erasure": erasure}).to_arrow_table()
    table = TABLES["erased_owners"]
    if made.num_rows or run.files("erased_owners"):
        path = run.write("erased_owners", None, made.select(table.schema.names).cast(table.file_schema))
        run.replace("erased_owners", {None: [path]})
    return sum(number == erasure for number in made["erasure"].to_pylist())


def keep_links(run: Run, before: Mapping[str, Files]) -> int:
    """Note the acts that would now be others'; `acts` is up to date in the run.

    Args:
        run: an open run.
        before: files of the tables as they were.

    Returns:
        How many acts.
    """
    changed = [day for day, paths in run.files("acts").items() if list(before["acts"].get(day, ())) != paths]
    columns = ["date", *TABLES["settled_acts"].row_schema.names]
    with beside(run, before, ("acts",)) as connection:
        connection.execute("create table otherwise as from main.settled_acts limit 0")
        for day in changed:
            connection.execute(_OTHERWISE, {"day": day})
        found = connection.sql(_SETTLED).to_arrow_table()
    for day in sorted(set(found["date"].to_pylist())):
        rows = found.filter(pc.equal(found["date"], day)).select(columns[1:])
        run.append("settled_acts", {day: [run.write("settled_acts", day, rows)]})
    return int(found.num_rows)


def beside(run: Run, before: Mapping[str, Files], tables: Sequence[str]) -> duckdb.DuckDBPyConnection:
    """Open the run's own state as `main`, and some tables as they were as `before`.

    Args:
        run: an open run.
        before: files of the tables as they were.
        tables: which.
    """
    connection = run.connect()
    connection.execute("create schema before")
    for name in tables:
        paths = [str(path) for of_day in before[name].values() for path in of_day]
        if paths:
            files = connection.read_parquet(paths, hive_partitioning=TABLES[name].is_by_day)
            files.create_view(f"{name}_before")
            connection.execute(f"create view before.{name} as from main.{name}_before")
        else:
            connection.execute(f"create view before.{name} as from main.{name} limit 0")
    return connection
