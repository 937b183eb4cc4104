-- lifecycle: how many users were new, came again, came back and stayed away, by day, week and month.
-- grain: one row per unit and its beginning, scope, Business and feature; without a feature, of anything done
-- key: unit, period_at, scope, business_id, feature
-- inputs: user_units, unit_days
-- New is who never did it before, in the whole log, not in a window of it. Who stayed away is told once, in the first unit
-- without them.

with

neighbours as (
    select
        *,
        lag(period) over (partition by scope, business_id, feature, unit, user_id order by period) as before,
        lead(period) over (partition by scope, business_id, feature, unit, user_id order by period) as after,
    from user_units
),

counted as (
    select
        scope,
        business_id,
        feature,
        unit,
        period,
        count(*) filter (where before is null) as new_users,
        count(*) filter (where before = period - 1) as returning_users,
        count(*) filter (where before < period - 1) as resurrected_users,
        0 as dormant_users,
    from neighbours
    group by scope, business_id, feature, unit, period

    union all

    select
        scope,
        business_id,
        feature,
        unit,
        period + 1 as period,
        0 as new_users,
        0 as returning_users,
        0 as resurrected_users,
        count(*) as dormant_users,
    from neighbours
    where after is null or after > period + 1
    group by scope, business_id, feature, unit, period
),

periods as (
    select distinct unit, period, period_at, is_complete
    from unit_days
)

select
    counted.unit,
    periods.period_at,
    counted.scope,
    counted.business_id,
    counted.feature,
    cast(sum(counted.new_users) as bigint) as new_users,
    cast(sum(counted.returning_users) as bigint) as returning_users,
    cast(sum(counted.resurrected_users) as bigint) as resurrected_users,
    cast(sum(counted.dormant_users) as bigint) as dormant_users,
    periods.is_complete,
from counted
inner join periods on periods.unit = counted.unit and periods.period = counted.period
group by
    counted.unit,
    periods.period_at,
    counted.scope,
    counted.business_id,
    counted.feature,
    periods.is_complete
