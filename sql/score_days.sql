-- score_days: which days belong to the weeks by which features are scored: not a table, but how models compare times.
-- grain: one row per part and day of it in the log
-- key: part, date
-- inputs: user_days
-- Now is the log's last four weeks, or as many whole weeks as leave as many before them, and at least one. Before is as
-- many weeks before them. A year ago are both 52 weeks earlier. Whole weeks have each day of the week equally often. A
-- part that the log does not hold from its first day on is left out: nothing is known of it.

with

span as (
    select min(date) as oldest_day, max(date) as newest_day
    from user_days
),

sized as (
    select *, greatest(1, least(4, (newest_day - oldest_day + 1) // 14)) as weeks
    from span
),

parts as (
    select
        told.part,
        sized.weeks,
        sized.oldest_day,
        sized.newest_day - cast(told.years * 364 + told.spans * 7 * sized.weeks as integer) as last_day,
    from sized
    cross join (values ('now', 0, 0), ('before', 0, 1), ('year_now', 1, 0), ('year_before', 1, 1))
        as told (part, years, spans)
),

days as (
    select distinct date
    from user_days
)

select
    parts.part,
    cast(parts.weeks as bigint) as weeks,
    days.date,
from parts
inner join days on days.date between parts.last_day - cast(7 * parts.weeks - 1 as integer) and parts.last_day
where parts.last_day - cast(7 * parts.weeks - 1 as integer) >= parts.oldest_day
