-- funnel_ways: how far each person (or visit) got through each funnel and when: not a table, but what funnels count.
-- grain: one row per funnel, scope, Business and person or visit that did a first step
-- key: who
-- inputs: funnel_acts, funnel_steps, scopes
-- Nobody's way depends on others', so that it can be made for some people after others, in bounded memory.
-- A way through is a chain of acts of one person (or visit), one after the other, which meet the steps in order from the
-- first on. No act is two steps of it, and from its first act to its last it takes no longer than the funnel's `within`,
-- the end included. Somebody reached a step where any of their chains ends there: a later start may succeed where the
-- first fails. Acts are ordered by instant, visit and place in it. Of a Business only acts in it count, of all any.
-- Times are those of one chain: it ends where the furthest step was first reached; of such chains it began last; of these
-- it came soonest to each next step. The last act that reached the furthest step tells where they went instead: of
-- repeated attempts the final one.

with recursive

counted_acts as (
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
        funnel_acts.request_id,
    from funnel_acts
    inner join funnel_steps on funnel_steps.funnel = funnel_acts.funnel and funnel_steps.step = funnel_acts.step
    cross join scopes
),

beginners as (
    select
        who,
        row_number() over (order by who) as number,
    from (
        select distinct who
        from counted_acts
        where step = 1
    )
),

-- Numbers stand for who and for the order of their acts, since they are compared again at each step.
placed as (
    select
        beginners.number,
        counted_acts.step,
        counted_acts.within_us,
        counted_acts.at_us,
        counted_acts.request_id,
        dense_rank() over (
            partition by beginners.number
            order by counted_acts.at_us, counted_acts.visit_id, counted_acts.visit_seq
        ) as place,
    from counted_acts
    inner join beginners on beginners.who is not distinct from counted_acts.who
),

-- Of the chains that end with an act only the best is kept: where it takes too long, all do. What begins later ends no
-- earlier, so that of the acts reached before another the last began last, and of those that began with it the first
-- came soonest. `to_step_us` is how long it took to each step.
reached as (
    select
        number,
        step,
        place,
        at_us as start_us,
        [cast(0 as bigint)] as to_step_us,
    from placed
    where step = 1

    union all

    select
        number,
        step,
        place,
        soonest.start_us,
        list_append(soonest.to_step_us, at_us - soonest.start_us) as to_step_us,
    from (
        -- An act that meets both steps is no next step of itself: it comes before what it reached.
        select
            *,
            last_value(began ignore nulls) over (
                partition by number
                order by place, began is not null
                rows between unbounded preceding and current row
            ) as soonest,
        from (
            select
                number,
                step,
                place,
                at_us,
                within_us,
                null as began,
            from placed
            where step = (select max(step) + 1 from reached)

            union all

            select
                number,
                null as step,
                min(place) as place,
                null as at_us,
                null as within_us,
                struct_pack(start_us := start_us, to_step_us := arg_min(to_step_us, place)) as began,
            from reached
            group by number, start_us
        )
    )
    where began is null
        and soonest is not null
        and (within_us is null or at_us - soonest.start_us <= within_us)
),

furthest as (
    select
        number,
        max(step) as step,
        arg_min(to_step_us, (-step, place)) as to_step_us,
        max((step, place))[2] as last_place,
    from reached
    group by number
)

select
    beginners.who,
    furthest.step,
    furthest.to_step_us,
    placed.request_id as last_request_id,
from furthest
inner join beginners on beginners.number = furthest.number
inner join placed
    on placed.number = furthest.number
    and placed.step = furthest.step
    and placed.place = furthest.last_place
