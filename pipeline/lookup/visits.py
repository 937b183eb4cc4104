"""A visit, request by request. Its id names the day it starts on, so that two days' files are read and no more."""

from __future__ import annotations

import re
from datetime import timedelta

import duckdb

from pipeline.features import NO_FEATURES, Catalogue
from pipeline.lookup.rows import Row, day_of, rows

_LOAD_S = 60  # what a page loads later than that is not told apart from what something else asked for


def visit_story(connection: duckdb.DuckDBPyConnection, visit_id: str, catalogue: Catalogue = NO_FEATURES) -> Row | None:
    """Tell a visit.

    Args:
        connection: a scope.
        visit_id: such as 20260302-0123456789abcdef.
        catalogue: the service's features.

    Returns:
        The row of `visits` with `user_name` and `business_name`, `acts_in_order`, and `before` and `after`: the ids of
        the user's visits next to it, or None. Each act has `gap_s`, the seconds since the one before; `usual_ms`, the
        median of its route and method in scope on the visit's days, and `usual_of`, of how many; `made_by`, of an API
        act the request_id of the page that made it; `features`, the titles of those it is a use of; and `loads`: rows
        of assets and other requests that are no acts, which followed it within a minute from the same browser and name
        its page as referrer, or none. None where there is no such visit in scope.
    """
    day = day_of(visit_id)
    if day is None:
        return None
    found = rows(connection, _VISIT, {"day": day, "visit": visit_id.strip()})
    if not found:
        return None
    visit = found[0]
    asked = {"first": day, "last": visit["ended_at"].date(), "visit": visit["visit_id"]}
    if visit["user_id"] is not None:
        asked["user"] = visit["user_id"]
    acts = rows(connection, _ACTS.format(whose="user_id = $user" if "user" in asked else "user_id is null"), asked)
    before = [None, *(act["seconds_to_next"] for act in acts[:-1])]
    for act, gap in zip(acts, before, strict=True):
        act |= {"gap_s": gap, "features": catalogue.titles_of(act), "loads": []}
    _name_makers(acts)
    _put_loads(connection, visit, acts)
    return visit | {"acts_in_order": acts} | _neighbours(connection, visit)


_VISIT = """
select visits.*, users.name as user_name, businesses.name as business_name
from visits
left join users on users.user_id = visits.user_id
left join businesses on businesses.business_id = visits.business_id
where visits.date = $day and visits.visit_id = $visit
"""
_ACTS = """
with seen as materialized (
    select visit_seq, occurred_at, kind, method, status, duration_ms, host, path, route, event,
        event_label, referrer, linked_by, seconds_to_next, engaged_s, request_id, visitor_id
    from clickstream
    where date between $first and $last and {whose} and visit_id = $visit
),

usual as (
    select route, method, median(duration_ms) as usual_ms, count(duration_ms) as usual_of
    from clickstream
    where date between $first and $last and not is_bot and (route, method) in (select (route, method) from seen)
    group by route, method
)

select seen.*, usual.usual_ms, usual.usual_of
from seen
left join usual using (route, method)
order by visit_seq
"""
_LOADS = """
select request_id, occurred_at, kind, method, status, duration_ms, path, visitor_id, referrer
from silent_requests
where date between $first and $last and visitor_id in (select unnest($visitors::varchar[]))
    and (user_id is null or user_id is not distinct from $user)
    and occurred_at between $from and $to
order by occurred_at, request_id
"""


def _put_loads(connection: duckdb.DuckDBPyConnection, visit: Row, acts: list[Row]) -> None:
    """Put what pages loaded under the latest page before it that it names as its referrer."""
    until = visit["ended_at"] + timedelta(seconds=_LOAD_S)
    asked = {
        "first": visit["date"],
        "last": until.date(),
        "visitors": sorted({act["visitor_id"] for act in acts}),
        "user": visit["user_id"],
        "from": visit["started_at"],
        "to": until,
    }
    pages = [act for act in acts if act["kind"] == "page"]
    for load in rows(connection, _LOADS, asked):
        near = [page for page in pages if _may_load(page, load)]
        if near:
            near[-1]["loads"].append(load)


def _name_makers(acts: list[Row]) -> None:
    """Name the page that made each API act: the latest before it whose path its referrer names, at whatever time.

    Of an act without a referrer, the latest page within a minute.
    """
    pages: list[Row] = []
    for act in acts:
        act["made_by"] = None
        if act["kind"] == "page":
            pages.append(act)
        elif act["kind"] == "api":
            makers = [page for page in pages if _names(act["referrer"], page) or _may_load(page, act)]
            act["made_by"] = makers[-1]["request_id"] if makers else None


def _names(referrer: str | None, page: Row) -> bool:
    return referrer is not None and re.split("[?#]", referrer)[0].endswith(page["path"])


def _may_load(page: Row, load: Row) -> bool:
    """Whether a page may have loaded something; what a browser without a cookie asks for must name it."""
    waited = (load["occurred_at"] - page["occurred_at"]).total_seconds()
    if page["visitor_id"] != load["visitor_id"] or not 0 <= waited <= _LOAD_S:
        return False
    if load["referrer"] is None:
        return str(page["visitor_id"]).startswith("c-")
    return _names(load["referrer"], page)


_NEAREST_DAYS = """
select date
from (
    (select max(date) as date from days_of_users where user_id = $user and visits > 0 and date < $day)
    union all
    (select min(date) as date from days_of_users where user_id = $user and visits > 0 and date > $day)
)
where date is not null
"""
_NEAREST_VISITS = """
select visit_id from visits where date in ({days}) and user_id = $user
order by started_at, visit_id
"""


def _neighbours(connection: duckdb.DuckDBPyConnection, visit: Row) -> Row:
    if visit["user_id"] is None:
        return {"before": None, "after": None}
    days = rows(connection, _NEAREST_DAYS, {"user": visit["user_id"], "day": visit["date"]})
    listed = ", ".join(f"date '{day}'" for day in [visit["date"], *(row["date"] for row in days)])
    near = rows(connection, _NEAREST_VISITS.format(days=listed), {"user": visit["user_id"]})
    ids = [None, *(row["visit_id"] for row in near), None]
    place = ids.index(visit["visit_id"])
    return {"before": ids[place - 1], "after": ids[place + 1]}
