-- user_businesses: who is in which Business, and what they are known by there.
-- grain: one row per user and Business, of the directory or seen on lines
-- key: user_id, business_id
-- inputs: user_days, user_links, identifier_days, memberships

with

seen as (
    select
        user_id,
        business_id,
        min(first_at) as first_seen_at,
        max(last_at) as last_seen_at,
        cast(sum(visits) as bigint) as visits,
        max(last_error_at) as last_error_at,
    from user_days
    group by user_id, business_id
),

linked as (
    select
        user_links.user_id,
        identifier_days.business_id,
        user_links.identifier,
    from user_links
    inner join identifier_days
        on identifier_days.identifier_kind = user_links.identifier_kind
        and identifier_days.identifier = user_links.identifier
        and (user_links.valid_from is null or user_links.valid_from <= identifier_days.last_at)
        and (user_links.valid_to is null or user_links.valid_to >= identifier_days.first_at)
    where coalesce(identifier_days.user_id, user_links.user_id) = user_links.user_id
),

everyone as (
    select user_id, business_id from memberships
    union
    select user_id, business_id from seen
    union
    select user_id, business_id from linked
),

device_names as (
    select user_id, business_id, unnest(devices) as device
    from user_days
),

user_devices as (
    select user_id, business_id, list_sort(list(distinct device)) as devices
    from device_names
    group by user_id, business_id
),

all_identifiers as (
    select user_id, business_id, unnest(identifiers) as identifier
    from user_days
    union
    select user_id, business_id, identifier
    from linked
),

user_identifiers as (
    select user_id, business_id, list_sort(list(distinct identifier)) as identifiers
    from all_identifiers
    group by user_id, business_id
)

select
    everyone.user_id,
    everyone.business_id,
    memberships.role,
    memberships.user_id is not null as is_member,
    coalesce(user_identifiers.identifiers, []) as identifiers,
    coalesce(user_devices.devices, []) as devices,
    seen.first_seen_at,
    seen.last_seen_at,
    coalesce(seen.visits, 0) as visits,
    seen.last_error_at,
from everyone
left join memberships
    on memberships.user_id = everyone.user_id and memberships.business_id = everyone.business_id
left join seen
    on seen.user_id = everyone.user_id and seen.business_id is not distinct from everyone.business_id
left join user_devices
    on user_devices.user_id = everyone.user_id and user_devices.business_id is not distinct from everyone.business_id
left join user_identifiers
    on user_identifiers.user_id = everyone.user_id
    and user_identifiers.business_id is not distinct from everyone.business_id
