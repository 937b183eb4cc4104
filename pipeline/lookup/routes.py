"""How routes fare in a period, against what is usual for them: which fail more often, which got slower.

Who met it, and what those have in common, is in `affected.py`.
"""

from __future__ import annotations

import duckdb

from pipeline.lookup.questions import Period, before
from pipeline.lookup.rows import Row, rows

USUAL_DAYS = 28  # four weeks: each weekday as often


def failing_routes(
    connection: duckdb.DuckDBPyConnection, period: Period, least_status: int = 500, limit: int = 50
) -> list[Row]:
    """List the routes that failed in a period, those first that failed most beyond what is usual.

    Args:
        connection: a scope.
        period: when.
        least_status: the lowest status that is a failure: 500, or 400.
        limit: the most to list.

    Returns:
        Rows of `method, route, acts, errors, rate, usual_acts, usual_rate` (of the four weeks before; None where the
        route had no act then), `expected` (errors at the usual rate; None likewise), `users, businesses` (who met
        them), `first_at, last_at, statuses`. The order is by (errors - expected) / sqrt(expected + 1), with 0 expected
        where the usual is unknown: how far beyond chance it is, had each error come by itself.
    """
    asked = period.parameters | _usual(period) | {"least": least_status, "limit": limit}
    return rows(connection, _FAILING, asked)


def slow_routes(connection: duckdb.DuckDBPyConnection, period: Period, limit: int = 50) -> list[Row]:
    """List the routes whose slowest answers got slower, those first whose users waited longest beyond the usual.

    Args:
        connection: a scope.
        period: when.
        limit: the most to list.

    Returns:
        Rows of `method, route, acts` (with a known duration), `median_ms, p95_ms, usual_acts, usual_median_ms,
        usual_p95_ms` (of the four weeks before; None where the route had no act then), `users, waited_s` (beyond the
        usual median, in all acts). Routes that got no slower, and those with fewer than 20 acts, are left out.
    """
    return rows(connection, _SLOW, period.parameters | _usual(period) | {"limit": limit})


def _usual(period: Period) -> dict[str, object]:
    usual = before(period, USUAL_DAYS)
    return {"usual_first": usual.days["first"], "usual_last": usual.days["last"]}


_FAILING = """
with now as (
    select
        method,
        route,
        count(*) as acts,
        count(*) filter (where status >= $least) as errors,
        count(distinct user_id) filter (where status >= $least) as users,
        count(distinct business_id) filter (where status >= $least) as businesses,
        min(occurred_at) filter (where status >= $least) as first_at,
        max(occurred_at) filter (where status >= $least) as last_at,
        list_sort(list(distinct status) filter (where status >= $least)) as statuses,
    from clickstream
    where date between $first and $last and occurred_at >= $since and occurred_at < $until and not is_bot
    group by method, route
    having count(*) filter (where status >= $least) > 0
),

usual as (
    select method, route, count(*) as usual_acts, count(*) filter (where status >= $least) / count(*) as usual_rate
    from clickstream
    where date between $usual_first and $usual_last and not is_bot
    group by method, route
)

select
    now.*,
    errors / acts as rate,
    usual_acts,
    usual_rate,
    acts * usual_rate as expected,
from now
left join usual on usual.method is not distinct from now.method and usual.route is not distinct from now.route
order by (errors - coalesce(acts * usual_rate, 0)) / sqrt(coalesce(acts * usual_rate, 0) + 1) desc, errors desc,
    now.route, now.method
limit $limit
"""
_SLOW = """
with now as (
    select
        method,
        route,
        count(*) as acts,
        count(distinct user_id) as users,
        median(duration_ms) as median_ms,
        quantile_cont(duration_ms, 0.95) as p95_ms,
        sum(duration_ms) as all_ms,
    from clickstream
    where date between $first and $last and occurred_at >= $since and occurred_at < $until and not is_bot
        and duration_ms is not null
    group by method, route
    having count(*) >= 20
),

usual as (
    select
        method,
        route,
        count(*) as usual_acts,
        median(duration_ms) as usual_median_ms,
        quantile_cont(duration_ms, 0.95) as usual_p95_ms,
    from clickstream
    where date between $usual_first and $usual_last and not is_bot and duration_ms is not null
    group by method, route
)

select
    now.* exclude (all_ms),
    usual_acts,
    usual_median_ms,
    usual_p95_ms,
    greatest(0, all_ms - acts * usual_median_ms) / 1000 as waited_s,
from now
left join usual on usual.method is not distinct from now.method and usual.route is not distinct from now.route
where p95_ms > coalesce(usual_p95_ms, 0)
order by (p95_ms - coalesce(usual_p95_ms, 0)) * acts desc, now.route, now.method
limit $limit
"""
