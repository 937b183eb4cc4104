-- visits: what one actor did without a gap of more than 30 minutes, on the day on which it starts.
-- grain: one row per visit
-- key: visit_id
-- inputs: visit_acts, requests
-- The visit's source is its first act that did not come from the service itself. Channels follow Google Analytics 4's
-- default channel group, first match wins; Display stands before Paid Other, so that `cpm` is Display, and assistants
-- have a channel of their own.

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
        lower(coalesce(joined.utm_source, '')) as source_name,
        lower(coalesce(joined.utm_medium, '')) as medium_name,
        lower(coalesce(joined.utm_campaign, '')) as campaign_name,
    from summed
    left join joined on joined.visit_id = summed.visit_id and joined.visit_seq = summed.source_seq
),

sites as (
    select
        *,
        referrer_medium = 'paid' or regexp_matches(medium_name, '^(.*cp.*|ppc|retargeting|paid.*)$') as is_paid,
        regexp_matches(campaign_name, '^(.*(([^a-df-z]|^)shop|shopping).*)$') as is_shopping,
        source_name in ('google', 'bing', 'duckduckgo', 'yahoo', 'ecosia', 'baidu', 'yandex', 'naver', 'qwant', 'brave')
            or referrer_medium = 'search'
            or (referrer_medium = 'paid' and source_name = '' and medium_name = '') as is_search_site,
        source_name in (
            'facebook', 'fb', 'instagram', 'ig', 'linkedin', 'twitter', 'x', 't.co', 'tiktok', 'reddit', 'pinterest',
            'snapchat', 'threads', 'bluesky', 'whatsapp'
        ) or referrer_medium = 'social' as is_social_site,
        source_name in ('youtube', 'vimeo', 'twitch', 'dailymotion', 'netflix', 'disneyplus') as is_video_site,
        source_name in ('amazon', 'ebay', 'etsy', 'walmart', 'alibaba', 'shopify', 'igshopping') as is_shopping_site,
    from sources
),

channels as (
    select
        *,
        case
            when referrer_medium = 'direct' and source_name = '' and medium_name in ('', '(none)', '(not set)')
                then 'Direct'
            when campaign_name like '%cross-network%' then 'Cross-network'
            when (is_shopping_site or is_shopping) and is_paid then 'Paid Shopping'
            when is_search_site and not is_social_site and is_paid and medium_name <> 'cpm' then 'Paid Search'
            when is_social_site and is_paid and medium_name <> 'cpm' then 'Paid Social'
            when is_video_site and is_paid and medium_name <> 'cpm' then 'Paid Video'
            when medium_name in ('display', 'banner', 'expandable', 'interstitial', 'cpm') then 'Display'
            when is_paid then 'Paid Other'
            when is_shopping_site or is_shopping then 'Organic Shopping'
            when is_social_site
                or medium_name in ('social', 'social-network', 'social-media', 'sm', 'social network', 'social media')
                then 'Organic Social'
            when is_video_site or medium_name like '%video%' then 'Organic Video'
            when medium_name = 'organic' or (is_search_site and medium_name = '') then 'Organic Search'
            when referrer_medium = 'ai' and medium_name = '' then 'AI Assistant'
            when regexp_matches(source_name, '^e[-_ ]?mail$') or regexp_matches(medium_name, '^e[-_ ]?mail$')
                or (referrer_medium = 'email' and medium_name = '') then 'Email'
            when medium_name = 'affiliate' then 'Affiliates'
            when medium_name in ('referral', 'app', 'link') or (referrer_medium = 'referral' and medium_name = '')
                then 'Referral'
            when medium_name = 'audio' then 'Audio'
            when source_name = 'sms' or medium_name = 'sms' then 'SMS'
            when medium_name like '%push' or medium_name like '%mobile%' or medium_name like '%notification%'
                or source_name = 'firebase' then 'Mobile Push Notifications'
            else 'Unassigned'
        end as channel,
        requests > 1 as has_length,
    from sites
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
