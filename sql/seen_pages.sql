-- seen_pages: which acts showed somebody a page; not a table, but the one definition that feature_days and paths share.
-- grain: one row per act that showed a page; no bots, nobody who asks not to be tracked where that matters
-- key: request_id
-- inputs: clickstream
-- A page is seen where its request was answered, with an error too, but not where the answer only sent on to another; and
-- where a page reported that its address changed without a request (`view`). Such a page's route is its path with the
-- segments named that need no settings, as pipeline/enrich/targets.py names them; its other rules are not known here.

with

shown as (
    select
        *,
        case when event = 'view' then event_page else path end as page,
    from clickstream
    where not is_bot
        and opt_out is null
        and (event = 'view' or kind = 'page')
        and (event = 'view' or status is null or status not between 300 and 399 or status = 304)
)

select
    date,
    request_id,
    visit_id,
    visit_seq,
    occurred_at at time zone 'UTC' as at_utc,
    page,
    case
        when event = 'view' then array_to_string(
            list_transform(
                string_split(page, '/'),
                lambda part: case
                    when regexp_full_match(part, '[0-9]{1,40}') then '{id}'
                    when regexp_full_match(part, '(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}') then '{uuid}'
                    when regexp_full_match(part, '[0-9]{4}-[0-9]{2}(-[0-9]{2})?') then '{date}'
                    when regexp_full_match(part, '(?i)[0-9a-f]{8,128}') and regexp_matches(part, '[0-9]') then '{hex}'
                    when regexp_full_match(part, '[^@]{1,64}(@|%40)[^@]{1,255}') then '{email}'
                    else part
                end
            ),
            '/'
        )
        else route
    end as route,
    coalesce(kind = 'page' and status >= 400, false) as is_failed,
    engaged_s,
from shown
where page is not null
