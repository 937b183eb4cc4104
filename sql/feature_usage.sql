-- feature_usage: how much a feature was used on a day, in which Business.
-- grain: one row per day, Business and feature
-- key: date, business_id, feature
-- inputs: feature_days
-- People of a range of days are counted from feature_days: a sum of days counts them again each day.

with

of_days as (
    select *
    from feature_days
    where date between $first_day and $last_day
)

select
    date,
    business_id,
    feature,
    cast(count(distinct user_id) as bigint) as users,
    cast(count(distinct visitor_id) as bigint) as visitors,
    cast(sum(uses) as bigint) as uses,
    cast(sum(visits) as bigint) as visits,
    cast(sum(errors) as bigint) as errors,
    cast(sum(slow) as bigint) as slow,
    cast(sum(cast(spent_s as decimal(18, 6))) as double) as spent_s,
from of_days
group by date, business_id, feature
