-- stickiness: how many users did something on how many days of a week or month.
-- grain: one row per unit and its beginning, scope, Business, feature and number of days; without a feature, of anything
-- key: unit, period_at, scope, business_id, feature, days
-- inputs: user_units, unit_days

with

periods as (
    select distinct unit, period, period_at, is_complete
    from unit_days
    where unit <> 'day'
)

select
    user_units.unit,
    periods.period_at,
    user_units.scope,
    user_units.business_id,
    user_units.feature,
    user_units.days,
    cast(count(*) as bigint) as users,
    periods.is_complete,
from user_units
inner join periods on periods.unit = user_units.unit and periods.period = user_units.period
group by
    user_units.unit,
    periods.period_at,
    user_units.scope,
    user_units.business_id,
    user_units.feature,
    user_units.days,
    periods.is_complete
