-- identifier_links: whose an identifier is beyond what lines say: by rule, by a person's word, or nobody's where shared.
-- grain: one row per identifier, user, method and beginning of the span
-- key: identifier_kind, identifier, user_id, method, valid_from
-- inputs: identifier_days, users, link_corrections, erased_owners
-- correction: a person said so, for a span or always.
-- removed: a person said that it is not: no rule gives it to that user.
-- shared: seen with more than $shared_users users (an address with a user agent: with more than one), it links nothing;
-- has no user.
-- identifier: a login name that is one user's id or email in the directory; else one that lines only ever gave one user.
-- visitor_cookie: a cookie that only ever had one user, over all it was seen: retroactive, and gone when a second comes.
-- Users who were erased count as those they were, in erased_owners: what they shared does not become another's.
-- What a person said counts for both: a cookie said to be another's, for however long, has not only had one user.

with

erased as (
    select
        identifier_kind,
        identifier,
        cast(sum(users) as bigint) as users,
        cast(sum(owners) as bigint) as owners,
    from erased_owners
    group by identifier_kind, identifier
),

directory_names as (
    select lower(user_id) as name, user_id from users
    union
    select lower(email) as name, user_id from users where email is not null
),

directory_logins as (
    select directory_names.name, min(directory_names.user_id) as user_id
    from directory_names
    left join erased on erased.identifier_kind = 'name' and erased.identifier = directory_names.name
    where erased.users is null
    group by directory_names.name
    having count(distinct directory_names.user_id) = 1
),

lines_with_logins as (
    select identifier as login, min(user_id) as user_id, cast(count(distinct user_id) as bigint) as users
    from identifier_days
    where identifier_kind = 'login'
    group by identifier
),

line_logins as (
    select
        lines_with_logins.login,
        lines_with_logins.user_id,
        cast(lines_with_logins.users + coalesce(erased.users, 0) as bigint) as users,
    from lines_with_logins
    left join erased on erased.identifier_kind = 'login' and erased.identifier = lines_with_logins.login
    where lines_with_logins.users > 0 or erased.users is not null
),

removed as (
    select identifier_kind, identifier, user_id
    from link_corrections
    where verdict = 'remove'
),

logins as (
    select distinct identifier as login
    from identifier_days
    where identifier_kind = 'login'
),

named_logins as (
    select
        logins.login,
        coalesce(directory_logins.user_id, case when line_logins.users = 1 then line_logins.user_id end) as user_id,
    from logins
    left join directory_logins on directory_logins.name = lower(logins.login)
    left join line_logins on line_logins.login = logins.login
    where coalesce(line_logins.users, 0) <= $shared_users
),

login_users as (
    select named_logins.login, named_logins.user_id
    from named_logins
    left join removed
        on removed.identifier_kind = 'login'
        and removed.identifier = named_logins.login
        and removed.user_id = named_logins.user_id
    where named_logins.user_id is not null and removed.user_id is null
),

seen as (
    select identifier_days.*, coalesce(identifier_days.user_id, login_users.user_id) as known_user_id
    from identifier_days
    left join login_users on login_users.login = identifier_days.login
),

spans as (
    select
        identifier_kind,
        identifier,
        min(first_at) as first_at,
        max(last_at) as last_at,
        min_by(first_request_id, (first_at, first_request_id)) as first_request_id,
    from identifier_days
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

by_login as (
    select
        with_users.identifier_kind,
        with_users.identifier,
        with_users.user_id,
        'identifier' as method,
        with_users.evidence,
        with_users.business_id,
        with_users.first_at as valid_from,
        with_users.last_at as valid_to,
        cast(null as bigint) as users,
    from with_users
    inner join login_users
        on login_users.login = with_users.identifier and login_users.user_id = with_users.user_id
    where with_users.identifier_kind = 'login'
),

seen_with as (
    select identifier_kind, identifier, cast(count(*) as bigint) as users
    from with_users
    where identifier_kind <> 'login'
    group by identifier_kind, identifier

    union all

    select identifier_kind, identifier, users
    from erased
    where identifier_kind in ('visitor', 'address')
),

shared as (
    select seen_with.identifier_kind, seen_with.identifier, cast(sum(seen_with.users) as bigint) as users
    from seen_with
    group by seen_with.identifier_kind, seen_with.identifier
    having sum(seen_with.users) > case when seen_with.identifier_kind = 'address' then 1 else $shared_users end

    union all

    select 'login' as identifier_kind, login as identifier, users
    from line_logins
    where users > $shared_users
),

said as (
    select identifier_kind, identifier, user_id
    from link_corrections
    where verdict = 'add'
),

owners as (
    select identifier, user_id
    from with_users
    where identifier_kind = 'visitor'

    union

    select identifier, user_id
    from said
    where identifier_kind = 'visitor'

    union

    select identifier_days.identifier, said.user_id
    from identifier_days
    inner join said on said.identifier_kind = 'login' and said.identifier = identifier_days.login
    where identifier_days.identifier_kind = 'visitor'
),

single_owners as (
    select owners.identifier
    from owners
    left join erased on erased.identifier_kind = 'visitor' and erased.identifier = owners.identifier
    where coalesce(erased.owners, 0) = 0
    group by owners.identifier
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
        cast(null as bigint) as users,
    from with_users
    inner join single_owners on single_owners.identifier = with_users.identifier
    inner join spans
        on spans.identifier_kind = with_users.identifier_kind and spans.identifier = with_users.identifier
    left join removed
        on removed.identifier_kind = with_users.identifier_kind
        and removed.identifier = with_users.identifier
        and removed.user_id = with_users.user_id
    where with_users.identifier_kind = 'visitor' and removed.user_id is null
),

known_businesses as (
    select user_id, case when count(distinct business_id) = 1 then min(business_id) end as business_id
    from identifier_days
    where user_id is not null
    group by user_id
),

by_person as (
    select
        link_corrections.identifier_kind,
        link_corrections.identifier,
        link_corrections.user_id,
        case link_corrections.verdict when 'add' then 'correction' else 'removed' end as method,
        case when link_corrections.verdict = 'add' then spans.first_request_id end as evidence,
        case
            when link_corrections.verdict = 'add'
                then coalesce(link_corrections.business_id, known_businesses.business_id)
        end as business_id,
        link_corrections.valid_from,
        link_corrections.valid_to,
        cast(null as bigint) as users,
    from link_corrections
    left join spans
        on spans.identifier_kind = link_corrections.identifier_kind
        and spans.identifier = link_corrections.identifier
    left join known_businesses on known_businesses.user_id = link_corrections.user_id
),

by_nobody as (
    select
        shared.identifier_kind,
        shared.identifier,
        cast(null as varchar) as user_id,
        'shared' as method,
        cast(null as varchar) as evidence,
        cast(null as varchar) as business_id,
        spans.first_at as valid_from,
        spans.last_at as valid_to,
        shared.users,
    from shared
    inner join spans on spans.identifier_kind = shared.identifier_kind and spans.identifier = shared.identifier
)

select * from by_login
union all
select * from by_cookie
union all
select * from by_person
union all
select * from by_nobody
