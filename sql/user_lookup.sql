-- user_lookup: what support searches.
-- grain: one row per user, of the directory or seen on lines
-- key: user_id
-- inputs: user_days, user_links, users, memberships, businesses

with

everyone as (
    select user_id from users
    union
    select user_id from user_days
),

seen as (
    select
        user_id,
        min(first_at) as first_seen_at,
        max(last_at) as last_seen_at,
        cast(sum(visits) as bigint) as visits,
        max(last_error_at) as last_error_at,
    from user_days
    group by user_id
),

device_names as (
    select user_id, unnest(devices) as device
    from user_days
),

user_devices as (
    select user_id, list_sort(list(distinct device)) as devices
    from device_names
    group by user_id
),

day_identifiers as (
    select user_id, unnest(identifiers) as identifier
    from user_days
    union
    select user_id, identifier
    from user_links
),

user_identifiers as (
    select user_id, list_sort(list(distinct identifier)) as identifiers
    from day_identifiers
    group by user_id
),

user_businesses as (
    select user_id, business_id from memberships
    union
    select user_id, business_id from user_days where business_id is not null
),

named_businesses as (
    select
        user_businesses.user_id,
        user_businesses.business_id,
        coalesce(businesses.name, user_businesses.business_id) as business_name,
    from user_businesses
    left join businesses on businesses.business_id = user_businesses.business_id
),

listed_businesses as (
    select
        user_id,
        list_sort(list((business_id, business_name))) as pairs,
    from named_businesses
    group by user_id
)

select
    everyone.user_id,
    users.name,
    users.email,
    lower(strip_accents(concat_ws(' ', users.name, users.email, everyone.user_id))) as search_text,
    coalesce(list_transform(listed_businesses.pairs, lambda pair: pair[1]), []) as business_ids,
    coalesce(list_transform(listed_businesses.pairs, lambda pair: pair[2]), []) as business_names,
    coalesce(user_identifiers.identifiers, []) as identifiers,
    coalesce(user_devices.devices, []) as devices,
    seen.first_seen_at,
    seen.last_seen_at,
    coalesce(seen.visits, 0) as visits,
    seen.last_error_at,
from everyone
left join users on users.user_id = everyone.user_id
left join seen on seen.user_id = everyone.user_id
left join user_devices on user_devices.user_id = everyone.user_id
left join user_identifiers on user_identifiers.user_id = everyone.user_id
left join listed_businesses on listed_businesses.user_id = everyone.user_id
