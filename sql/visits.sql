-- visits: what one actor did without a gap of more than 30 minutes, on the day on which it starts.
-- grain: one row per visit
-- key: visit_id
-- inputs: visit_acts, requests, page_reports, channel_rules
-- The whole stay is known where it ends with the page begun last reporting to be hidden: from the first act to there, and
-- what a page that reports first was looked at before.
-- The visit's source is its first act that did not come from the service itself. Its channel is the first rule's that
-- matches (pipeline/channels.toml).

with

started as (
    select *
    from visit_acts
    where visit_date between $first_day and $last_day
),

joined as (
    select
        started.visit_date,
        started.visit_id,
        started.visit_seq,
        started.occurred_at,
        started.at_utc,
        started.visitor_id,
        started.user_id,
        started.business_id,
        requests.* exclude (date, request_id, occurred_at, visitor_id, user_id, business_id),
        requests.method in ('POST', 'PUT', 'PATCH', 'DELETE') as is_change,
        requests.kind = 'page' and coalesce(requests.status, 200) < 400 as is_page_view,
        case when requests.kind = 'page' then requests.path else page_reports.event_page end as page,
        page_reports.event,
        page_reports.looked_at_ms,
        coalesce(page_reports.begun_at, started.at_utc) as begun_at,
    from started
    inner join requests
        on requests.date = started.date
        and requests.request_id = started.request_id
    left join page_reports
        on page_reports.date = started.date
        and page_reports.request_id = started.request_id
    where requests.date between $first_day and $day_after
),

summed as (
    select
        visit_date as date,
        visit_id,
        min_by(visitor_id, visit_seq) as visitor_id,
        min(user_id) as user_id,
        min(business_id) as business_id,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        (epoch_us(max(at_utc)) - epoch_us(min(at_utc))) / 1e6 as observed_s,
        cast(count(*) as bigint) as requests,
        cast(count(*) filter (where is_page_view) as bigint) as page_views,
        cast(
            count(*) filter (
                where kind = 'download'
                    or (kind = 'event' and coalesce(event, '') not in ('hide', 'show', 'still'))
                    or (kind = 'api' and is_change)
            ) as bigint
        ) as acts,
        cast(count(*) filter (where status between 400 and 499) as bigint) as errors,
        cast(count(*) filter (where status >= 500) as bigint) as server_errors,
        coalesce(min_by(page, visit_seq) filter (where page is not null), min_by(path, visit_seq)) as entry_path,
        coalesce(max_by(page, (begun_at, visit_seq)) filter (where page is not null), max_by(path, visit_seq))
            as exit_path,
        min(visit_seq) filter (where referrer_medium <> 'internal' and kind <> 'event') as source_seq,
        min_by(browser, visit_seq) as browser,
        min_by(os, visit_seq) as os,
        min_by(device_type, visit_seq) as device_type,
        min_by(country, visit_seq) filter (where visit_seq = 1) as country,
        min_by(region, visit_seq) filter (where visit_seq = 1) as region,
        min_by(city, visit_seq) filter (where visit_seq = 1) as city,
        bool_or(is_bot) as is_bot,
        max(opt_out) filter (where $opt_out = 'any' or contains(opt_out, $opt_out)) as opt_out,
        bool_or(kind = 'api' and is_change) as has_change,
        coalesce(max(at_utc) filter (where event = 'hide') = max(at_utc), false)
            and coalesce(
                max_by(page, (begun_at, visit_seq)) filter (where event = 'hide')
                = max_by(page, (begun_at, visit_seq)) filter (where page is not null),
                false
            ) as has_end,
        coalesce(max(looked_at_ms) filter (where visit_seq = 1), 0) / 1000.0 as before_s,
        cast(sum(looked_at_ms) as bigint) / 1000.0 as engaged_s,
    from joined
    group by visit_date, visit_id
),

