-- clickstream: who did what, in order, and in which visit.
-- grain: one row per act of the days
-- key: request_id
-- inputs: visit_acts, requests

with

day_acts as (
    select *
    from visit_acts
    where date between $first_day and $last_day
),

day_requests as (
    select *
    from requests
    where date between $first_day and $last_day
        and kind in ('page', 'api', 'event', 'download')
)

select
    day_acts.date,
    day_acts.request_id,
    day_acts.visit_id,
    day_acts.visit_seq,
    day_acts.occurred_at,
    day_acts.seconds_to_next,
    day_acts.visitor_id,
    day_acts.user_id,
    day_acts.business_id,
    day_acts.linked_by,
    day_acts.link_evidence,
    day_requests.source,
    day_requests.kind,
    day_requests.method,
    day_requests.host,
    day_requests.path,
    day_requests.route,
    day_requests.status,
    day_requests.duration_ms,
    day_requests.referrer,
    day_requests.browser,
    day_requests.os,
    day_requests.device_type,
    day_requests.is_bot,
from day_acts
inner join day_requests on day_requests.date = day_acts.date and day_requests.request_id = day_acts.request_id
