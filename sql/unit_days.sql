-- unit_days: which day is in which day, week and month; not a table, but how models count time.
-- grain: one row per unit and day of the log on which a user did something
-- key: unit, date
-- inputs: user_days, units
-- Units are numbered, so that the next one is one more. Days without any act are not here: nothing is known of them.

with

days as (
    select distinct date
    from user_days
),

newest as (
    select max(date) as newest_day
    from days
),

begun as (
    select
        units.unit,
        units.most_later,
        units.has_cohorts_of_each,
        days.date,
        cast(date_trunc(units.unit, days.date) as date) as period_at,
    from days
    cross join units
),

ended as (
    select
        *,
        case unit
            when 'day' then period_at
            when 'week' then period_at + 6
            else cast(last_day(period_at) as date)
        end as period_end,
    from begun
)

select
    ended.unit,
    ended.most_later,
    ended.has_cohorts_of_each,
    ended.date,
    ended.period_at,
    ended.period_end < newest.newest_day as is_complete,
    cast(
        case ended.unit
            when 'day' then ended.period_at - date '1970-01-01'
            when 'week' then (ended.period_at - date '1969-12-29') // 7
            else 12 * year(ended.period_at) + month(ended.period_at)
        end as bigint
    ) as period,
from ended
cross join newest
