-- page_steps: how each visit went from page to page, by the day on which it starts.
-- grain: one row per page of a visit, with the page after it, and one that leads to its first
-- key: visit_id, step
-- inputs: visits, seen_pages
-- A step is a page that was seen and did not fail, by its route; the same route again is no other step, be it a reload or
-- another client's page. A visit begins from null and ends to null; one without any page is not told. Visits in which any
-- act is a bot's, or asks not to be tracked where that matters, are left out. Seconds are from a step to the next; on the
-- last step, as long as its pages reported.
-- A visit spans two days at most (see visit_acts), so its day and the day after hold all of it.

with

of_days as (
    select date, visit_id, business_id, user_id, visitor_id
    from visits
    where date between $first_day and $last_day
        and not is_bot
        and opt_out is null
),

pages as (
    select
        of_days.date,
        of_days.visit_id,
        of_days.business_id,
        of_days.user_id,
        case when of_days.user_id is null then of_days.visitor_id end as visitor_id,
        seen_pages.visit_seq,
        seen_pages.at_utc,
        seen_pages.route,
        seen_pages.engaged_s,
        lag(seen_pages.route) over (partition by of_days.visit_id order by seen_pages.visit_seq) as route_before,
    from of_days
    inner join seen_pages on seen_pages.visit_id = of_days.visit_id
    where seen_pages.date between $first_day and $day_after
        and not seen_pages.is_failed
        and seen_pages.route is not null
),

steps as (
    select
        *,
        cast(
            sum(case when route_before is distinct from route then 1 else 0 end) over (
                partition by visit_id
                order by visit_seq
                rows between unbounded preceding and current row
            ) as bigint
        ) as step,
    from pages
),

stays as (
    select
        date,
        visit_id,
        business_id,
        user_id,
        visitor_id,
        step,
        min(route) as route,
        min(at_utc) as at_utc,
        cast(sum(cast(engaged_s as decimal(18, 6))) as double) as engaged_s,
    from steps
    group by date, visit_id, business_id, user_id, visitor_id, step
)

select
    * exclude (route, at_utc, engaged_s) replace (cast(0 as bigint) as step),
    cast(null as varchar) as from_route,
    route as to_route,
    cast(null as double) as seconds,
from stays
where step = 1

union all

select
    * exclude (route, at_utc, engaged_s),
    route as from_route,
    lead(route) over (partition by visit_id order by step) as to_route,
    coalesce(
        (epoch_us(lead(at_utc) over (partition by visit_id order by step)) - epoch_us(at_utc)) / 1e6,
        engaged_s
    ) as seconds,
from stays
