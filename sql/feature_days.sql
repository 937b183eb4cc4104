-- feature_days: how much somebody used a feature on a day, in which Business; people only, no bots.
-- grain: one row per day, feature, Business and user, or visitor of whom nobody is known
-- key: date, feature, business_id, user_id, visitor_id
-- inputs: clickstream, feature_keys, seen_pages
-- Acts of who asks not to be tracked, where the settings say that it matters, are no use by anybody.
-- An act that several features claim is a use of each. Time is spent on an act until the visit's next one; on the last,
-- as long as its page reported. Where no act of the row has such a time, it is unknown. It is added up in decimals, whose
-- sum is the same in any order.
-- In trouble is a use that failed (status of 400 or more) or was slow. Friction shows in what the visit did around it:
-- A retry repeats, in the same visit and at most 10 seconds later, a use in trouble of the same method, host, route,
-- event and label, whatever came in between. A page that asks again by itself counts too: logs do not tell who asked.
-- Abandoned is a use in trouble after which the visit did nothing more; reports that only tell times (hide, show, still)
-- are nothing done. As long as the visit may go on, this may change.
-- Back and forth is a page that was come to from another page (by path) and left for that same one again within 30
-- seconds. It is told of the page between, on its own day; reloads of a page are one page, told at the first of them.

with

people_acts as (
    select
        *,
        occurred_at at time zone 'UTC' as at_utc,
        coalesce(status >= 400, false) or coalesce(duration_ms > $slow_ms, false) as is_in_trouble,
        coalesce(event, '') in ('hide', 'show', 'still') as only_tells_times,
    from clickstream
    where date between $day_before and $day_after
        and not is_bot
        and opt_out is null
        and visit_id in (
            select clickstream.visit_id from clickstream where clickstream.date between $first_day and $last_day
        )
),

repeats as (
    select
        date,
        request_id,
        max(case when is_in_trouble then at_utc end) over (
            partition by visit_id, method, host, route, event, event_label
            order by visit_seq
            rows between unbounded preceding and 1 preceding
        ) >= at_utc - interval 10 seconds as is_retry,
    from people_acts
    where visit_id in (select troubled.visit_id from people_acts as troubled where troubled.is_in_trouble)
),

visit_ends as (
    select visit_id, max(visit_seq) as last_seq
    from people_acts
    where not only_tells_times
    group by visit_id
),

pages as (
    select
        *,
        lag(page) over (partition by visit_id order by visit_seq) as page_before,
    from seen_pages
    where date between $day_before and $day_after
        and visit_id in (select people_acts.visit_id from people_acts)
),

turns as (
    select
        date,
        request_id,
        page_before = lead(page) over (partition by visit_id order by visit_seq)
        and lead(at_utc) over (partition by visit_id order by visit_seq) <= at_utc + interval 30 seconds
            as is_back_and_forth,
    from pages
    where page_before is distinct from page
)

select
    people_acts.date,
    feature_keys.feature,
    people_acts.business_id,
    people_acts.user_id,
    case when people_acts.user_id is null then people_acts.visitor_id end as visitor_id,
    cast(count(*) as bigint) as uses,
    cast(count(distinct people_acts.visit_id) as bigint) as visits,
    cast(count(*) filter (where people_acts.status >= 400) as bigint) as errors,
    cast(count(*) filter (where people_acts.duration_ms > $slow_ms) as bigint) as slow,
    cast(count(*) filter (where repeats.is_retry) as bigint) as retries,
    cast(count(*) filter (where people_acts.is_in_trouble and people_acts.visit_seq = visit_ends.last_seq) as bigint)
        as abandoned,
    cast(count(*) filter (where turns.is_back_and_forth) as bigint) as back_and_forth,
    cast(sum(cast(coalesce(people_acts.seconds_to_next, people_acts.engaged_s) as decimal(18, 6))) as double)
        as spent_s,
    min(people_acts.occurred_at) as first_at,
    max(people_acts.occurred_at) as last_at,
from people_acts
inner join feature_keys
    on feature_keys.method is not distinct from people_acts.method
    and feature_keys.host is not distinct from people_acts.host
    and feature_keys.route is not distinct from people_acts.route
    and feature_keys.event is not distinct from people_acts.event
    and feature_keys.event_label is not distinct from people_acts.event_label
    and feature_keys.status is not distinct from people_acts.status
left join repeats on repeats.date = people_acts.date and repeats.request_id = people_acts.request_id
left join visit_ends on visit_ends.visit_id = people_acts.visit_id
left join turns on turns.date = people_acts.date and turns.request_id = people_acts.request_id
where people_acts.date between $first_day and $last_day
group by
    people_acts.date,
    feature_keys.feature,
    people_acts.business_id,
    people_acts.user_id,
    case when people_acts.user_id is null then people_acts.visitor_id end
