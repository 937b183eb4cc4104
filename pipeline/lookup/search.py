"""Find users by what somebody on the phone says: parts of names and emails, misspelt, in any order; or a whole id.

Each word of the question is compared with every distinct term of `search_terms`; users are ranked by how well, and how
much of, the question is met. What is told of a user who was found does not belong here.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import duckdb

from pipeline.lookup.rows import Row, rows

_LONGEST_QUERY = 200
_MOST_WORDS = 6
_LEAST = 0.55  # of the question: one of two words of equal length is not enough
_ALIKE = (0.8, 0.7, 0.65)  # scores of what is not written so
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
    for place, word in enumerate(words):
        parameters |= {f"{name}{place}": value for name, value in _asked(word).items()}
    sizes = [len(word) for word in words]
    parameters |= {
        "places": [*map(str, range(len(words))), "whole"],
        "sizes": [*sizes, 0],
        "all_sizes": sum(sizes) or 1,
    }
    met = [_WORD.format(place=place) for place in range(len(words))]
    found = rows(connection, _SEARCH.format(met_terms="\nunion\n".join([*met, _WHOLE])), parameters)
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


def _asked(word: str) -> dict[str, Any]:
    letters = 0
    for char in word:
        letters |= 1 << (ord(char) % 61)
    wrong = 0 if len(word) < 3 else 1 if len(word) < 7 else 2
    return {"word": word, "size": len(word), "letters": letters, "wrong": wrong}


def _why(met: list[dict[str, Any]]) -> str:
    """Name each field that words met once, and whether any of them is not written so there."""
    fields: dict[str, bool] = {}
    for word in met:
        name = word["field"] + (f" {word['term']!r}" if word["field"].startswith("former") else "")
        fields[name] = fields.get(name, False) or word["score"] in _ALIKE
    return ", ".join(f"{name}, spelt alike" if is_alike else name for name, is_alike in fields.items())


# A term's score falls from equal (1) over beginning alike, one letter wrong, in the middle, two wrong, to beginning
# nearly alike. `letters` rules most terms out by a look at two numbers: one wrong letter takes away one kind of letter
# and adds one. What is costly stands behind `then`, since the conditions of one `and` are tried in any order.
_WORD = """
select '{place}' as place, term, kind,
    coalesce(
        case
            when term = $word{place} then 1.0
            when kind <> 'initials' and $size{place} > 1 and starts_with(term, $word{place})
                then 0.85 + 0.1 * $size{place} / length(term)
        end,
        case
            when kind not in ('id', 'initials')
                and bit_count($letters{place} & ~letters) <= $wrong{place}
                and bit_count(letters & ~$letters{place}) <= $wrong{place}
                and abs(length(term) - $size{place}) <= $wrong{place}
                then case
                    when damerau_levenshtein(term, $word{place}) <= $wrong{place}
                        then 0.9 - 0.1 * damerau_levenshtein(term, $word{place})
                end
        end,
        case
            when kind in ('name', 'local', 'email') and $size{place} > 2 and length(term) > $size{place}
                and bit_count($letters{place} & ~letters) <= 1
                then case
                    when (kind <> 'email' or contains($word{place}, '@')) and contains(term, $word{place}) then 0.75
                    when kind <> 'email' and $size{place} > 4 and left(term, 1) = left($word{place}, 1)
                        then case when damerau_levenshtein(left(term, $size{place}), $word{place}) <= 1 then 0.65 end
                end
        end
    ) as score
from terms
where score is not null
"""
_WHOLE = "select 'whole' as place, term, kind, 1.0 as score from terms where term = $whole"
_SEARCH = """
with met_terms as ({met_terms}),

sizes as (
    select unnest($places::varchar[]) as place, unnest($sizes::double[]) as size
),

by_word as (
    select
        search_terms.user_id,
        met_terms.place,
        max(met_terms.score * if(starts_with(search_terms.field, 'former'), 0.95, 1)) as score,
        arg_max(
            {{field: search_terms.field, term: search_terms.term, score: met_terms.score}},
            (met_terms.score, not starts_with(search_terms.field, 'former'), search_terms.field, search_terms.term)
        ) as met
    from met_terms
    inner join search_terms on search_terms.term = met_terms.term and search_terms.kind = met_terms.kind
    group by search_terms.user_id, met_terms.place
),

by_user as (
    select
        by_word.user_id,
        greatest(
            sum(by_word.score * sizes.size) filter (where by_word.place <> 'whole') / $all_sizes::double,
            max(by_word.score) filter (where by_word.place = 'whole')
        ) as score,
        list(by_word.met order by by_word.score desc, by_word.met) as met
    from by_word
    inner join sizes on sizes.place = by_word.place
    group by by_word.user_id
    having score > $least
)

select
    user_lookup.* exclude (search_text),
    by_user.met,
    by_user.score * (4 + len(
        list_filter($initials::varchar[], lambda letter: contains(' ' || user_lookup.search_text, ' ' || letter))
    )) / (4 + len($initials::varchar[])) as score
from by_user
inner join user_lookup on user_lookup.user_id = by_user.user_id
order by score desc, user_lookup.last_seen_at desc nulls last, user_lookup.user_id
limit $limit
"""
