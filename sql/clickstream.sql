-- clickstream: who did what, in order, and in which visit.
-- grain: one row per act of the days
-- key: request_id
-- inputs: visit_acts, requests, page_reports
-- How long a page was looked at is what it reported until the visit's end. A report is about the first request of its page,
-- or report of its view, that came no sooner than the view began (less two seconds: logs tell seconds, and clocks are
-- read at either end of a request); where the visit has none, the time stands with the report itself.

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
),

reports as (
    select
        visit_acts.visit_id,
        visit_acts.visit_seq,
        page_reports.date,
        page_reports.request_id,
        page_reports.event,
        page_reports.event_label,
        page_reports.event_page,
        page_reports.begun_at,
        page_reports.looked_at_ms,
    from page_reports
    inner join visit_acts
        on visit_acts.date = page_reports.date and visit_acts.request_id = page_reports.request_id
),

reported_acts as (
    select visit_acts.date, visit_acts.request_id, visit_acts.visit_id, visit_acts.visit_seq, visit_acts.at_utc
    from visit_acts
    where visit_acts.visit_id in (select reports.visit_id from reports)
),

pages as (
    select reported_acts.visit_id, reported_acts.visit_seq, reported_acts.at_utc, requests.path
    from reported_acts
    inner join requests on requests.date = reported_acts.date and requests.request_id = reported_acts.request_id
    where requests.date between $day_before and $day_after
        and requests.kind = 'page'
),

placed as (
    select visit_id, visit_seq, path as page, at_utc as begun_at, visit_seq as page_seq, cast(null as bigint) as looked_at_ms
    from pages

    union all

    select
        visit_id,
        visit_seq,
        event_page as page,
        begun_at - interval 2 seconds as begun_at,
        case when event = 'view' then visit_seq end as page_seq,
        looked_at_ms,
    from reports
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
        cast(sum(looked_at_ms) as bigint) / 1000.0 as engaged_s,
    from about
    where looked_at_ms is not null
    group by visit_id, case when next_page_seq < visit_seq then next_page_seq else visit_seq end
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
    day_requests.source,
    day_requests.kind,
    day_requests.method,
    day_requests.host,
    day_requests.path,
    day_requests.route,
    reports.event,
    reports.event_label,
    reports.event_page,
    day_requests.status,
    day_requests.duration_ms,
    day_requests.referrer,
    day_requests.browser,
    day_requests.browser_version,
    day_requests.os,
    day_requests.os_version,
    day_requests.device_type,
    day_requests.country,
    day_requests.is_bot,
    case when $opt_out = 'any' or contains(day_requests.opt_out, $opt_out) then day_requests.opt_out end as opt_out,
from day_acts
inner join day_requests on day_requests.date = day_acts.date and day_requests.request_id = day_acts.request_id
left join reports on reports.date = day_acts.date and reports.request_id = day_acts.request_id
left join stays on stays.visit_id = day_acts.visit_id and stays.visit_seq = day_acts.visit_seq
