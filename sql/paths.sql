-- paths: how often people went from one page to the next within their visits, by the day on which a visit starts.
-- grain: one row per day, Business, route come from and route gone to
-- key: date, business_id, from_route, to_route
-- inputs: page_steps
-- A visit is in one day only: times and visits of days can be summed. People and medians of a range cannot: ask the model
-- of the range.

select
    date,
    business_id,
    from_route,
    to_route,
    cast(count(*) as bigint) as times,
    cast(count(distinct visit_id) as bigint) as visits,
    cast(count(distinct user_id) as bigint) as users,
    cast(count(distinct visitor_id) as bigint) as visitors,
    median(seconds) as seconds,
from page_steps
where date between $first_day and $last_day
group by date, business_id, from_route, to_route
