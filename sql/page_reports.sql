-- page_reports: what pages told of themselves through pipeline/beacon/trail.js; not a table, but what clickstream and
-- visits share.
-- grain: one row per event of the days and of a day on either side that is a page's report
-- key: request_id
-- inputs: requests
-- A query holds e (what happened: hide, show, still, view, click or the page's own word), v (the view of the page), a (ms
-- since the view began), t (ms looked at since the last report), p (the page's path), and l (what was clicked).
-- Anybody may send such a query: times that the script cannot have sent are left out.

with

events as (
    select date, request_id, occurred_at at time zone 'UTC' as at_utc, query
    from requests
    where date between $day_before and $day_after
        and kind = 'event'
        and regexp_matches(query, '(^|&)v=[0-9a-z]{4,32}(&|$)')
        and regexp_matches(query, '(^|&)e=[^&]')
),

told as (
    select
        date,
        request_id,
        at_utc,
        regexp_extract(query, '(?:^|&)e=([^&]+)', 1) as event,
        nullif(regexp_extract(query, '(?:^|&)l=([^&]+)', 1), '') as event_label,
        nullif(regexp_extract(query, '(?:^|&)p=([^&]+)', 1), '') as event_page,
        try_cast(nullif(regexp_extract(query, '(?:^|&)a=([0-9]{1,10})(?:&|$)', 1), '') as bigint) as age_ms,
        try_cast(nullif(regexp_extract(query, '(?:^|&)t=([0-9]{1,10})(?:&|$)', 1), '') as bigint) as looked_at_ms,
    from events
)

select
    date,
    request_id,
    coalesce(try(url_decode(event)), event) as event,
    coalesce(try(url_decode(event_label)), event_label) as event_label,
    coalesce(try(url_decode(event_page)), event_page) as event_page,
    at_utc - to_milliseconds(coalesce(age_ms, 0)) as begun_at,
    case when looked_at_ms <= age_ms + 1000 and looked_at_ms <= 3600000 then looked_at_ms end as looked_at_ms,
from told
