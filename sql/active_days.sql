-- active_days: on which days users did anything, in which Business: not a table, but whom segments count.
-- grain: one row per day, user and Business
-- key: date, user_id, business_id
-- inputs: user_days
-- A day of which all acts are a bot's, or ask not to be tracked where that matters, is nobody's.

select date, user_id, business_id, device_type, country
from user_days
where not is_bot and opt_out is null
