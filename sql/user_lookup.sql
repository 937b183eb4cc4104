-- user_lookup: what support searches.
-- grain: one row per user, of the directory or seen on lines
-- key: user_id
-- inputs: user_businesses, users, businesses

with

everyone as (
    select user_id from users
    union
    select user_id from user_businesses
),

seen as (
    select
        user_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        cast(sum(visits) as bigint) as visits,
        max(last_error_at) as last_error_at,
        list_sort(list_distinct(flatten(list(devices)))) as devices,
        list_sort(list_distinct(flatten(list(identifiers)))) as identifiers,
    from user_businesses
    group by user_id
),

named_businesses as (
    select
        user_businesses.user_id,
        user_businesses.business_id,
        coalesce(businesses.name, user_businesses.business_id) as business_name,
    from user_businesses
    left join businesses on businesses.business_id = user_businesses.business_id
    where user_businesses.business_id is not null
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
    strip_accents(lower(concat_ws(' ', users.name, users.email, everyone.user_id))) as search_text,
    coalesce(list_transform(listed_businesses.pairs, lambda pair: pair[1]), []) as business_ids,
    coalesce(list_transform(listed_businesses.pairs, lambda pair: pair[2]), []) as business_names,
    coalesce(seen.identifiers, []) as identifiers,
    coalesce(seen.devices, []) as devices,
    seen.first_seen_at,
    seen.last_seen_at,
    coalesce(seen.visits, 0) as visits,
    seen.last_error_at,
from everyone
left join users on users.user_id = everyone.user_id
left join seen on seen.user_id = everyone.user_id
left join listed_businesses on listed_businesses.user_id = everyone.user_id
