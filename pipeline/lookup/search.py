"""Find users by what somebody on the phone says: parts of names and emails, misspelt, in any order; or a whole id.

Each word of the question is compared with every distinct term of `search_terms`; users are ranked by how well, and how
much of, the question is met. What is told of a user who was found does not belong here.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import Any

import duckdb

from pipeline.lookup.rows import Row, rows

_LONGEST_QUERY = 200
_MOST_WORDS = 6
_LEAST = 0.55  # of the question: one of two words of equal length is not enough
_ALIKE = (0.8, 0.7, 0.65)  # scores of what is not written so
_FORMER = 0.95  # of the score of what is no longer so
_APOSTROPHES = str.maketrans("", "", "'’`")


def find_users(connection: duckdb.DuckDBPyConnection, query: str, limit: int = 20) -> list[Row]:
    """Find users.

    Args:
        connection: a scope.
        query: words of names and emails, in any order, in any case, with or without accents, misspelt or begun; letters
            as initials; former names; or a whole user id or identifier.
        limit: the most to return.

    Returns:
        Rows of `user_lookup` (without `search_text`), best first, with `why`: which fields the words met and how, and
        `score`, from 0 to 1.
    """
    whole = _folded(connection, query[:_LONGEST_QUERY])
    if not whole:
        return []
    words, initials = _words(whole)
    parameters: dict[str, Any] = {"whole": whole, "initials": initials, "limit": limit, "least": _LEAST}
    parameters["former"] = _FORMER
    for place, word in enumerate(words):
        parameters |= {f"{name}{place}": value for name, value in _asked(word).items()}
    sizes = [len(word) for word in words]
    parameters["all_sizes"] = sum(sizes) or 1
    known, spelt = [_WHOLE], []
    for place, word in enumerate(words):
        of_known, of_spellings, pieces = _asks(place, word)
        known += of_known
        spelt += of_spellings
        parameters |= pieces
    met = [*known, _OF_ONE, _OF_SEVERAL] if spelt else known
    by_initials = _BY_INITIALS if initials else ""
    query = _SEARCH.format(spelt=_union(spelt or [_NOTHING]), met=_union(met), by_initials=by_initials)
    used = set(re.findall(r"\$(\w+)", query))
    found = rows(connection, query, {name: value for name, value in parameters.items() if name in used})
    for user in found:
        user["why"] = _why(user.pop("met"))
    return found


def _folded(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """Lower case, without accents: as `sql/search_terms.sql` writes terms, by the same functions."""
    return str(rows(connection, _FOLD, {"text": text})[0]["text"])


_FOLD = """
select replace(replace(replace(
    translate(strip_accents(lower(trim($text::varchar))), 'øłđıð', 'oldid'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'
) as text
"""


def _words(whole: str) -> tuple[list[str], list[str]]:
    """Take a question apart: words to look for, and single letters that may be initials beside them."""
    words: dict[str, None] = {}
    for part in whole.split():
        if "@" in part:
            words[re.sub(r"\+[^@]*", "", part.strip(",;<>"))] = None
        else:
            words |= dict.fromkeys(_letters_only(part).split())
    initials = [word for word in words if len(word) == 1]
    longer = [word for word in words if len(word) > 1][:_MOST_WORDS]
    return (longer, initials) if longer else (["".join(initials)] if initials else [], [])


def _letters_only(text: str) -> str:
    """Letters and digits, and a space for the rest but apostrophes."""
    return "".join(char if unicodedata.category(char)[0] in "LN" else " " for char in text.translate(_APOSTROPHES))


def _union(queries: list[str]) -> str:
    return "\nunion all\n".join(queries)


def _asked(word: str) -> dict[str, Any]:
    letters = 0
    local = word.partition("@")[0]
    for char in local:
        letters |= 1 << (ord(char) % 61)
    wrong = 0 if len(word) < 3 else 1 if len(word) < 7 else 2
    sizes = {"size": len(word), "local_size": len(local)}
    return {"word": word, "local": local, "letters": letters, "wrong": wrong, "first": ord(word[0])} | sizes


def _pieces(word: str, wrong: int) -> list[str]:
    """Parts of a word: `wrong` slips leave one as it is, or, where letters changed places at an edge, two joined."""
    edges = [len(word) * number // (wrong + 1) for number in range(1, wrong + 1)]
    parts = [word[start:end] for start, end in pairwise([0, *edges, len(word)])]
    both = [left[:-1] + right[0] + left[-1] + right[1:] for left, right in pairwise(parts)]
    return [*parts, *both]


def _asks(place: int, word: str) -> tuple[list[str], list[str], dict[str, str]]:
    """What to ask for a word, of those who are known by it and of spellings; with the pieces that this names.

    An email is looked for among emails, another word among the rest.
    """
    begins = "class <> 3" if word.isalpha() else "true"  # letters alone may begin the ids of all
    if len(word) < 3:
        return [_KNOWN.format(place=place, begins=begins)], [], {}
    is_email = "@" in word
    wrong = _asked(word)["wrong"]
    pieces = {f"kept{place}_{number}": piece for number, piece in enumerate(_pieces(word, wrong))}
    said = {
        "place": place,
        "begins": begins,
        "classes": "class = 2" if is_email else "class < 2",
        "part_classes": "class = 2" if is_email else "class = 0",
        "kept": _LOCAL_NEAR.format(place=place)
        if is_email
        else " or ".join(f"contains(term, ${name})" for name in pieces),
    }
    templates = [_NEAR, _WITHIN] + ([_BEGUN] if len(word) > 4 and not is_email else [])
    return [_KNOWN.format(**said)], [template.format(**said) for template in templates], pieces


def _why(met: list[dict[str, Any]]) -> str:
    """Name each field that words met once, best first, and whether any of them is not written so there."""
    best: dict[str, tuple[Any, ...]] = {}
    for one in met:
        how = (one["score"], not FIELDS[one["field"] - 1].startswith("former"), FIELDS[one["field"] - 1], one["term"])
        best[one["place"]] = max(how, best.get(one["place"], how))
    fields: dict[str, bool] = {}
    for score, is_present, field, term in sorted(best.values(), key=lambda how: (-how[0] * _weight(how), how[2:])):
        name = field if is_present else f"{field} {term!r}"
        fields[name] = fields.get(name, False) or score in _ALIKE
    return ", ".join(f"{name}, spelt alike" if is_alike else name for name, is_alike in fields.items())


def _weight(how: tuple[Any, ...]) -> float:
    return 1 if how[1] else _FORMER


# What search asks, made by `open_scope` of `search_terms` and `people`, in this order. `known_terms` lies in the order
# of terms, for what is written so or begins so. `spellings` has each term once, in the order of sizes, for what is
# written alike: to measure a name once for all who bear it. Who that is stands there where it is one, as most terms
# have, and in `bearers` where they are several. A person and a term are numbers where they are held in memory. Of an
# email, size and letters are of what stands before its @, since hosts are much alike. Numbers stand for words, which
# are read far slower: a class is 0 for a name or a part of an email, 1 for a name's words joined, 2 an email, 3 an id,
# 4 initials; a field is its place in FIELDS, of which the second and third are former ones.
SEARCHED = {
    "known_terms": """
        select
            search_terms.term,
            case search_terms.kind when 'joined' then 1 when 'email' then 2 when 'id' then 3 when 'initials' then 4
                else 0 end::utinyint as class,
            list_position({fields}, search_terms.field)::utinyint as field,
            people.person,
            search_terms.letters
        from search_terms
        inner join people on people.user_id = search_terms.user_id
        order by term
    """,
    "spellings": """
        select
            {number} as number,
            class,
            length(case when class = 2 then split_part(term, '@', 1) else term end)::usmallint as size,
            unicode(term)::integer as first,
            any_value(letters) as letters,
            term,
            case when count(*) = 1 then any_value(person) end as person,
            case when count(*) = 1 then any_value(field) end as field
        from known_terms
        where class <= 2
        group by class, term
        order by class, size, term
    """,
    "bearers": """
        select spellings.number, known_terms.person, known_terms.field
        from known_terms
        inner join spellings on spellings.term = known_terms.term and spellings.class = known_terms.class
        where spellings.person is null
        order by spellings.number
    """,
}
FIELDS = ("email", "former email", "former name", "identifier", "name", "user id")


def searched(name: str, in_memory: bool) -> str:
    """The SELECT of a table that search asks, of the tables in scope."""
    number = "row_number() over (order by class, term)::integer" if in_memory else "class || ':' || term"
    return SEARCHED[name].format(number=number, fields=list(FIELDS))


# A term's score falls from equal (1) over beginning alike, one letter wrong, in the middle, two wrong, to beginning
# nearly alike; what begins so is left out below, since it is known with a better score. `letters` rules most terms out
# by a look at two numbers: one wrong letter takes away one kind of letter and adds one. What can be left to the scan,
# which then reads the other columns of what remains only, is conditions of one column each, of which one at most is
# reckoned; they stand in a query of their own, or DuckDB tries them together with what is costly. That stands behind
# `then`, since the conditions of one `and` are tried in any order, and names `letters` again, lest it go to the scan
# for being of one column too.
_KNOWN = """
select '{place}' as place, $size{place} as weight, person, field, term,
    case when term = $word{place} then 1.0 else 0.85 + 0.1 * $size{place} / length(term) end as score
from known_terms
where starts_with(term, $word{place}) and (term = $word{place} or ($size{place} > 1 and class <> 4 and {begins}))
"""
# A term of several has no person of its own, and nobody is ranked for it; a condition that said so would be pushed down
# to the scans, and make them slower.
_OF_ONE = "select place, weight, person, field, term, score from spelt"
_OF_SEVERAL = """
select spelt.place, spelt.weight, bearers.person, bearers.field, spelt.term, spelt.score
from spelt
inner join bearers on bearers.number = spelt.number
"""
_NOTHING = "select null as number"
_NEAR = """
select '{place}' as place, $size{place} as weight, number, person, field, term, 0.9 - 0.1 * wrong as score
from (
    select number, person, field, term,
        case
            when bit_count($letters{place} & ~letters) + greatest(size - $local_size{place}, 0) <= $wrong{place}
                and bit_count(letters & ~$letters{place}) + greatest($local_size{place} - size, 0) <= $wrong{place}
                then case when {kept} then damerau_levenshtein(term, $word{place}) end
        end as wrong
    from (
        from spellings
        where {classes}
            and size between $local_size{place} - $wrong{place} and $local_size{place} + $wrong{place}
            and bit_count($letters{place} & ~letters) <= $wrong{place}
    )
)
where wrong between 1 and $wrong{place}
"""
_LOCAL_NEAR = "damerau_levenshtein(split_part(term, '@', 1), $local{place}) <= $wrong{place}"
_WITHIN = """
select '{place}' as place, $size{place} as weight, number, person, field, term, 0.75 as score
from (
    select number, person, field, term,
        case
            when $letters{place} & ~letters = 0
                then contains(term, $word{place}) and not starts_with(term, $word{place})
        end as is_within
    from (
        from spellings
        where {part_classes} and size >= $local_size{place} and $letters{place} & ~letters = 0
    )
)
where is_within
"""
# Of two texts as long as each other, one slip is another letter in one place or two that changed places.
_BEGUN = """
select '{place}' as place, $size{place} as weight, number, person, field, term, 0.65 as score
from (
    select number, person, field, term,
        case
            when bit_count($letters{place} & ~letters) <= 1 and strlen(left(term, $size{place})) = strlen($word{place})
                then case
                    when hamming(left(term, $size{place}), $word{place}) <= 2
                        then damerau_levenshtein(left(term, $size{place}), $word{place})
                end
        end as wrong
    from (
        from spellings
        where class = 0 and first = $first{place} and size > $size{place}
            and bit_count($letters{place} & ~letters) <= 1
    )
)
where wrong = 1
"""
_WHOLE = """
select 'whole' as place, null as weight, person, field, term, 1.0 as score from known_terms where term = $whole
"""
# Users are ranked by few columns, and the rest is read of those who are told. People are in the order of their ids.
_SEARCH = """
with spelt as materialized ({spelt}),

met as materialized ({met}),

by_word as (
    select person, place, any_value(weight) as weight, max(score * if(field in (2, 3), $former, 1)) as score
    from met
    group by person, place
),

by_user as (
    select
        person,
        greatest(sum(score * weight) / $all_sizes::double, max(score) filter (where weight is null)) as score
    from by_word
    group by person
    having score > $least
),

ranked as materialized (
    select by_user.person, people.last_seen_at, by_user.score{by_initials} as score
    from by_user
    inner join people on people.person = by_user.person
    order by score desc, people.last_seen_at desc nulls last, by_user.person
    limit $limit
),

told as (
    select person, list({{place: place, field: field, term: term, score: score}}) as met
    from met
    where person in (select person from ranked)
    group by person
)

select people.* exclude (person, search_text), ranked.score, told.met
from ranked
inner join told on told.person = ranked.person
inner join people on people.person = ranked.person
order by ranked.score desc, ranked.last_seen_at desc nulls last, ranked.person
"""
_BY_INITIALS = """ * (4 + len(
        list_filter($initials::varchar[], lambda letter: contains(' ' || people.search_text, ' ' || letter))
    )) / (4 + len($initials::varchar[]))"""
