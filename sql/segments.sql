-- segments: how many users of which kind did anything, and used each feature, by week and month.
-- grain: one row per unit and its beginning, kind of segment, segment and feature; without a feature, of anything done
-- key: unit, period_at, kind, segment, feature
-- inputs: active_days, unit_days, feature_days, segment_kinds
-- A segment is that of a user's day in a Business: the Business's size by users active there in the unit, the device and
-- country of the first act there that day that tells it, and whether the user's first act ever, of anything, is in the
-- unit. Unknown is null. A user with two segments in a unit counts in both; a use counts in one.

with

days as (
    select
        unit_days.unit,
        unit_days.period,
        unit_days.period_at,
        unit_days.is_complete,
        active_days.*,
    from active_days
    inner join unit_days on unit_days.date = active_days.date
    where unit_days.unit <> 'day'
),

sizes as (
    select unit, period, business_id, count(distinct user_id) as users
    from days
    group by unit, period, business_id
),

firsts as (
    select user_id, min(date) as first_date
    from active_days
    group by user_id
),

first_periods as (
    select unit_days.unit, unit_days.period, firsts.user_id
    from firsts
    inner join unit_days on unit_days.date = firsts.first_date
),

known as (
    select
        days.*,
        case
            when sizes.users = 1 then '1'
            when sizes.users < 10 then '2-9'
            when sizes.users < 50 then '10-49'
            when sizes.users < 250 then '50-249'
            when sizes.users >= 250 then '250+'
        end as business_size,
        case when first_periods.user_id is null then 'old' else 'new' end as new_or_old,
    from days
    left join sizes
        on sizes.unit = days.unit and sizes.period = days.period and sizes.business_id = days.business_id
    left join first_periods
        on first_periods.unit = days.unit
        and first_periods.period = days.period
        and first_periods.user_id = days.user_id
),

segmented as (
    select
        known.*,
        segment_kinds.kind,
        case segment_kinds.kind
            when 'business_size' then known.business_size
            when 'device_type' then known.device_type
            when 'country' then known.country
            when 'new_or_old' then known.new_or_old
        end as segment,
    from known
    cross join segment_kinds
)

select
    unit,
    period_at,
    kind,
    segment,
    cast(null as varchar) as feature,
    cast(count(distinct user_id) as bigint) as users,
    cast(null as bigint) as uses,
    cast(null as bigint) as visits,
    cast(null as bigint) as errors,
    is_complete,
from segmented
group by unit, period_at, kind, segment, is_complete

union all

select
    segmented.unit,
    segmented.period_at,
    segmented.kind,
    segmented.segment,
    feature_days.feature,
    cast(count(distinct segmented.user_id) as bigint) as users,
    cast(sum(feature_days.uses) as bigint) as uses,
    cast(sum(feature_days.visits) as bigint) as visits,
    cast(sum(feature_days.errors) as bigint) as errors,
    segmented.is_complete,
from segmented
inner join feature_days
    on feature_days.date = segmented.date
    and feature_days.user_id = segmented.user_id
    and feature_days.business_id is not distinct from segmented.business_id
group by
    segmented.unit,
    segmented.period_at,
    segmented.kind,
    segmented.segment,
    feature_days.feature,
    segmented.is_complete
