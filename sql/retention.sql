-- retention: of the users who first did something in a day, week or month, how many did it again how much later.
-- grain: one row per unit, cohort, units later, scope, Business and feature; without a feature, of anything done
-- key: unit, cohort_at, later, scope, business_id, feature
-- inputs: user_units, unit_days
-- A cohort is everybody who did it for the first time in the whole log. Recurring is who did it in the unit so much later;
-- rolling is who did it then or at any time after, as far as the log goes. Units of which the log has no day are left out.

with

periods as (
    select distinct unit, period, period_at, is_complete, most_later, has_cohorts_of_each
    from unit_days
),

spans as (
    select
        scope,
        business_id,
        feature,
        unit,
        user_id,
        min(period) as first_period,
        max(period) as last_period,
    from user_units
    group by scope, business_id, feature, unit, user_id
),

cohorts as (
    select
        spans.scope,
        spans.business_id,
        spans.feature,
        spans.unit,
        spans.first_period,
        periods.period_at as cohort_at,
        periods.most_later,
        count(*) as cohort_users,
    from spans
    inner join periods on periods.unit = spans.unit and periods.period = spans.first_period
    where spans.scope = 'all' or periods.has_cohorts_of_each
    group by
        spans.scope,
        spans.business_id,
        spans.feature,
        spans.unit,
        spans.first_period,
        periods.period_at,
        periods.most_later
),

followed as (
    select
        cohorts.*,
        periods.period - cohorts.first_period as later,
        periods.is_complete,
    from cohorts
    inner join periods
        on periods.unit = cohorts.unit
        and periods.period between cohorts.first_period and cohorts.first_period + cohorts.most_later
),

came as (
    select
        spans.scope,
        spans.business_id,
        spans.feature,
        spans.unit,
        spans.first_period,
        user_units.period - spans.first_period as later,
        count(*) as users,
    from user_units
    inner join spans
        on spans.scope = user_units.scope
        and spans.business_id is not distinct from user_units.business_id
        and spans.feature is not distinct from user_units.feature
        and spans.unit = user_units.unit
        and spans.user_id = user_units.user_id
    group by spans.scope, spans.business_id, spans.feature, spans.unit, spans.first_period, later
),

followed_to as (
    select scope, business_id, feature, unit, first_period, max(later) as latest
    from followed
    group by scope, business_id, feature, unit, first_period
),

-- Who was seen last after what is followed counts with its last unit.
left_off as (
    select
        spans.scope,
        spans.business_id,
        spans.feature,
        spans.unit,
        spans.first_period,
        least(spans.last_period - spans.first_period, followed_to.latest) as later,
        count(*) as users,
    from spans
    inner join followed_to
        on followed_to.scope = spans.scope
        and followed_to.business_id is not distinct from spans.business_id
        and followed_to.feature is not distinct from spans.feature
        and followed_to.unit = spans.unit
        and followed_to.first_period = spans.first_period
    group by spans.scope, spans.business_id, spans.feature, spans.unit, spans.first_period, later
)

select
    followed.unit,
    followed.cohort_at,
    cast(followed.later as bigint) as later,
    followed.scope,
    followed.business_id,
    followed.feature,
    cast(followed.cohort_users as bigint) as cohort_users,
    cast(coalesce(came.users, 0) as bigint) as recurring_users,
    cast(
        sum(coalesce(left_off.users, 0)) over (
            partition by
                followed.scope,
                followed.business_id,
                followed.feature,
                followed.unit,
                followed.first_period
            order by followed.later desc
        ) as bigint
    ) as rolling_users,
    followed.is_complete,
from followed
left join came
    on came.scope = followed.scope
    and came.business_id is not distinct from followed.business_id
    and came.feature is not distinct from followed.feature
    and came.unit = followed.unit
    and came.first_period = followed.first_period
    and came.later = followed.later
left join left_off
    on left_off.scope = followed.scope
    and left_off.business_id is not distinct from followed.business_id
    and left_off.feature is not distinct from followed.feature
    and left_off.unit = followed.unit
    and left_off.first_period = followed.first_period
    and left_off.later = followed.later
