-- funnel_acts: acts that are a step of a funnel, and what came next in their visit; people only, no bots.
-- grain: one row per act of the days and step of a funnel that it is
-- key: request_id, funnel, step
-- inputs: clickstream, step_acts
-- What came next is whatever the visit went on with, be it an error or of the day after, but for what a page does by
-- itself: reports of how long it was looked at (hide, show, still), and reads of an API that a page asked for (they name
-- it as referrer) and that succeeded.

with

acts_of_visits as (
    select
        visit_id,
        visit_seq,
        case
            when coalesce(event, '') not in ('hide', 'show', 'still')
                and not (
                    kind = 'api'
                    and method in ('GET', 'HEAD')
                    and referrer is not null
                    and coalesce(status < 400, true)
                )
                then struct_pack(at := occurred_at, route := route, event := event || coalesce(':' || event_label, ''))
        end as done,
    from clickstream
    where date between $first_day and $day_after
        and visit_id in (select visit_id from step_acts)
),

followed as (
    select
        visit_id,
        visit_seq,
        first_value(done ignore nulls) over (
            partition by visit_id
            order by visit_seq
            rows between 1 following and unbounded following
        ) as next_done,
    from acts_of_visits
)

select
    step_acts.*,
    followed.next_done.at as next_at,
    followed.next_done.route as next_route,
    followed.next_done.event as next_event,
from step_acts
inner join followed on followed.visit_id = step_acts.visit_id and followed.visit_seq = step_acts.visit_seq
