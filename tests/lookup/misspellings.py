"""Made-up users, and what somebody who heard or half remembers a name or an email types."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from pipeline.demo.people import FIRST_NAMES, LAST_NAMES

_PLAIN = str.maketrans({"ø": "o", "ł": "l", "ı": "i", "ß": "ss"})
_STARTS = ("b", "br", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v", "w", "z", "ch")
_VOWELS = ("a", "e", "i", "o", "u", "ei", "ou")
_ENDS = ("", "", "n", "r", "s", "l", "m", "rt", "nd", "ck")
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def folded(text: str) -> str:
    """As somebody writes who has no accents on the keyboard."""
    plain = unicodedata.normalize("NFD", text.lower())
    return "".join(char for char in plain if not unicodedata.combining(char)).translate(_PLAIN)


@dataclass(frozen=True)
class Person:
    """A user as the directory has them; former ones are empty where there are none."""

    user_id: str
    first: str
    last: str
    email: str
    former_last: str
    former_email: str


def people(random: Random, count: int) -> list[Person]:
    """Make people of different names: every pair of the demo's names, and invented ones."""
    pairs = [(first, last) for first in FIRST_NAMES for last in LAST_NAMES]
    firsts = list(FIRST_NAMES) + [_invented(random, 2) for _ in range(400)]
    while len(pairs) < count:
        pairs.append((random.choice(firsts), _invented(random, random.choice((2, 2, 3)))))
    distinct = sorted({(folded(first), folded(last)): (first, last) for first, last in pairs}.values())
    random.shuffle(distinct)
    return [_person(random, number, first, last) for number, (first, last) in enumerate(distinct)]


def _invented(random: Random, syllables: int) -> str:
    parts = (random.choice(_STARTS) + random.choice(_VOWELS) + random.choice(_ENDS) for _ in range(syllables))
    return "".join(parts).capitalize()


def _person(random: Random, number: int, first: str, last: str) -> Person:
    local = f"{folded(first)}{random.choice(('.', '_', ''))}{folded(last)}".replace("'", "").replace(" ", "")
    tag = random.choice(("", "", "", "+work"))
    host = random.choice(("example.org", "harbour.example", "cedar-clinic.example"))
    is_renamed = random.random() < 0.1
    return Person(
        user_id=f"user-{number}",
        first=first,
        last=last,
        email=f"{local}{number % 97}{tag}@{host}",
        former_last=_invented(random, 3) if is_renamed else "",
        former_email=f"{folded(first)}{number}@former.example" if is_renamed else "",
    )


def _swapped(random: Random, text: str) -> str:
    place = random.randrange(len(text) - 1)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _dropped(random: Random, text: str) -> str:
    place = random.randrange(len(text))
    return text[:place] + text[place + 1 :]


def _doubled(random: Random, text: str) -> str:
    place = random.randrange(len(text))
    return text[: place + 1] + text[place:]


def _mistyped(random: Random, text: str) -> str:
    place = random.randrange(len(text))
    row = next((row for row in _KEYS if text[place].lower() in row), _KEYS[1])
    near = (row.find(text[place].lower()) + random.choice((-1, 1))) % len(row)
    return text[:place] + row[near] + text[place + 1 :]


_SLIPS = (_swapped, _dropped, _doubled, _mistyped)


def _slip(random: Random, text: str) -> str:
    return random.choice(_SLIPS)(random, text) if len(text) > 2 else text


def _one_word(random: Random, who: Person) -> str:
    words = [who.first, who.last]
    place = random.randrange(2)
    words[place] = _slip(random, words[place])
    return " ".join(words)


def _begun(random: Random, who: Person) -> str:
    return f"{who.first[: max(3, len(who.first) - 2)]} {who.last[: max(3, len(who.last) - 2)]}"


KINDS: dict[str, Callable[[Random, Person], str]] = {
    "another case": lambda random, who: random.choice((str.upper, str.lower))(f"{who.first} {who.last}"),
    "without accents": lambda _, who: folded(f"{who.first} {who.last}"),
    "a slip in one word": _one_word,
    "a slip in each word": lambda random, who: f"{_slip(random, who.first)} {_slip(random, who.last)}",
    "last name first": lambda _, who: f"{who.last}, {who.first}",
    "last name first, a slip": lambda random, who: f"{_slip(random, who.last)} {who.first}",
    "an initial": lambda _, who: f"{who.first[0]}. {who.last}",
    "beginnings": _begun,
    "in one word": lambda _, who: f"{who.first}{who.last}",
    "a title": lambda _, who: f"Dr {who.first} {who.last}",
    "the email": lambda _, who: who.email.upper(),
    "the email, a slip": lambda random, who: _slip(random, who.email),
    "the email, another tag": lambda _, who: who.email.replace("+work", "").replace("@", "+news@"),
    "the email's local part": lambda _, who: who.email.partition("@")[0],
    "the former name": lambda _, who: f"{who.first} {who.former_last or who.last}",
    "the former email": lambda _, who: who.former_email or who.email,
    "the id": lambda _, who: who.user_id.upper(),
}


def misspelt(random: Random, who: Person) -> tuple[str, str]:
    """What somebody types who looks for a person: the kind of misspelling, and the words."""
    kind = random.choice(list(KINDS))
    return kind, KINDS[kind](random, who)
