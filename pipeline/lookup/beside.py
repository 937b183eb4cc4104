"""One user's visit beside a healthy one: where they part is where it broke."""

from __future__ import annotations

from datetime import timedelta
from difflib import SequenceMatcher

import duckdb

from pipeline.lookup.rows import Row, rows
from pipeline.lookup.visits import visit_story

_DAYS = 7  # before the visit's day: long enough to find one, short enough to be of the same service
_SLOW = 3  # times the usual is slow


def healthy_visit(connection: duckdb.DuckDBPyConnection, visit: Row) -> Row | None:
    """Find a visit of somebody else that did the same without an error, and lay both side by side.

    Args:
        connection: a scope.
        visit: as `visit_story` tells it.

    Returns:
        `trouble` (the act that it is about: the first that failed, else the one slowest against its usual, else the
        first), `healthy` (the other visit, as `visit_story` tells it) and `pairs`: rows of `left` and `right`, acts
        without page reports, in order; those of the same method and route stand beside each other, and None where one
        visit has no such act. The other visit is of the same day or the seven before, has no error and did what failed
        here; of those it has most routes in common with this one, then is most nearly as long. None where there is
        none in scope.
    """
    acts = [act for act in visit["acts_in_order"] if act["kind"] != "event"]
    if not acts:
        return None
    trouble = _trouble(acts)
    asked = {
        "first": visit["date"] - timedelta(days=_DAYS),
        "last": visit["date"],
        "user": visit["user_id"],
        "visitor": visit["visitor_id"],
        "method": trouble["method"],
        "route": trouble["route"],
        "routes": sorted({f"{act['method']} {act['route']}" for act in acts}),
        "acts": len(acts),
        "near": visit["started_at"],
    }
    for found in rows(connection, _HEALTHY, asked):
        healthy = visit_story(connection, found["visit_id"])
        if healthy:
            others = [act for act in healthy["acts_in_order"] if act["kind"] != "event"]
            return {"trouble": trouble, "healthy": healthy, "pairs": _pairs(acts, others)}
    return None


def _trouble(acts: list[Row]) -> Row:
    failed = [act for act in acts if act["status"] is not None and act["status"] >= 400]
    if failed:
        return failed[0]
    slowest = max(acts, key=_times_usual)
    return slowest if _times_usual(slowest) >= _SLOW else acts[0]


def _times_usual(act: Row) -> float:
    return act["duration_ms"] / act["usual_ms"] if act["duration_ms"] and act["usual_ms"] else 0.0


# A visit belongs to the day it starts on; one that did it after midnight is not looked for.
_HEALTHY = """
with did_it as (
    select date, visit_id
    from clickstream
    where date between $first and $last and method = $method and route = $route and not is_bot
        and user_id is distinct from $user and visitor_id <> $visitor
),

healthy as (
    select visits.date, visits.visit_id, visits.started_at
    from visits
    where visits.date between $first and $last and visits.errors = 0 and visits.server_errors = 0
        and visits.visit_id in (select visit_id from did_it)
    order by abs(epoch(visits.started_at - $near)), visits.visit_id
    limit 1000
),

alike as (
    select
        healthy.visit_id,
        healthy.started_at,
        count(distinct clickstream.method || ' ' || clickstream.route)
            filter (where list_contains($routes, clickstream.method || ' ' || clickstream.route)) as shared,
        count(distinct clickstream.method || ' ' || clickstream.route) as routes,
        count(*) as acts,
    from healthy
    inner join clickstream on clickstream.visit_id = healthy.visit_id and clickstream.date = healthy.date
    where clickstream.date between $first and $last and clickstream.kind <> 'event'
    group by healthy.visit_id, healthy.started_at
)

select visit_id
from alike
order by shared / (len($routes) + routes - shared) desc, abs(acts - $acts), abs(epoch(started_at - $near)), visit_id
limit 1
"""


def _pairs(left: list[Row], right: list[Row]) -> list[Row]:
    """Put acts of the same method and route beside each other, in the order of both."""
    mine, others = ([(act["method"], act["route"]) for act in acts] for acts in (left, right))
    pairs: list[Row] = []
    for _, from_left, to_left, from_right, to_right in SequenceMatcher(None, mine, others, False).get_opcodes():
        ours, theirs = left[from_left:to_left], right[from_right:to_right]
        if mine[from_left:to_left] == others[from_right:to_right]:
            pairs += [{"left": here, "right": there} for here, there in zip(ours, theirs, strict=True)]
        else:
            pairs += [{"left": here, "right": None} for here in ours]
            pairs += [{"left": None, "right": there} for there in theirs]
    return pairs
