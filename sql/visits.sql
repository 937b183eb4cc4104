-- visits: what one actor did without a gap of more than 30 minutes, on the day on which it starts.
-- grain: one row per visit
-- key: visit_id
-- inputs: visit_acts, requests, channel_rules
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
    from started
    inner join requests
        on requests.date = started.date
        and requests.request_id = started.request_id
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
        cast(extract(epoch from max(at_utc) - min(at_utc)) as double) as observed_s,
        cast(count(*) as bigint) as requests,
        cast(count(*) filter (where is_page_view) as bigint) as page_views,
        cast(count(*) filter (where kind in ('event', 'download') or (kind = 'api' and is_change)) as bigint) as acts,
        cast(count(*) filter (where status between 400 and 499) as bigint) as errors,
        cast(count(*) filter (where status >= 500) as bigint) as server_errors,
        coalesce(min_by(path, visit_seq) filter (where kind = 'page'), min_by(path, visit_seq)) as entry_path,
        coalesce(max_by(path, visit_seq) filter (where kind = 'page'), max_by(path, visit_seq)) as exit_path,
        min(visit_seq) filter (where referrer_medium <> 'internal') as source_seq,
        min_by(browser, visit_seq) as browser,
        min_by(os, visit_seq) as os,
        min_by(device_type, visit_seq) as device_type,
        min_by(country, visit_seq) filter (where visit_seq = 1) as country,
        min_by(region, visit_seq) filter (where visit_seq = 1) as region,
        min_by(city, visit_seq) filter (where visit_seq = 1) as city,
        bool_or(is_bot) as is_bot,
        bool_or(kind = 'api' and is_change) as has_change,
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

-- Each distinct text is matched with each distinct pattern once: texts are what a visitor chose, and may be very many.
source_matches as (
    select texts.source_name, patterns.source
    from (select distinct source_name from origins) as texts
    inner join (select distinct source from channel_rules where source is not null) as patterns
        on regexp_matches(texts.source_name, patterns.source)
),

medium_matches as (
    select texts.medium_name, patterns.medium
    from (select distinct medium_name from origins) as texts
    inner join (select distinct medium from channel_rules where medium is not null) as patterns
        on regexp_matches(texts.medium_name, patterns.medium)
),

campaign_matches as (
    select texts.campaign_name, patterns.campaign
    from (select distinct campaign_name from origins) as texts
    inner join (select distinct campaign from channel_rules where campaign is not null) as patterns
        on regexp_matches(texts.campaign_name, patterns.campaign)
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
    left join source_matches
        on source_matches.source_name = origins.source_name and source_matches.source = channel_rules.source
    left join medium_matches
        on medium_matches.medium_name = origins.medium_name and medium_matches.medium = channel_rules.medium
    left join campaign_matches
        on campaign_matches.campaign_name = origins.campaign_name
        and campaign_matches.campaign = channel_rules.campaign
    where (channel_rules.source is null or source_matches.source is not null)
        and (channel_rules.medium is null or medium_matches.medium is not null)
        and (channel_rules.campaign is null or campaign_matches.campaign is not null)
    group by origins.referrer_medium, origins.source_name, origins.medium_name, origins.campaign_name
),

channels as (
    select
        sources.*,
        coalesce(first_rules.channel, 'Unassigned') as channel,
        sources.requests > 1 as has_length,
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
    case when has_length then observed_s end as length_s,
    case when has_length then 'observed' else 'unknown' end as length_basis,
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
    page_views = 1 as is_single_page,
    page_views >= 2 or has_change or (has_length and observed_s > 10) as is_engaged,
    page_views = 1 and not (page_views >= 2 or has_change or (has_length and observed_s > 10)) as is_bounce,
from channels
