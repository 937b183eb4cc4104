-- feature_days: how much somebody used a feature on a day, in which Business; people only, no bots.
-- grain: one row per day, feature, Business and user, or visitor of whom nobody is known
-- key: date, feature, business_id, user_id, visitor_id
-- inputs: clickstream, feature_keys
-- An act that several features claim is a use of each. Time is spent on an act until the visit's next one; on the last,
-- as long as its page reported. Where no act of the row has such a time, it is unknown.

with

people_acts as (
    select *
    from clickstream
    where date between $first_day and $last_day
        and not is_bot
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
    sum(coalesce(people_acts.seconds_to_next, people_acts.engaged_s)) as spent_s,
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
group by
    people_acts.date,
    feature_keys.feature,
    people_acts.business_id,
    people_acts.user_id,
    case when people_acts.user_id is null then people_acts.visitor_id end
