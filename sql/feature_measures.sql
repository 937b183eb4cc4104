-- feature_measures: of how many people how many use a feature, keep using it, come to trouble with it: what scores rest on.
-- grain: one row per feature, measure, scope and Business, and number of days for the measure `days`
-- key: feature, measure, days, scope, business_id
-- inputs: user_days, feature_days, feature_rules, score_days
-- People are users, each once: in all, of a Business, or in all without a Business (to see whether one alone makes the
-- number). A habit is use on as many days as there are weeks, and on two at least. In trouble is who met an error, tried
-- again after one, or gave up.

with

active as (
    select score_days.part, user_days.user_id, user_days.business_id
    from user_days
    inner join score_days on score_days.date = user_days.date
    where not user_days.is_bot and user_days.opt_out is null
    group by score_days.part, user_days.user_id, user_days.business_id
),

uses as (
    select score_days.part, score_days.weeks, feature_days.*
    from feature_days
    inner join score_days on score_days.date = feature_days.date
    where feature_days.user_id is not null
),

-- The days of a user in a Business, in all, and in all others.
use_days as (
    select
        uses.part,
        uses.feature,
        uses.user_id,
        uses.business_id,
        greatest(2, uses.weeks) as habit_days,
        count(distinct uses.date) as days,
        bool_or(uses.errors > 0 or uses.retries > 0 or uses.abandoned > 0) as is_in_trouble,
    from uses
    group by uses.part, uses.feature, uses.user_id, uses.business_id, uses.weeks
),

days_in_all as (
    select
        uses.part,
        uses.feature,
        uses.user_id,
        greatest(2, uses.weeks) as habit_days,
        count(distinct uses.date) as days,
        bool_or(uses.errors > 0 or uses.retries > 0 or uses.abandoned > 0) as is_in_trouble,
    from uses
    group by uses.part, uses.feature, uses.user_id, uses.weeks
),

days_elsewhere as (
    select
        use_days.feature,
        use_days.user_id,
        use_days.business_id,
        count(distinct uses.date) >= use_days.habit_days as has_habit,
    from use_days
    inner join uses
        on uses.part = use_days.part
        and uses.feature = use_days.feature
        and uses.user_id = use_days.user_id
        and uses.business_id is distinct from use_days.business_id
    where use_days.part = 'now'
    group by use_days.feature, use_days.user_id, use_days.business_id, use_days.habit_days
),

people as (
    select part, 'all' as scope, cast(null as varchar) as business_id, count(distinct user_id) as people
    from active
    group by part

    union all

    select part, 'business' as scope, business_id, count(*) as people
    from active
    group by part, business_id
),

used as (
    select
        part,
        feature,
        'all' as scope,
        cast(null as varchar) as business_id,
        count(*) as users,
        count(*) filter (where days >= habit_days) as with_habit,
        count(*) filter (where is_in_trouble) as in_trouble,
    from days_in_all
    group by part, feature

    union all

    select
        part,
        feature,
        'business' as scope,
        business_id,
        count(*) as users,
        count(*) filter (where days >= habit_days) as with_habit,
        count(*) filter (where is_in_trouble) as in_trouble,
    from use_days
    group by part, feature, business_id
),

kept as (
    select
        'all' as scope,
        cast(null as varchar) as business_id,
        were.feature,
        count(*) as were_users,
        count(still.user_id) as still_users,
    from days_in_all as were
    left join days_in_all as still
        on still.part = 'now'
        and still.feature = were.feature
        and still.user_id = were.user_id
    where were.part = 'before'
    group by were.feature

    union all

    select
        'business' as scope,
        were.business_id,
        were.feature,
        count(*) as were_users,
        count(still.user_id) as still_users,
    from use_days as were
    left join use_days as still
        on still.part = 'now'
        and still.feature = were.feature
        and still.user_id = were.user_id
        and still.business_id is not distinct from were.business_id
    where were.part = 'before'
    group by were.feature, were.business_id
),

