-- visit_acts: each actor's acts cut into visits; not a table, but the one definition that clickstream and visits share.
-- grain: one row per act of the days and of a day on either side
-- key: request_id
-- inputs: acts
-- A visit ends where the next act is more than 30 minutes later, and at a UTC midnight only if the day before was
-- active throughout. As with pieces (see acts), a visit spans two days at most; one that starts on D is exact from
-- D-1 .. D+1.

with

ordered as (
    select
        *,
        occurred_at at time zone 'UTC' as at_utc,
        lag(occurred_at at time zone 'UTC') over actor_order as previous_at,
        lag(date) over actor_order as previous_date,
    from acts
    where date between $day_before and $day_after
    window actor_order as (partition by actor order by occurred_at, tie_rank, request_id)
),

full_days as (
    select actor, date
    from ordered
    group by actor, date
    having min(at_utc) <= cast(date as timestamp) + interval 30 minutes
        and max(at_utc) >= cast(date as timestamp) + interval 1410 minutes
        and coalesce(max(case when previous_date = date then at_utc - previous_at end), interval 0 minutes)
            <= interval 30 minutes
),

visit_starts as (
    select
        ordered.*,
        case
            when ordered.previous_at is null then 1
            when ordered.at_utc - ordered.previous_at > interval 30 minutes then 1
            when ordered.previous_date <> ordered.date and full_days.date is not null then 1
            else 0
        end as starts_visit,
    from ordered
    left join full_days on full_days.actor = ordered.actor and full_days.date = ordered.previous_date
),

numbered as (
    select
        *,
        cast(
            sum(starts_visit) over (
                partition by actor
                order by at_utc, tie_rank, request_id
                rows between unbounded preceding and current row
            ) as bigint
        ) as visit_number,
    from visit_starts
),

placed as (
    select
        *,
        cast(row_number() over visit_order as integer) as visit_seq,
        first_value(request_id) over visit_order as first_request_id,
        first_value(date) over visit_order as visit_date,
        lead(at_utc) over visit_order as next_at,
    from numbered
    window visit_order as (partition by actor, visit_number order by at_utc, tie_rank, request_id)
)

select
    date,
    request_id,
    occurred_at,
    at_utc,
    tie_rank,
    visitor_id,
    business_id,
    user_id,
    linked_by,
    link_evidence,
    visit_date,
    strftime(visit_date, '%Y%m%d') || '-' || substr(md5(actor || chr(31) || first_request_id), 1, 16) as visit_id,
    visit_seq,
    (epoch_us(next_at) - epoch_us(at_utc)) / 1e6 as seconds_to_next,
from placed
