-- user_days: on which days a user did something, in which Business; it makes one user's look-up fast.
-- grain: one row per day, user and Business
-- key: date, user_id, business_id
-- inputs: clickstream

with

user_acts as (
    select *
    from clickstream
    where date between $first_day and $last_day
        and user_id is not null
)

select
    date,
    user_id,
    business_id,
    cast(count(*) as bigint) as requests,
    cast(count(*) filter (where visit_seq = 1) as bigint) as visits,
    cast(count(*) filter (where status >= 400) as bigint) as errors,
    min(occurred_at) as first_at,
    max(occurred_at) as last_at,
    max(occurred_at) filter (where status >= 400) as last_error_at,
    list_sort(list(distinct concat_ws(' on ', browser, os)) filter (where browser is not null or os is not null))
        as devices,
    list_sort(list(distinct visitor_id)) as identifiers,
    min(struct_pack(at := occurred_at, id := request_id, told := device_type)) filter (where device_type is not null)
        .told as device_type,
    min(struct_pack(at := occurred_at, id := request_id, told := country)) filter (where country is not null)
        .told as country,
    bool_and(is_bot) as is_bot,
    case when bool_and(opt_out is not null) then max(opt_out) end as opt_out,
from user_acts
group by date, user_id, business_id
