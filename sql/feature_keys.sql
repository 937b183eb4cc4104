-- feature_keys: which features an act is a use of, by what tells it; not a table, but the one definition that models share.
-- grain: one row per feature and distinct method, host, route, event, label and status of the days
-- key: method, host, route, event, event_label, status, feature
-- inputs: clickstream, feature_rules
-- Acts join it by all six columns with `is not distinct from`, since each may be null; an act may meet several features.
-- What a rule leaves null takes any act. Each distinct route is compared with each distinct route of the rules once.

with

keys as (
    select distinct method, host, route, event, event_label, status
    from clickstream
    where date between $first_day and $last_day
),

routes as (
    select distinct route
    from keys
),

said_routes as (
    select distinct route as said, route_start, route_expression
    from feature_rules
    where route is not null
),

met_routes as (
    select routes.route, said_routes.said
    from routes
    inner join said_routes on said_routes.said = routes.route
    where said_routes.route_expression is null

    union all

    -- `case` keeps the expression, which is compiled anew for each pair, from pairs that do not even begin alike.
    select routes.route, said_routes.said
    from routes
    inner join said_routes
        on case
            when starts_with(routes.route, said_routes.route_start)
                then regexp_matches(routes.route, said_routes.route_expression)
            else false
        end
    where said_routes.route_expression is not null

    union all

    select routes.route, cast(null as varchar) as said
    from routes
)

select distinct
    keys.method,
    keys.host,
    keys.route,
    keys.event,
    keys.event_label,
    keys.status,
    feature_rules.feature,
from keys
inner join met_routes on met_routes.route is not distinct from keys.route
inner join feature_rules on feature_rules.route is not distinct from met_routes.said
where (feature_rules.method is null or feature_rules.method = keys.method)
    and (feature_rules.host is null or feature_rules.host = keys.host)
    and (feature_rules.host_ending is null or ends_with(keys.host, feature_rules.host_ending))
    and (
        feature_rules.event is null
        or (feature_rules.event = '*' and keys.event is not null)
        or feature_rules.event in (keys.event, keys.event || ':' || keys.event_label)
    )
    and (feature_rules.status_from is null or keys.status between feature_rules.status_from and feature_rules.status_to)
