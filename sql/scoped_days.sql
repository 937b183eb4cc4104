-- scoped_days: on which days users did anything, and used each feature: not a table, but whom models of use count.
-- grain: one row per scope, Business, feature, user and day (of anything done, without a feature)
-- key: scope, business_id, feature, user_id, date
-- inputs: user_days, feature_days
-- Of all Businesses together each user is one, whatever their Businesses, and of each Business, each user of it.

select distinct
    'all' as scope,
    cast(null as varchar) as business_id,
    cast(null as varchar) as feature,
    user_id,
    date,
from user_days
where not is_bot and opt_out is null

union all

select
    'business' as scope,
    business_id,
    cast(null as varchar) as feature,
    user_id,
    date,
from user_days
where not is_bot and opt_out is null

union all

select distinct
    'all' as scope,
    cast(null as varchar) as business_id,
    feature,
    user_id,
    date,
from feature_days
where user_id is not null
