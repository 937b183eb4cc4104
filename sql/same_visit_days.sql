-- same_visit_days: which anonymous acts were given to a user since the same visit had no other; by day.
-- grain: one row per day, visitor and user
-- key: date, visitor_id, user_id
-- inputs: acts

with

linked as (
    select *
    from acts
    where date between $first_day and $last_day
        and linked_by = 'same_visit'
)

select
    date,
    visitor_id,
    user_id,
    case when count(distinct business_id) = 1 then min(business_id) end as business_id,
    min(occurred_at) as first_at,
    max(occurred_at) as last_at,
    min_by(link_evidence, (occurred_at, request_id)) as evidence,
    cast(count(*) as bigint) as acts
from linked
group by date, visitor_id, user_id
