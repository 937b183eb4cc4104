-- clickstream: who did what, in order, and in which visit.
-- grain: one row per act of the days
-- key: request_id
-- inputs: visit_acts, requests, page_reports
-- How long a page was looked at is what it reported until the visit's end. A report is about the first request of its page,
-- or report of its view, that came no sooner than the view began (less two seconds: logs tell seconds, and clocks are
-- read at either end of a request); where the visit has none, the time stands with the report itself.

with

near_requests as (
    select *
    from requests
    where date between $day_before and $day_after
        and kind in ('page', 'api', 'event', 'download')
),

placed as (
    select
        visit_acts.date,
        visit_acts.request_id,
        visit_acts.visit_id,
        visit_acts.visit_seq,
        case when near_requests.kind = 'page' then near_requests.path else page_reports.event_page end as page,
        case
            when coalesce(page_reports.event, 'view') = 'view' then visit_acts.at_utc
            else visit_acts.at_utc - to_milliseconds(coalesce(page_reports.age_ms, 0)) - interval 2 seconds
        end as begun_at,
        case when near_requests.kind = 'page' or page_reports.event = 'view' then visit_acts.visit_seq end as page_seq,
        page_reports.event,
        page_reports.event_label,
        page_reports.event_page,
        page_reports.looked_at_s,
    from visit_acts
    inner join near_requests
        on near_requests.date = visit_acts.date and near_requests.request_id = visit_acts.request_id
    left join page_reports
        on page_reports.date = visit_acts.date and page_reports.request_id = visit_acts.request_id
),

about as (
    select
        *,
        first_value(page_seq ignore nulls) over (
            partition by visit_id, page
            order by begun_at, page_seq nulls first, visit_seq
            rows between current row and unbounded following
        ) as next_page_seq,
    from placed
),

stays as (
    select
        visit_id,
        case when next_page_seq < visit_seq then next_page_seq else visit_seq end as visit_seq,
        sum(looked_at_s) as engaged_s,
    from about
    where looked_at_s is not null
    group by visit_id, case when next_page_seq < visit_seq then next_page_seq else visit_seq end
),

day_acts as (
    select *
    from visit_acts
    where date between $first_day and $last_day
)

select
    day_acts.date,
    day_acts.request_id,
    day_acts.visit_id,
    day_acts.visit_seq,
    day_acts.occurred_at,
    day_acts.seconds_to_next,
    stays.engaged_s,
    day_acts.visitor_id,
    day_acts.user_id,
    day_acts.business_id,
    day_acts.linked_by,
    day_acts.link_evidence,
    near_requests.source,
    near_requests.kind,
    near_requests.method,
    near_requests.host,
    near_requests.path,
    near_requests.route,
    placed.event,
    placed.event_label,
    placed.event_page,
    near_requests.status,
    near_requests.duration_ms,
    near_requests.referrer,
    near_requests.browser,
    near_requests.os,
    near_requests.device_type,
    near_requests.is_bot,
from day_acts
inner join near_requests on near_requests.date = day_acts.date and near_requests.request_id = day_acts.request_id
inner join placed on placed.date = day_acts.date and placed.request_id = day_acts.request_id
left join stays on stays.visit_id = day_acts.visit_id and stays.visit_seq = day_acts.visit_seq
