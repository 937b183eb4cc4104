-- identifier_days: which identifiers were seen on a day, and with whom; the index from a link to the days it touches.
-- grain: one row per day, identifier, login, user and Business on the same lines
-- key: date, identifier_kind, identifier, login, user_id, business_id
-- inputs: requests
-- Cookies (c-) and login names identify. A hash of address and user agent (h-) never does: it is here with the users
-- seen on it, to tell whether several share it.

with

day_acts as (
    select date, occurred_at, request_id, visitor_id, identifier as login, user_id, business_id
    from requests
    where date between $first_day and $last_day
        and kind in ('page', 'api', 'event', 'download')
),

seen as (
    select 'visitor' as identifier_kind, visitor_id as identifier, *
    from day_acts
    where visitor_id like 'c-%'

    union all

    select 'login' as identifier_kind, login as identifier, *
    from day_acts
    where login is not null

    union all

    select 'address' as identifier_kind, visitor_id as identifier, *
    from day_acts
    where visitor_id like 'h-%' and (user_id is not null or login is not null)
)

select
    date,
    identifier_kind,
    identifier,
    login,
    user_id,
    business_id,
    min(occurred_at) as first_at,
    max(occurred_at) as last_at,
    min_by(request_id, (occurred_at, request_id)) as first_request_id,
    cast(count(*) as bigint) as acts
from seen
group by date, identifier_kind, identifier, login, user_id, business_id
