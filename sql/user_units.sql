-- user_units: in which days, weeks and months users did anything, and used each feature: not a table, but a common step.
-- grain: one row per scope, Business, feature, user, unit and its number
-- key: scope, business_id, feature, user_id, unit, period
-- inputs: scoped_days, unit_days

select
    scoped_days.scope,
    scoped_days.business_id,
    scoped_days.feature,
    scoped_days.user_id,
    unit_days.unit,
    unit_days.period,
    cast(count(*) as bigint) as days,
from scoped_days
inner join unit_days on unit_days.date = scoped_days.date
group by
    scoped_days.scope,
    scoped_days.business_id,
    scoped_days.feature,
    scoped_days.user_id,
    unit_days.unit,
    unit_days.period
