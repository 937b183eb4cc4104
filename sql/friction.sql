-- friction: where use of a feature went wrong on a day, in which Business: how often, and for how many.
-- grain: one row per day, Business and feature
-- key: date, business_id, feature
-- inputs: feature_days
-- What an error, a retry and so on is, is said in feature_days. Features that nothing went wrong with are told too, since
-- shares need them. People of a range of days are counted from feature_days: a sum of days counts them again each day.

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
    cast(sum(errors) as bigint) as errors,
    cast(count(distinct user_id) filter (where errors > 0) as bigint) as error_users,
    cast(count(distinct visitor_id) filter (where errors > 0) as bigint) as error_visitors,
    cast(sum(slow) as bigint) as slow,
    cast(count(distinct user_id) filter (where slow > 0) as bigint) as slow_users,
    cast(count(distinct visitor_id) filter (where slow > 0) as bigint) as slow_visitors,
    cast(sum(retries) as bigint) as retries,
    cast(count(distinct user_id) filter (where retries > 0) as bigint) as retry_users,
    cast(count(distinct visitor_id) filter (where retries > 0) as bigint) as retry_visitors,
    cast(sum(abandoned) as bigint) as abandoned,
    cast(count(distinct user_id) filter (where abandoned > 0) as bigint) as abandoned_users,
    cast(count(distinct visitor_id) filter (where abandoned > 0) as bigint) as abandoned_visitors,
    cast(sum(back_and_forth) as bigint) as back_and_forth,
    cast(count(distinct user_id) filter (where back_and_forth > 0) as bigint) as back_and_forth_users,
    cast(count(distinct visitor_id) filter (where back_and_forth > 0) as bigint) as back_and_forth_visitors,
from of_days
group by date, business_id, feature
