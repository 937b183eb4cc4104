-- acts: an act with the person it belongs to, and the actor whose acts are cut into visits.
-- grain: one row per act (page, api, event or download) of the days
-- key: request_id
-- inputs: requests, identifier_links, settled_acts
-- A visitor's acts are cut where a gap is longer than 30 minutes (a piece), and at a UTC midnight only if the day before
-- was active throughout, judged by that day's acts. So a piece spans two days at most, and an act of day D has its whole
-- piece within D-1 .. D+1: before D-1's first act there is a gap, or else D-1 was active throughout and was cut off.
-- Whose an act is: its line's user; else by a person's correction; else its login's; else that of the piece, where it has
-- exactly one and neither is the visitor shared nor was the link removed; else the cookie's.
-- What settled_acts holds of an act stands in the place of both: an erased user's acts made it so.
-- Within one instant acts are ordered by what they are, since the order of lines does not survive a cut file.

with

raw_acts as (
    select
        date,
        occurred_at at time zone 'UTC' as at_utc,
        occurred_at,
        request_id,
        visitor_id,
        business_id,
        user_id,
        identifier,
        case when visitor_id like 'c-%' then visitor_id else 'ua-' || coalesce(user_agent, '') end as device,
        cast(
            case kind when 'page' then 0 when 'api' then 2 when 'event' then 4 else 6 end
            + case when method in ('POST', 'PUT', 'PATCH', 'DELETE') then 0 else 1 end
            as integer
        ) as tie_rank,
    from requests
    where date between $day_before and $day_after
        and kind in ('page', 'api', 'event', 'download')
),

login_links as (
    select identifier, user_id
    from identifier_links
    where method = 'identifier'
),

corrections as (
    select identifier_kind, identifier, user_id, business_id, valid_from, valid_to
    from identifier_links
    where method = 'correction'
),

cookie_links as (
    select identifier, user_id, business_id, evidence, valid_from, valid_to
    from identifier_links
    where method = 'visitor_cookie'
),

shared_visitors as (
    select identifier
    from identifier_links
    where method = 'shared' and identifier_kind <> 'login'
),

removed_links as (
    select identifier, user_id
    from identifier_links
    where method = 'removed' and identifier_kind <> 'login'
),

named as (
    select
        raw_acts.* exclude (user_id, identifier, business_id),
        coalesce(raw_acts.user_id, login_said.user_id, visitor_said.user_id, login_links.user_id) as known_user_id,
        case
            when raw_acts.business_id is not null or raw_acts.user_id is not null then raw_acts.business_id
            when login_said.user_id is not null then login_said.business_id
            else visitor_said.business_id
        end as business_id,
        case
            when raw_acts.user_id is not null then 'on_line'
            when coalesce(login_said.user_id, visitor_said.user_id) is not null then 'correction'
            when login_links.user_id is not null then 'identifier'
        end as known_by,
        lag(raw_acts.at_utc) over visitor_order as previous_at,
        lag(raw_acts.date) over visitor_order as previous_date,
    from raw_acts
    left join login_links on login_links.identifier = raw_acts.identifier
    left join corrections as login_said
        on login_said.identifier_kind = 'login'
        and login_said.identifier = raw_acts.identifier
        and (login_said.valid_from is null or raw_acts.occurred_at >= login_said.valid_from)
        and (login_said.valid_to is null or raw_acts.occurred_at <= login_said.valid_to)
    left join corrections as visitor_said
        on visitor_said.identifier_kind = 'visitor'
        and visitor_said.identifier = raw_acts.visitor_id
        and (visitor_said.valid_from is null or raw_acts.occurred_at >= visitor_said.valid_from)
        and (visitor_said.valid_to is null or raw_acts.occurred_at <= visitor_said.valid_to)
    window visitor_order as (
        partition by raw_acts.visitor_id
        order by raw_acts.at_utc, raw_acts.tie_rank, raw_acts.request_id
    )
),

full_days as (
    select visitor_id, date
    from named
    group by visitor_id, date
    having min(at_utc) <= cast(date as timestamp) + interval 30 minutes
        and max(at_utc) >= cast(date as timestamp) + interval 1410 minutes
        and coalesce(max(case when previous_date = date then at_utc - previous_at end), interval 0 minutes)
            <= interval 30 minutes
),

piece_starts as (
    select
        named.*,
        case
            when named.previous_at is null then 1
            when named.at_utc - named.previous_at > interval 30 minutes then 1
            when named.previous_date <> named.date and full_days.date is not null then 1
            else 0
        end as starts_piece,
    from named
    left join full_days
        on full_days.visitor_id = named.visitor_id and full_days.date = named.previous_date
),

pieces as (
    select
        *,
        cast(
            sum(starts_piece) over (
                partition by visitor_id
                order by at_utc, tie_rank, request_id
                rows between unbounded preceding and current row
            ) as bigint
        ) as piece,
    from piece_starts
),

piece_users as (
    select
        visitor_id,
        piece,
        case when count(distinct known_user_id) = 1 then min(known_user_id) end as user_id,
        case when count(distinct business_id) = 1 then min(business_id) end as business_id,
        min_by(request_id, (at_utc, tie_rank, request_id)) as evidence,
    from pieces
    where known_user_id is not null
    group by visitor_id, piece
),

lone_users as (
    select piece_users.*
    from piece_users
    left join shared_visitors on shared_visitors.identifier = piece_users.visitor_id
    left join removed_links
        on removed_links.identifier = piece_users.visitor_id
        and removed_links.user_id = piece_users.user_id
    where piece_users.user_id is not null
        and shared_visitors.identifier is null
        and removed_links.identifier is null
),

settled as (
    select *
    from settled_acts
    where date between $first_day and $last_day
),

linked as (
    select
        pieces.*,
        case
            when pieces.known_by is not null then pieces.known_user_id
            when settled.request_id is not null then settled.user_id
            else coalesce(lone_users.user_id, cookie_links.user_id)
        end as user_id,
        case
            when pieces.known_by is not null then pieces.known_by
            when settled.request_id is not null then settled.linked_by
            when lone_users.user_id is not null then 'same_visit'
            when cookie_links.user_id is not null then 'visitor_cookie'
        end as linked_by,
        case
            when pieces.known_by is not null then pieces.request_id
            when settled.request_id is not null then settled.link_evidence
            when lone_users.user_id is not null then lone_users.evidence
            else cookie_links.evidence
        end as link_evidence,
        case
            when pieces.business_id is not null or pieces.known_by is not null then pieces.business_id
            when settled.request_id is not null then settled.business_id
            when lone_users.user_id is not null then lone_users.business_id
            else cookie_links.business_id
        end as linked_business_id,
    from pieces
    left join lone_users on lone_users.visitor_id = pieces.visitor_id and lone_users.piece = pieces.piece
    left join cookie_links
        on cookie_links.identifier = pieces.visitor_id
        and pieces.occurred_at between cookie_links.valid_from and cookie_links.valid_to
    left join settled on settled.request_id = pieces.request_id
    where pieces.date between $first_day and $last_day
)

select
    date,
    request_id,
    occurred_at,
    tie_rank,
    visitor_id,
    linked_business_id as business_id,
    user_id,
    linked_by,
    link_evidence,
    case
        when user_id is not null
            then 'u-' || substr(md5(concat_ws(chr(31), coalesce(linked_business_id, ''), user_id, device)), 1, 16)
        else 'v-' || substr(md5(concat_ws(chr(31), coalesce(linked_business_id, ''), visitor_id)), 1, 16)
    end as actor,
from linked
