-- user_links: which identifier belongs to which user, since when, and what shows it.
-- grain: one row per identifier, user and method
-- key: identifier_kind, identifier, user_id, method
-- inputs: identifier_days, users
-- on_line: a line named the user beside the identifier.
-- identifier: a login name that is one user's id or email in the directory; else one that lines only ever gave one user.
-- visitor_cookie: a cookie that only ever had one user, over all it was seen: retroactive, and gone when a second comes.

with

directory_names as (
    select lower(user_id) as name, user_id from users
    union
    select lower(email) as name, user_id from users where email is not null
),

directory_logins as (
    select name, min(user_id) as user_id
    from directory_names
    group by name
    having count(distinct user_id) = 1
),

line_logins as (
    select identifier as login, min(user_id) as user_id
    from identifier_days
    where identifier_kind = 'login' and user_id is not null
    group by identifier
    having count(distinct user_id) = 1
),

logins as (
    select distinct identifier as login
    from identifier_days
    where identifier_kind = 'login'
),

login_users as (
    select logins.login, coalesce(directory_logins.user_id, line_logins.user_id) as user_id
    from logins
    left join directory_logins on directory_logins.name = lower(logins.login)
    left join line_logins on line_logins.login = logins.login
),

seen as (
    select identifier_days.*, coalesce(identifier_days.user_id, login_users.user_id) as known_user_id
    from identifier_days
    left join login_users on login_users.login = identifier_days.login
),

spans as (
    select identifier_kind, identifier, min(first_at) as first_at, max(last_at) as last_at
    from seen
    group by identifier_kind, identifier
),

with_users as (
    select
        identifier_kind,
        identifier,
        known_user_id as user_id,
        min(first_at) as first_at,
        max(last_at) as last_at,
        min_by(first_request_id, (first_at, first_request_id)) as evidence,
        case when count(distinct business_id) = 1 then min(business_id) end as business_id,
    from seen
    where known_user_id is not null
    group by identifier_kind, identifier, known_user_id
),

on_line as (
    select
        identifier_kind,
        identifier,
        user_id,
        'on_line' as method,
        min_by(first_request_id, (first_at, first_request_id)) as evidence,
        case when count(distinct business_id) = 1 then min(business_id) end as business_id,
        min(first_at) as valid_from,
        max(last_at) as valid_to,
    from identifier_days
    where user_id is not null
    group by identifier_kind, identifier, user_id
),

by_login as (
    select
        identifier_kind,
        identifier,
        user_id,
        'identifier' as method,
        evidence,
        business_id,
        first_at as valid_from,
        last_at as valid_to,
    from with_users
    where identifier_kind = 'login'
        and (identifier, user_id) in (select (login, user_id) from login_users where user_id is not null)
),

single_users as (
    select identifier
    from with_users
    where identifier_kind = 'visitor'
    group by identifier
    having count(*) = 1
),

by_cookie as (
    select
        with_users.identifier_kind,
        with_users.identifier,
        with_users.user_id,
        'visitor_cookie' as method,
        with_users.evidence,
        with_users.business_id,
        spans.first_at as valid_from,
        spans.last_at as valid_to,
    from with_users
    inner join single_users on single_users.identifier = with_users.identifier
    inner join spans
        on spans.identifier_kind = with_users.identifier_kind and spans.identifier = with_users.identifier
    where with_users.identifier_kind = 'visitor'
)

select * from on_line
union all
select * from by_login
union all
select * from by_cookie
