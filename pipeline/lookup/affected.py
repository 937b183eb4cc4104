"""Who met something (an error, a route, a version), how often, what they did next, and what is common to all.

Which acts are meant is in `questions.py`; how a route fares as a whole is in `routes.py`.
"""

from __future__ import annotations

import duckdb

from pipeline.lookup.questions import Met
from pipeline.lookup.rows import Row, rows

_FEWEST = 3  # people, before something counts as common to them
_BEYOND_CHANCE = 3  # standard errors: with some dozens of values compared, one in a dozen questions shows one by chance


def who_met(connection: duckdb.DuckDBPyConnection, met: Met, limit: int = 1000) -> Row:
    """Tell who met it.

    Args:
        connection: a scope.
        met: which acts.
        limit: the most users to list.

    Returns:
        `acts`, `users`, `businesses`, `visitors` (browsers of whom nobody is known), `first_at` and `last_at`, of all;
        `listed`: rows of user x Business with `user_id, name, email, business_id, business_name, times, first_at,
        last_at, next_did, next_route, visit_id, request_id` (what they did after the last time, and where that is),
        most times first; `by_business`: rows of `business_id, business_name, users, times, first_at, last_at`;
        `did_next`: rows of `next_did, next_route, acts, users`. `next_did` is `again` (the same, and it worked), `again
        in vain` (it did not work), `on` (something else) or `left` (the visit's last act), all but reports of pages.
    """
    condition, parameters = met.condition
    connection.execute("create or replace temp table met_acts as " + _MET_ACTS.format(condition=condition), parameters)
    try:
        total = rows(connection, _TOTAL)[0]
        return total | {
            "listed": rows(connection, _LISTED, {"limit": limit}),
            "by_business": rows(connection, _BY_BUSINESS),
            "did_next": rows(connection, _DID_NEXT),
        }
    finally:
        connection.execute("drop table met_acts")


_MET_ACTS = """
with met as (
    select request_id from clickstream where {condition}
),

of_visits as (
    select *
    from clickstream
    where date between $first and $last + 1
        and visit_id in (select visit_id from clickstream where {condition})
        and (kind <> 'event' or request_id in (from met))
),

followed as (
    select
        *,
        lead(method) over visit_order as next_method,
        lead(route) over visit_order as next_route,
        lead(status) over visit_order as next_status,
        lead(request_id) over visit_order as next_id,
    from of_visits
    window visit_order as (partition by visit_id order by visit_seq, request_id)
)

select
    user_id,
    business_id,
    visitor_id,
    visit_id,
    request_id,
    occurred_at,
    case when next_id is not null then next_route end as next_route,
    case
        when next_id is null then 'left'
        when next_method is distinct from method or next_route is distinct from route then 'on'
        when next_status >= 400 then 'again in vain'
        else 'again'
    end as next_did,
from followed
where request_id in (from met)
"""
_TOTAL = """
select
    count(*) as acts,
    count(distinct user_id) as users,
    count(distinct business_id) as businesses,
    count(distinct case when user_id is null then visitor_id end) as visitors,
    min(occurred_at) as first_at,
    max(occurred_at) as last_at,
from met_acts
"""
_LISTED = """
with by_user as (
    select
        user_id,
        business_id,
        count(*) as times,
        min(occurred_at) as first_at,
        max(occurred_at) as last_at,
        arg_max({did: next_did, route: next_route, visit: visit_id, request: request_id}, (occurred_at, request_id))
            as latest,
    from met_acts
    where user_id is not null
    group by user_id, business_id
)

select
    by_user.user_id,
    users.name,
    users.email,
    by_user.business_id,
    businesses.name as business_name,
    by_user.times,
    by_user.first_at,
    by_user.last_at,
    by_user.latest.did as next_did,
    by_user.latest.route as next_route,
    by_user.latest.visit as visit_id,
    by_user.latest.request as request_id,
from by_user
left join users on users.user_id = by_user.user_id
left join businesses on businesses.business_id = by_user.business_id
order by by_user.times desc, by_user.last_at desc, by_user.user_id, by_user.business_id
limit $limit
"""
_BY_BUSINESS = """
select
    met_acts.business_id,
    any_value(businesses.name) as business_name,
    count(distinct met_acts.user_id) as users,
    count(*) as times,
    min(met_acts.occurred_at) as first_at,
    max(met_acts.occurred_at) as last_at,
from met_acts
left join businesses on businesses.business_id = met_acts.business_id
where met_acts.business_id is not null
group by met_acts.business_id
order by users desc, times desc, met_acts.business_id
"""
_DID_NEXT = """
select next_did, case when next_did = 'on' then next_route end as next_route, count(*) as acts,
    count(distinct coalesce(user_id, visitor_id)) as users
from met_acts
group by all
order by acts desc, next_did, next_route nulls first
limit 20
"""


def in_common(connection: duckdb.DuckDBPyConnection, met: Met) -> list[Row]:
    """Tell what those who met it have in common, beside all who came to the same path in the period.

    Args:
        connection: a scope.
        met: which acts.

    Returns:
        Rows of `what` (browser, version, os, country, device or Business), `value`, `people` (users, else browsers) who
        met it with this value, `of` all who met it and are known in this, `share`; `usual_share` of all who came there;
        where at least three people have it and the share is larger than usual by three standard errors; most telling
        first.
    """
    condition, parameters = met.condition
    everywhere, _ = met.met_by_all.condition
    query = _IN_COMMON.format(condition=condition, everywhere=everywhere)
    return rows(connection, query, parameters | {"fewest": _FEWEST, "beyond": _BEYOND_CHANCE})


_IN_COMMON = """
with came as (
    select
        coalesce(user_id, visitor_id) as person,
        coalesce({condition}, false) as has_met,
        unnest([
            {{what: 'browser', value: browser}},
            {{what: 'version', value: browser || ' ' || split_part(browser_version, '.', 1)}},
            {{what: 'os', value: os}},
            {{what: 'country', value: country}},
            {{what: 'device', value: device_type}},
            {{what: 'Business', value: business_id}}
        ], recursive := true),
    from clickstream
    where {everywhere}
),

counted as (
    select
        what,
        value,
        count(distinct person) filter (where has_met) as people,
        count(distinct person) as people_who_came,
    from came
    where value is not null
    group by what, value
),

totals as (
    select what, count(distinct person) filter (where has_met) as of, count(distinct person) as all_who_came
    from came
    where value is not null
    group by what
)

select what, value, people, of, people / of as share, people_who_came / all_who_came as usual_share
from counted
inner join totals using (what)
where people >= $fewest
    and people / of - people_who_came / all_who_came
        > $beyond * sqrt(people_who_came / all_who_came * (1 - people_who_came / all_who_came) / of)
order by people / of - people_who_came / all_who_came desc, what, value
limit 12
"""
