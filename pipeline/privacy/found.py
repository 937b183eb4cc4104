"""Finds what addresses hold that a log should not: emails, tokens, card and phone numbers in queries, paths, referrers.

Each distinct address is looked at once. What is found is told by where it stands and of which kind, never as it is; how
it is masked on arrival is `ingest/masking.py`'s.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from urllib.parse import unquote

import duckdb

from pipeline.checks import CheckResult

_LONGEST = 4096
_EMAIL = re.compile(r"[^\s@/?&=:;,<>()\[\]\"]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_DIGITS = re.compile(r"(?<![0-9A-Za-z.])[3-6][0-9]{3}(?:[ -]?[0-9]{2,7}){2,4}(?![0-9A-Za-z])")
_PHONE = re.compile(r"(?:\+|00)[1-9][0-9 ().-]{6,18}[0-9]")
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|[0-9a-f]{32,}|[0-9A-F]{32,}|[\w-]{22,}={0,2}", re.ASCII)
_WORD = re.compile(r"[A-Za-z]?[a-z]*|[A-Z]+|[0-9]+")


UNNAMED = "(of another name)"
_NAME = re.compile(r"[\w.~\[\]-]{1,60}", re.ASCII)
_LITERAL_PATH = re.compile(r"/(?:[\w.~-]{1,100}/){1,20}", re.ASCII)


@dataclass(frozen=True)
class Found:
    """What was found in addresses.

    Attributes:
        place: query, path or referrer.
        name: the parameter, `UNNAMED` where its name is odd or personal itself; of a path the route before the value.
        kind: email, token, card or phone.
        lines: in how many requests.
    """

    place: str
    name: str
    kind: str
    lines: int

    @property
    def rule(self) -> str | None:
        """What the setting `mask` says to mask it on arrival; None where no rule can name it."""
        if self.place == "path":
            return self.name if _LITERAL_PATH.fullmatch(self.name) else None
        return None if self.name == UNNAMED else f"?{self.name}"


def find_personal(
    connection: duckdb.DuckDBPyConnection, first: date | None = None, last: date | None = None
) -> list[Found]:
    """Find values that tell of a person, or let somebody in, in the addresses of requests.

    Args:
        connection: with `requests` as a view or table.
        first: the first UTC day; all where None.
        last: the last one, included.

    Returns:
        What was found, the most frequent first. A value is judged by its form, so that some are taken for what they are
        not, and what a page encrypts or encodes is not seen.
    """
    asked = {"first": first or date.min, "last": last or date.max}
    lines: Counter[tuple[str, str, str]] = Counter()
    for place, query in _DISTINCT.items():
        for batch in connection.sql(query, params=asked).to_arrow_reader(20_000):
            for row in batch.to_pylist():
                text = row["text"][:_LONGEST]
                for name, kind in set(_in_path(text, row["route"]) if place == "path" else _in_query(place, text)):
                    lines[place, name, kind] += row["lines"]
    found = [Found(*key, count) for key, count in lines.items()]
    return sorted(found, key=lambda one: (-one.lines, one.place, one.name, one.kind))


_DISTINCT = {
    "query": """
        select query as text, count(*) as lines from requests
        where date between $first and $last and query <> '' group by query
    """,
    "path": """
        select path as text, coalesce(route, '') as route, count(*) as lines from requests
        where date between $first and $last and path <> '' group by path, route
    """,
    "referrer": """
        select referrer as text, count(*) as lines from requests
        where date between $first and $last and contains(referrer, '?') group by referrer
    """,
}


def addresses_hold_nothing_personal(
    connection: duckdb.DuckDBPyConnection, first: date | None = None, last: date | None = None
) -> CheckResult:
    """Whether no address of these days holds an email, token, card or phone number."""
    found = find_personal(connection, first, last)
    numbers: dict[str, int | float | str] = {"found": len(found)}
    if not found:
        return CheckResult(True, "no address holds an email, token, card or phone number", numbers)
    numbers |= {f"{one.kind} in {one.place} {one.name}"[:200]: one.lines for one in found[:20]}
    said = ", ".join(f"{one.kind} in {one.place} {one.name}" for one in found[:3])
    return CheckResult(False, f"addresses hold what `trail privacy found` tells, such as {said}", numbers)


def _in_query(place: str, text: str) -> Iterator[tuple[str, str]]:
    """Names and kinds of what a query, or that of a referrer, holds; a fragment is none of it."""
    query = text.partition("?")[2] if place == "referrer" else text
    for part in query.partition("#")[0].split("&"):
        name, equals, value = part.partition("=")
        if equals:
            shown = name if _NAME.fullmatch(name) and not kinds_of(name) else UNNAMED
            yield from ((shown, kind) for kind in kinds_of(value))


def _in_path(path: str, route: str) -> Iterator[tuple[str, str]]:
    """Routes before a value, and its kinds; a route names no person, as the path may on the way to it."""
    segments, named = path.split("/"), route.split("/")
    for place, segment in enumerate(segments):
        for kind in kinds_of(segment):
            before = "/".join(named[:place]) if len(named) == len(segments) else ""
            yield f"{before}/", kind


def kinds_of(value: str) -> list[str]:
    """Tell which kinds of personal values a value looks like.

    Args:
        value: as it stands in an address.

    Returns:
        Of email, token, card and phone those that it holds.
    """
    if len(value) < 7:  # the shortest email that is one, `a@bc.de`
        return []
    text = unquote(value)
    kinds = ["email"] if "@" in text and _EMAIL.search(text) else []
    if any(_is_card(found[0]) for found in _DIGITS.finditer(text)):
        kinds.append("card")
    elif (phone := _PHONE.search(text)) and 8 <= sum(char.isdigit() for char in phone[0]) <= 15:
        kinds.append("phone")
    if not kinds and _is_token(text):
        kinds.append("token")
    return kinds


def _is_card(text: str) -> bool:
    """Whether digits are a payment card's: 13 to 19 that end with the check digit of ISO/IEC 7812-1."""
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def _is_token(text: str) -> bool:
    """Whether a text is drawn by chance: long, of all kinds of characters, and no words or numbers with hyphens."""
    if not _TOKEN.fullmatch(text):
        return False
    if text.startswith("eyJ"):
        return True
    if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", text):
        return bool(re.search("[a-fA-F]", text) and re.search("[0-9]", text))
    is_mixed = all(re.search(kind, text) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return is_mixed and not all(_WORD.fullmatch(part) for part in re.split("[_-]", text))
