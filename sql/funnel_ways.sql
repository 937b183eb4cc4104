-- funnel_ways: how far each person (or visit) got through each funnel and when: not a table, but what funnels count.
-- grain: one row per funnel, scope, Business and person or visit that did a first step
-- key: who
-- inputs: funnel_acts, funnel_steps
-- Nobody's way depends on others', so that it can be made for some people after others, in bounded memory.
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
)

select
    who,
    max(step) as step,
    max_by(way, step).to_step_us as to_step_us,
    max_by(left_by, step) as left_by,
from steps_reached
group by who
