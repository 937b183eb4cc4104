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
        row_number() over actor_order as place,
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
        ordered.* exclude (previous_at, previous_date),
        case
            when ordered.previous_at is null then true
            when ordered.at_utc - ordered.previous_at > interval 30 minutes then true
            when ordered.previous_date <> ordered.date and full_days.date is not null then true
            else false
        end as starts_visit,
    from ordered
    left join full_days on full_days.actor = ordered.actor and full_days.date = ordered.previous_date
),

placed as (
    select
        * exclude (place, starts_visit),
        place - max(case when starts_visit then place end) over so_far + 1 as visit_seq,
        last_value(case when starts_visit then request_id end ignore nulls) over so_far as first_request_id,
        last_value(case when starts_visit then date end ignore nulls) over so_far as visit_date,
        lead(at_utc) over actor_order as next_at,
        lead(starts_visit) over actor_order as next_starts,
    from visit_starts
    window actor_order as (partition by actor order by occurred_at, tie_rank, request_id),
        so_far as (
            partition by actor
            order by occurred_at, tie_rank, request_id
            rows between unbounded preceding and current row
        )
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
    cast(visit_seq as integer) as visit_seq,
    case when not next_starts then (epoch_us(next_at) - epoch_us(at_utc)) / 1e6 end as seconds_to_next,
from placed
