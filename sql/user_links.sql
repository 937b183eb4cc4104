-- user_links: which identifier belongs to which user, since when, and what shows it.
-- grain: one row per identifier, user, method and beginning of the span
-- key: identifier_kind, identifier, user_id, method, valid_from
-- inputs: identifier_days, identifier_links, same_visit_days
-- on_line: a line named the user beside the identifier. same_visit: anonymous acts of a visit that had no other user.
-- identifier, visitor_cookie and correction: see identifier_links.

with

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
    where user_id is not null and identifier_kind <> 'address'
    group by identifier_kind, identifier, user_id
),

same_visit as (
    select
        case when visitor_id like 'c-%' then 'visitor' else 'address' end as identifier_kind,
        visitor_id as identifier,
        user_id,
        'same_visit' as method,
        min_by(evidence, (first_at, evidence)) as evidence,
        case when count(distinct business_id) = 1 then min(business_id) end as business_id,
        min(first_at) as valid_from,
        max(last_at) as valid_to,
    from same_visit_days
    group by visitor_id, user_id
),

by_rule as (
    select identifier_kind, identifier, user_id, method, evidence, business_id, valid_from, valid_to
    from identifier_links
    where method in ('identifier', 'visitor_cookie', 'correction')
)

select * from on_line
union all
select * from same_visit
union all
select * from by_rule
