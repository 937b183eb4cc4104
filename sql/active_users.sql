-- active_users: how many users did something on a day, in the seven days up to it, and in the twenty-eight.
-- grain: one row per day of the log, scope, Business and feature; without a feature, of anything done
-- key: date, scope, business_id, feature
-- inputs: scoped_days, user_days
-- A user counts in a window from each day of theirs until the window's length after it, or their next day: so each is one
-- in any window, and no day is compared with the days before it. What the log does not go back to is unknown.

with

spells as (
    select
        *,
        lead(date) over (partition by scope, business_id, feature, user_id order by date) as next_date,
    from scoped_days
),

beginnings as (
    select scope, business_id, feature, min(date) as first_date
    from scoped_days
    group by scope, business_id, feature
),

log_days as (
    select distinct date
    from user_days
),

log_span as (
    select min(date) as oldest_day, max(date) as newest_day
    from log_days
),

changes as (
    select scope, business_id, feature, date, 1 as daily, 1 as weekly, 1 as monthly, false as is_logged
    from spells

    union all

    select scope, business_id, feature, least(date + 7, coalesce(next_date, date + 7)) as date,
        0 as daily, -1 as weekly, 0 as monthly, false as is_logged
    from spells

    union all

    select scope, business_id, feature, least(date + 28, coalesce(next_date, date + 28)) as date,
        0 as daily, 0 as weekly, -1 as monthly, false as is_logged
    from spells

    union all

    select beginnings.scope, beginnings.business_id, beginnings.feature, log_days.date,
        0 as daily, 0 as weekly, 0 as monthly, true as is_logged
    from beginnings
    inner join log_days on log_days.date >= beginnings.first_date
),

changed as (
    select
        scope,
        business_id,
        feature,
        date,
        sum(daily) as daily,
        sum(weekly) as weekly,
        sum(monthly) as monthly,
        bool_or(is_logged) as is_logged,
    from changes
    group by scope, business_id, feature, date
),

running as (
    select
        scope,
        business_id,
        feature,
        date,
        is_logged,
        daily,
        sum(weekly) over (partition by scope, business_id, feature order by date) as weekly,
        sum(monthly) over (partition by scope, business_id, feature order by date) as monthly,
    from changed
)

select
    running.date,
    running.scope,
    running.business_id,
    running.feature,
    cast(running.daily as bigint) as daily_users,
    cast(case when running.date - 6 >= log_span.oldest_day then running.weekly end as bigint) as weekly_users,
    cast(case when running.date - 27 >= log_span.oldest_day then running.monthly end as bigint) as monthly_users,
    running.date < log_span.newest_day as is_complete,
from running
cross join log_span
where running.is_logged
