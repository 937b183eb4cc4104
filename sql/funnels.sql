-- funnels: how many people or visits got how far through each funnel, how long it took, and where others went instead.
-- grain: one row per funnel, scope, Business and step; of all always, of each Business where any step was done
-- key: funnel, scope, business_id, step
-- inputs: funnel_acts, funnel_steps
-- A way through is a chain of acts of one person (or visit), one after the other, which meet the steps in order from the
-- first on. No act is two steps of it, and from its first act to its last it takes no longer than the funnel's `within`,
-- the end included. Somebody reached a step where any of their chains ends there: a later start may succeed where the
-- first fails. Acts are ordered by instant, visit and place in it. Of a Business only acts in it count, of all any.
-- Times are those of one chain: it ends where the furthest step was first reached; of such chains it began last; of these
-- it came soonest to each next step. What came instead is what the visit went on with after the last act that reached the
-- furthest step: of repeated attempts the final one tells.

with recursive

scopes as (
    select 'all' as scope

    union all

    select 'business' as scope
),

step_acts as (
    select
        struct_pack(
            scope := scopes.scope,
            business_id := case when scopes.scope = 'business' then funnel_acts.business_id end,
            funnel := funnel_acts.funnel,
            user_id := case when funnel_steps.per = 'person' then funnel_acts.user_id end,
            visitor_id := case when funnel_steps.per = 'person' then funnel_acts.visitor_id end,
            visit_id := case when funnel_steps.per = 'visit' then funnel_acts.visit_id end
        ) as who,
        funnel_acts.step,
        1000000 * funnel_steps.within_s as within_us,
        epoch_us(funnel_acts.occurred_at) as at_us,
        funnel_acts.visit_id,
        funnel_acts.visit_seq,
        struct_pack(
            what := case
                when funnel_acts.next_at is null then 'ended'
                else coalesce('event ' || funnel_acts.next_event, funnel_acts.next_route, 'unknown')
            end,
            is_error := coalesce(funnel_acts.status >= 400, false)
        ) as left_by,
    from funnel_acts
    inner join funnel_steps on funnel_steps.funnel = funnel_acts.funnel and funnel_steps.step = funnel_acts.step
    cross join scopes
),

-- Of the chains that end with an act only the best is kept: where it takes too long, all do. `way` is when it began and,
-- by step, how long it took to there, as negative numbers: the greatest began last and came soonest to what is between.
reached as (
    select
        *,
        struct_pack(start_us := at_us, to_step_us := [cast(0 as bigint)]) as way,
    from step_acts
    where step = 1

    union all

    select
        * exclude (way, best),
        struct_pack(
            start_us := best.start_us,
            to_step_us := list_append(best.to_step_us, best.start_us - at_us)
        ) as way,
    from (
        -- An act that meets both steps is tried as the later one first, before it counts as the earlier one.
        select
            *,
            max(way) over (
                partition by who
                order by at_us, visit_id, visit_seq, step desc
                rows between unbounded preceding and 1 preceding
            ) as best,
        from (
            select *
            from reached

            union all

            select
                *,
                null as way,
            from step_acts
            where step = (select max(step) + 1 from reached)
        )
    )
    where way is null
        and best is not null
        and (within_us is null or at_us - best.start_us <= within_us)
),

steps_reached as (
    select
        who,
        step,
        min_by(way, (at_us, visit_id, visit_seq)) as way,
        max_by(left_by, (at_us, visit_id, visit_seq)) as left_by,
    from reached
    group by who, step
),

furthest as (
    select
        who,
        max(step) as step,
        max_by(way, step).to_step_us as to_step_us,
        max_by(left_by, step) as left_by,
    from steps_reached
    group by who
),

passed as (
    select
        furthest.who.scope as scope,
        furthest.who.business_id as business_id,
        furthest.who.funnel as funnel,
        funnel_steps.step,
        case when funnel_steps.step > 1 then -to_step_us[funnel_steps.step] / 1e6 end as from_first_s,
        case
            when funnel_steps.step > 1 then (to_step_us[funnel_steps.step - 1] - to_step_us[funnel_steps.step]) / 1e6
        end as from_previous_s,
        case
            when funnel_steps.step = furthest.step and funnel_steps.step < funnel_steps.steps then furthest.left_by
        end as left_by,
    from furthest
    inner join funnel_steps on funnel_steps.funnel = furthest.who.funnel and funnel_steps.step <= furthest.step
),

counted as (
    select
        scope,
        business_id,
        funnel,
        step,
        count(*) as entered,
        percentile_cont(0.5) within group (order by from_first_s) as from_first_median_s,
        percentile_cont(0.9) within group (order by from_first_s) as from_first_p90_s,
        percentile_cont(0.5) within group (order by from_previous_s) as from_previous_median_s,
        percentile_cont(0.9) within group (order by from_previous_s) as from_previous_p90_s,
        count(left_by) as dropped,
        count(*) filter (where left_by.is_error) as dropped_on_error,
    from passed
    group by scope, business_id, funnel, step
),

went as (
    select
        scope,
        business_id,
        funnel,
        step,
        left_by.what as what,
        count(*) as times,
    from passed
    where left_by is not null
    group by scope, business_id, funnel, step, left_by.what
),

ranked as (
    select
        *,
        row_number() over (
            partition by scope, business_id, funnel, step
            order by times desc, what
        ) as place,
    from went
),

went_instead as (
    select
        scope,
        business_id,
        funnel,
        step,
        list_sort(list(struct_pack(place := place, route := what, times := times))) as placed,
    from ranked
    where place <= 5
    group by scope, business_id, funnel, step
),

asked as (
    select
        'all' as scope,
        cast(null as varchar) as business_id,
        funnel_steps.*,
    from funnel_steps

    union all

    select
        'business' as scope,
        businesses.business_id,
        funnel_steps.*,
    from (select distinct funnel, business_id from funnel_acts) as businesses
    inner join funnel_steps on funnel_steps.funnel = businesses.funnel
),

told as (
    select
        asked.*,
        coalesce(counted.entered, 0) as entered,
        counted.from_first_median_s,
        counted.from_first_p90_s,
        counted.from_previous_median_s,
        counted.from_previous_p90_s,
        case when asked.step < asked.steps then coalesce(counted.dropped, 0) end as dropped,
        case when asked.step < asked.steps then coalesce(counted.dropped_on_error, 0) end as dropped_on_error,
        list_transform(
            went_instead.placed, lambda one: struct_pack(route := one.route, times := one.times)
        ) as instead,
    from asked
    left join counted
        on counted.scope = asked.scope
        and counted.business_id is not distinct from asked.business_id
        and counted.funnel = asked.funnel
        and counted.step = asked.step
    left join went_instead
        on went_instead.scope = asked.scope
        and went_instead.business_id is not distinct from asked.business_id
        and went_instead.funnel = asked.funnel
        and went_instead.step = asked.step
)

select
    *,
    entered / nullif(
        first_value(entered) over (
            partition by scope, business_id, funnel
            order by step
        ),
        0
    ) as from_first,
    entered / nullif(
        lag(entered) over (
            partition by scope, business_id, funnel
            order by step
        ),
        0
    ) as from_previous,
from told