sources as (
    select
        summed.*,
        joined.referrer,
        coalesce(joined.referrer_medium, 'direct') as referrer_medium,
        joined.referrer_name,
        joined.utm_source,
        joined.utm_medium,
        joined.utm_campaign,
        joined.utm_term,
        joined.utm_content,
        lower(trim(coalesce(joined.utm_source, ''))) as source_name,
        lower(trim(coalesce(joined.utm_medium, ''))) as medium_name,
        lower(trim(coalesce(joined.utm_campaign, ''))) as campaign_name,
    from summed
    left join joined on joined.visit_id = summed.visit_id and joined.visit_seq = summed.source_seq
),

origins as (
    select distinct referrer_medium, source_name, medium_name, campaign_name
    from sources
),

texts as (
    select distinct 'source' as field, source_name as text from origins
    union all
    select distinct 'medium' as field, medium_name as text from origins
    union all
    select distinct 'campaign' as field, campaign_name as text from origins
),

patterns as (
    select distinct 'source' as field, source as pattern from channel_rules where source is not null
    union all
    select distinct 'medium' as field, medium as pattern from channel_rules where medium is not null
    union all
    select distinct 'campaign' as field, campaign as pattern from channel_rules where campaign is not null
),

-- Each distinct text is matched with each pattern once: texts are what a visitor chose, and may be very many.
matches as (
    select texts.field, texts.text, patterns.pattern
    from texts
    inner join patterns on patterns.field = texts.field and regexp_matches(texts.text, patterns.pattern)
),

first_rules as (
    select
        origins.referrer_medium,
        origins.source_name,
        origins.medium_name,
        origins.campaign_name,
        min_by(channel_rules.channel, channel_rules.rank) as channel,
    from origins
    inner join channel_rules
        on channel_rules.referrer is null or channel_rules.referrer = origins.referrer_medium
    left join matches as sources_matched
        on sources_matched.field = 'source'
        and sources_matched.text = origins.source_name
        and sources_matched.pattern = channel_rules.source
    left join matches as media_matched
        on media_matched.field = 'medium'
        and media_matched.text = origins.medium_name
        and media_matched.pattern = channel_rules.medium
    left join matches as campaigns_matched
        on campaigns_matched.field = 'campaign'
        and campaigns_matched.text = origins.campaign_name
        and campaigns_matched.pattern = channel_rules.campaign
    where (channel_rules.source is null or sources_matched.pattern is not null)
        and (channel_rules.medium is null or media_matched.pattern is not null)
        and (channel_rules.campaign is null or campaigns_matched.pattern is not null)
    group by origins.referrer_medium, origins.source_name, origins.medium_name, origins.campaign_name
),

channels as (
    select
        sources.*,
        coalesce(first_rules.channel, 'Unassigned') as channel,
        case
            when sources.has_end and (sources.requests > 1 or sources.before_s > 0) then 'events'
            when sources.requests > 1 then 'observed'
            else 'unknown'
        end as length_basis,
        case
            when sources.has_end and (sources.requests > 1 or sources.before_s > 0) then observed_s + before_s
            when sources.requests > 1 then observed_s
        end as length_s,
    from sources
    left join first_rules
        on first_rules.referrer_medium = sources.referrer_medium
        and first_rules.source_name = sources.source_name
        and first_rules.medium_name = sources.medium_name
        and first_rules.campaign_name = sources.campaign_name
)

select
    date,
    visit_id,
    visitor_id,
    user_id,
    business_id,
    started_at,
    ended_at,
    observed_s,
    length_s,
    length_basis,
    engaged_s,
    requests,
    page_views,
    acts,
    errors,
    server_errors,
    entry_path,
    exit_path,
    referrer,
    referrer_medium,
    referrer_name,
    channel,
    utm_source,
    utm_medium,
    utm_campaign,
    utm_term,
    utm_content,
    browser,
    os,
    device_type,
    country,
    region,
    city,
    is_bot,
    opt_out,
    page_views = 1 as is_single_page,
    page_views >= 2 or has_change or coalesce(length_s > 10, false) as is_engaged,
    page_views = 1 and not (page_views >= 2 or has_change or coalesce(length_s > 10, false)) as is_bounce,
from channels
