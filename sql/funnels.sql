-- funnels: how many people or visits got how far through each funnel, how long it took, and where others went instead.
-- grain: one row per funnel, scope, Business and step; of all always, of each Business where any step was done
-- key: funnel, scope, business_id, step
-- inputs: funnel_ways, funnel_acts, funnel_steps, scopes
-- What a way through is, whose times are told and after which act they went elsewhere is said in funnel_ways.

with

left_by as (
    select
        request_id,
        funnel,
        step,
        struct_pack(
            what := case
                when next_at is null then 'ended'
                else coalesce('event ' || next_event, next_route, 'unknown')
            end,
            is_error := coalesce(status >= 400, false)
        ) as went,
    from funnel_acts
),

passed as (
    select
        funnel_ways.who.scope as scope,
        funnel_ways.who.business_id as business_id,
        funnel_ways.who.funnel as funnel,
        funnel_steps.step,
        case when funnel_steps.step > 1 then to_step_us[funnel_steps.step] / 1e6 end as from_first_s,
        case
            when funnel_steps.step > 1 then (to_step_us[funnel_steps.step] - to_step_us[funnel_steps.step - 1]) / 1e6
        end as from_previous_s,
        case
            when funnel_steps.step = funnel_ways.step and funnel_steps.step < funnel_steps.steps then left_by.went
        end as left_by,
    from funnel_ways
    inner join funnel_steps on funnel_steps.funnel = funnel_ways.who.funnel and funnel_steps.step <= funnel_ways.step
    left join left_by
        on left_by.request_id = funnel_ways.last_request_id
        and left_by.funnel = funnel_ways.who.funnel
        and left_by.step = funnel_ways.step
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

of_businesses as (
    select distinct funnel, business_id
    from funnel_acts
),

asked as (
    select
        scopes.scope,
        cast(null as varchar) as business_id,
        funnel_steps.*,
    from scopes
    cross join funnel_steps
    where scopes.scope = 'all'

    union all

    select
        scopes.scope,
        of_businesses.business_id,
        funnel_steps.*,
    from scopes
    cross join of_businesses
    inner join funnel_steps on funnel_steps.funnel = of_businesses.funnel
    where scopes.scope = 'business'
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