-- Who is gone when a Business is left out: those of no other, and whose habit with them.
left_out_people as (
    select active.business_id, count(*) filter (where elsewhere.user_id is null) as people
    from active
    left join (
        select user_id
        from active
        where part = 'now'
        group by user_id
        having count(*) > 1
    ) as elsewhere on elsewhere.user_id = active.user_id
    where active.part = 'now'
    group by active.business_id
),

left_out_habits as (
    select
        use_days.business_id,
        use_days.feature,
        count(*) filter (
            where days_in_all.days >= days_in_all.habit_days and not coalesce(days_elsewhere.has_habit, false)
        ) as with_habit,
    from use_days
    inner join days_in_all
        on days_in_all.part = use_days.part
        and days_in_all.feature = use_days.feature
        and days_in_all.user_id = use_days.user_id
    left join days_elsewhere
        on days_elsewhere.feature = use_days.feature
        and days_elsewhere.user_id = use_days.user_id
        and days_elsewhere.business_id is not distinct from use_days.business_id
    where use_days.part = 'now'
    group by use_days.business_id, use_days.feature
),

features as (
    select distinct feature
    from feature_rules
),

weeks as (
    select max(weeks) as weeks
    from score_days
),

of_people as (
    select
        features.feature,
        people.part,
        people.scope,
        people.business_id,
        people.people,
        coalesce(used.users, 0) as users,
        coalesce(used.with_habit, 0) as with_habit,
        coalesce(used.in_trouble, 0) as in_trouble,
    from features
    cross join people
    left join used
        on used.feature = features.feature
        and used.part = people.part
        and used.scope = people.scope
        and used.business_id is not distinct from people.business_id
),

measured as (
    select
        feature,
        case part
            when 'now' then 'reach'
            when 'before' then 'reach_before'
            when 'year_now' then 'reach_year_ago'
            else 'reach_before_year_ago'
        end as measure,
        scope,
        business_id,
        users as people,
        people as of_people,
    from of_people
    where part = 'now' or scope = 'all'

    union all

    select feature, 'habit' as measure, scope, business_id, with_habit as people, people as of_people
    from of_people
    where part = 'now'

    union all

    select feature, 'friction' as measure, scope, business_id, in_trouble as people, users as of_people
    from of_people
    where part = 'now'

    union all

    select feature, 'kept' as measure, scope, business_id, still_users as people, were_users as of_people
    from kept

    union all

    select
        feature,
        'businesses' as measure,
        'all' as scope,
        cast(null as varchar) as business_id,
        count(*) filter (where users > 0) as people,
        count(*) as of_people,
    from of_people
    where part = 'now' and scope = 'business' and business_id is not null
    group by feature

    union all

    select
        of_people.feature,
        'habit' as measure,
        'without' as scope,
        left_out_people.business_id,
        of_people.with_habit - coalesce(left_out_habits.with_habit, 0) as people,
        of_people.people - left_out_people.people as of_people,
    from of_people
    cross join left_out_people
    left join left_out_habits
        on left_out_habits.feature = of_people.feature
        and left_out_habits.business_id = left_out_people.business_id
    where of_people.part = 'now' and of_people.scope = 'all' and left_out_people.business_id is not null
)

select
    measured.feature,
    measured.measure,
    cast(null as bigint) as days,
    measured.scope,
    measured.business_id,
    cast(measured.people as bigint) as people,
    cast(measured.of_people as bigint) as of_people,
    weeks.weeks,
from measured
cross join weeks

union all

select
    days_in_all.feature,
    'days' as measure,
    cast(days_in_all.days as bigint) as days,
    'all' as scope,
    cast(null as varchar) as business_id,
    cast(count(*) as bigint) as people,
    cast(used.users as bigint) as of_people,
    weeks.weeks,
from days_in_all
inner join used
    on used.feature = days_in_all.feature
    and used.part = days_in_all.part
    and used.scope = 'all'
cross join weeks
where days_in_all.part = 'now'
group by days_in_all.feature, days_in_all.days, used.users, weeks.weeks
