-- feature_adoption: since when, how often and until when a user has used a feature, in which Business.
-- grain: one row per user, Business and feature
-- key: user_id, business_id, feature
-- inputs: feature_days

select
    user_id,
    business_id,
    feature,
    min(first_at) as first_at,
    max(last_at) as last_at,
    cast(count(*) as bigint) as days,
    cast(sum(uses) as bigint) as uses,
    cast(sum(errors) as bigint) as errors,
from feature_days
where user_id is not null
group by user_id, business_id, feature
