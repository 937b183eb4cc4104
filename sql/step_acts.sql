-- step_acts: acts of people, as feature_days counts them, that are a step of a funnel: not a table, but what tables and questions share.
-- grain: one row per act of the days and step of a funnel that it is
-- key: request_id, funnel, step
-- inputs: clickstream, feature_keys, funnel_steps

select
    clickstream.date,
    funnel_steps.funnel,
    funnel_steps.step,
    clickstream.business_id,
    clickstream.user_id,
    case when clickstream.user_id is null then clickstream.visitor_id end as visitor_id,
    clickstream.visit_id,
    clickstream.visit_seq,
    clickstream.occurred_at,
    clickstream.request_id,
    clickstream.status,
from clickstream
inner join feature_keys
    on feature_keys.method is not distinct from clickstream.method
    and feature_keys.host is not distinct from clickstream.host
    and feature_keys.route is not distinct from clickstream.route
    and feature_keys.event is not distinct from clickstream.event
    and feature_keys.event_label is not distinct from clickstream.event_label
    and feature_keys.status is not distinct from clickstream.status
inner join funnel_steps on funnel_steps.feature = feature_keys.feature
where clickstream.date between $first_day and $last_day
    and not clickstream.is_bot
    and clickstream.opt_out is null
