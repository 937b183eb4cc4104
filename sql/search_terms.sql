-- search_terms: words that users are found by: of names and emails, today's and former ones, and whole ids.
-- grain: one row per term, kind, field, user and Business
-- key: term, kind, field, user_id, business_id
-- inputs: user_businesses, users, former_names

with

said as (
    select user_id, 'name' as field, name as value from users where name is not null
    union all
    select user_id, 'email' as field, email as value from users where email is not null
    union all
    select user_id, concat('former ', field) as field, value from former_names
),

plain as (
    select
        user_id,
        field,
        replace(replace(replace(translate(strip_accents(lower(value)), 'øłđıð', 'oldid'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe')
            as value,
    from said
),

name_words as (
    select
        user_id,
        field,
        list_filter(
            regexp_split_to_array(regexp_replace(value, '[''’`]', '', 'g'), '[^\p{L}\p{N}]+'), lambda word: word <> ''
        ) as words,
    from plain
    where field in ('name', 'former name')
),

emails as (
    select
        user_id,
        field,
        trim(value) as whole,
        regexp_replace(trim(value), '\+[^@]*', '') as untagged,
    from plain
    where field in ('email', 'former email')
),

locals as (
    select user_id, field, split_part(untagged, '@', 1) as local
    from emails
),

of_users as (
    select user_id, field, 'name' as kind, unnest(words) as term from name_words
    union
    select user_id, field, 'joined' as kind, array_to_string(words, '') as term from name_words where len(words) > 1
    union
    select user_id, field, 'joined' as kind, array_to_string(list_reverse(words), '') as term
    from name_words
    where len(words) > 1
    union
    select
        user_id,
        field,
        'initials' as kind,
        array_to_string(list_transform(words, lambda word: left(word, 1)), '') as term,
    from name_words
    where len(words) > 1
    union
    select user_id, field, 'email' as kind, whole as term from emails
    union
    select user_id, field, 'email' as kind, untagged as term from emails
    union
    select user_id, field, 'local' as kind, local as term from locals
    union
    select user_id, field, 'local' as kind, unnest(regexp_split_to_array(local, '[^\p{L}]+')) as term from locals
    union
    select user_id, 'user id' as field, 'id' as kind, lower(user_id) as term from users
    union
    select user_id, 'user id' as field, 'id' as kind, lower(user_id) as term from user_businesses
),

in_businesses as (
    select
        of_users.term,
        of_users.kind,
        of_users.field,
        of_users.user_id,
        user_businesses.business_id,
    from of_users
    left join user_businesses on user_businesses.user_id = of_users.user_id
),

of_identifiers as (
    select user_id, business_id, unnest(identifiers) as identifier
    from user_businesses
),

all_terms as (
    select term, kind, field, user_id, business_id from in_businesses
    union
    select lower(identifier) as term, 'id' as kind, 'identifier' as field, user_id, business_id from of_identifiers
)

select
    term,
    kind,
    field,
    list_reduce(
        list_transform(
            string_split(case when kind = 'email' then split_part(term, '@', 1) else term end, ''),
            lambda char: case when char = '' then 0 else cast(1 as bigint) << cast(unicode(char) % 61 as integer) end
        ),
        lambda one, other: one | other,
        cast(0 as bigint)
    ) as letters,
    user_id,
    business_id,
from all_terms
where term <> ''
