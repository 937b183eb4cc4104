-- feature_staying: whether who used a feature stayed more often than others who were there as often, in the same Business.
-- grain: one row per feature that was used, and not by all
-- key: feature
-- inputs: user_days, feature_days, score_days
-- An association, not an effect. Those there in the weeks before are compared, by Business and by the number of days on
-- which they were there: who used it then, and who did not. To stay is to be there in the weeks now. Differences of such
-- groups are weighed by Mantel and Haenszel, with the variance of Sato (Biometrics 45 (1989) 1323-1324), which holds for
-- many small groups too; the interval is Klingenberg's (Statistics in Medicine 33 (2014) 2968-2983), which takes that
-- variance where the difference would be, and so holds its rate for few people. A user of two Businesses is looked at in
-- each.

with

were as (
    select user_days.user_id, user_days.business_id, count(*) as days
    from user_days
    inner join score_days on score_days.date = user_days.date
    where score_days.part = 'before' and not user_days.is_bot and user_days.opt_out is null
    group by user_days.user_id, user_days.business_id
),

still as (
    select distinct user_days.user_id, user_days.business_id
    from user_days
    inner join score_days on score_days.date = user_days.date
    where score_days.part = 'now' and not user_days.is_bot and user_days.opt_out is null
),

people as (
    select were.*, still.user_id is not null as has_stayed
    from were
    left join still
        on still.user_id = were.user_id
        and still.business_id is not distinct from were.business_id
),

adopters as (
    select distinct feature_days.feature, feature_days.user_id, feature_days.business_id
    from feature_days
    inner join score_days on score_days.date = feature_days.date
    where score_days.part = 'before' and feature_days.user_id is not null
),

alike as (
    select
        business_id,
        days,
        cast(count(*) as double) as people,
        cast(count(*) filter (where has_stayed) as double) as stayed,
    from people
    group by business_id, days
),

adopted as (
    select
        adopters.feature,
        people.business_id,
        people.days,
        cast(count(*) as double) as people,
        cast(count(*) filter (where people.has_stayed) as double) as stayed,
    from adopters
    inner join people
        on people.user_id = adopters.user_id
        and people.business_id is not distinct from adopters.business_id
    group by adopters.feature, people.business_id, people.days
),

compared as (
    select
        adopted.feature,
        alike.people as all_people,
        adopted.people as users,
        adopted.stayed as users_stayed,
        alike.people - adopted.people as others,
        alike.stayed - adopted.stayed as others_stayed,
    from adopted
    inner join alike
        on alike.business_id is not distinct from adopted.business_id
        and alike.days = adopted.days
    where alike.people > adopted.people
),

weighed as (
    select
        *,
        users * others / all_people as weight,
        (users_stayed * others - others_stayed * users) / all_people as differences,
        (users * users * others_stayed - others * others * users_stayed + users * others * (others - users) / 2)
            / (all_people * all_people) as of_difference,
        (users_stayed * (others - others_stayed) + others_stayed * (users - users_stayed)) / (2 * all_people)
            as of_chance,
    from compared
),

-- Decimals, whose sum is the same in whatever order they are added.
summed as (
    select
        feature,
        sum(users) as users,
        sum(users_stayed) as users_stayed,
        sum(others) as others,
        sum(others_stayed) as others_stayed,
        cast(sum(cast(weight as decimal(38, 12))) as double) as weight,
        cast(sum(cast(differences as decimal(38, 12))) as double) as differences,
        cast(sum(cast(of_difference as decimal(38, 12))) as double) as of_difference,
        cast(sum(cast(of_chance as decimal(38, 12))) as double) as of_chance,
    from weighed
    group by feature
),

estimated as (
    select
        *,
        differences / weight as difference,
        differences / weight + 1.959963984540054 ** 2 * of_difference / (2 * weight ** 2) as middle,
    from summed
),

bounded as (
    select
        *,
        sqrt(greatest(
            0, middle ** 2 - difference ** 2 + 1.959963984540054 ** 2 * of_chance / weight ** 2
        )) as half,
    from estimated
)

select
    feature,
    cast(users as bigint) as users,
    cast(users_stayed as bigint) as users_stayed,
    cast(others as bigint) as others,
    cast(others_stayed as bigint) as others_stayed,
    difference,
    greatest(-1, middle - half) as low,
    least(1, middle + half) as high,
from bounded
