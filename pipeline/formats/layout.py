"""Formats given by a layout, `{ip} - [{clock}] "{request}"`: fields with fixed texts between them.

Both the pattern of the exact path and, where single spaces, quotes and brackets are all that separates fields, the
column layout of the fast path are made from it. What a field means is in `fields`; named layouts are in `layouts`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.formats.fields import NUMBERS, TEXTS, UNCLOSED, read_fields
from pipeline.formats.reasons import Rejected
from pipeline.formats.times import write_clf_clock

ABSENT = "-"
_PLAIN = r"([^ \"][^ ]*+|\"\")"
_QUOTED = r'((?:[^"\\]|\\.)*+)'
_CLOCK = r"([^ \]]*+) ([^ \]]*+)"
_PARTS = re.compile(r"\{(\*?[A-Za-z_][A-Za-z0-9_:.-]*)\}")
_ITEM = re.compile(r'\{(?P<plain>[^}*]+)\}|"\{(?P<quoted>[^}*]+)\}"|\[\{(?P<clock>clock)\}\]')

Values = dict[str, str]


class LayoutError(ValueError):
    """A layout that no line can be read by; the message names the place."""


@dataclass(frozen=True)
class Item:
    """What stands between two spaces of a layout that the fast path can read."""

    field: str
    is_quoted: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns as a CSV row: the bracketed time is two."""
        return ("clock", "zone") if self.field == "clock" else (self.field,)


@dataclass(frozen=True)
class LayoutFormat:
    """A format with a layout.

    Attributes:
        name: shown in the ledger.
        layout: fields in braces and fixed texts; two spaces stand for one or more, and `{*name}` is all that follows.
        adjust: puts values right that mean something only together, before they are read.
    """

    name: str
    layout: str
    adjust: Callable[[Values], None] | None = None

    def __post_init__(self) -> None:
        """Look whether lines can be read by the layout.

        Raises:
            LayoutError: two fields touch, or a field occurs twice.
        """
        texts = self._texts
        names = texts[1::2]
        for place, between in enumerate(texts[2:-1:2]):
            if not between:
                raise LayoutError(f"nothing separates {names[place]} and {names[place + 1]} in {self.layout}")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise LayoutError(f"{twice[0]} occurs twice in {self.layout}")

    @cached_property
    def _texts(self) -> list[str]:
        """Fixed texts and fields in turn, a fixed text first and last."""
        return _PARTS.split(self.layout)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What the groups of the pattern hold."""
        return tuple(
            name
            for part in self._texts[1::2]
            for name in (("clock", "zone") if part == "clock" else (part.lstrip("*"),))
        )

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The exact form of a line. Possessive throughout, so that no line takes more than linear time."""
        texts = self._texts
        form = _literal(texts[0])
        for place in range(1, len(texts), 2):
            form += _group(texts[place], *texts[place - 1 : place + 2 : 2]) + _literal(texts[place + 1])
        return re.compile(form)

    @cached_property
    def unclosed_pattern(self) -> re.Pattern[str] | None:
        """The same with the line's very last quote missing, as servers write that cut an overlong header."""
        if not self.layout.endswith('}"'):
            return None
        return re.compile(self.pattern.pattern.removesuffix('"'))

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """What the fast path reads, between single spaces; empty where the layout does not allow it."""
        found = [_ITEM.fullmatch(text) for text in self.layout.split(" ")]
        is_timed = {"clock", "time", "local_clock"} & set(self.names)
        is_simple = self.adjust is None and is_timed and not {"path", "query", "date"} & set(self.names)
        if not is_simple or not all(found):
            return ()
        return tuple(Item(item["plain"] or item["quoted"] or "clock", bool(item["quoted"])) for item in found if item)

    def parse_line(self, text: str) -> dict[str, object]:
        """Read one line exactly.

        Returns:
            Values by column of `raw_requests`, `occurred_at` in microseconds; absent ones are left out.

        Raises:
            Rejected: the line is not of this format.
        """
        found = self.pattern.fullmatch(text)
        further: dict[str, object] = {}
        if found is None and self.unclosed_pattern is not None:
            found = self.unclosed_pattern.fullmatch(text)
            further[UNCLOSED] = self.names[-1]
        if found is None:
            raise Rejected("no_match")
        values = {name: value for name, value in zip(self.names, found.groups(), strict=True) if value != ABSENT}
        if self.adjust is not None:
            self.adjust(values)
        return read_fields(values, further)

    def write_line(self, row: Mapping[str, Any]) -> str | None:
        """Write a line again from a row of `raw_requests`.

        Returns:
            The line as it was read, but that a leap second is written as the next one; None where the row does not hold
            it all: for layouts with a time of another form, a duration, or values that were put right.
        """
        if self.adjust is not None or not self.items:
            return None
        extra = json.loads(row.get("extra") or "{}")
        is_unclosed = extra.pop(UNCLOSED, None) is not None
        texts = [_written(item.field, row, extra) for item in self.items]
        if None in texts:
            return None
        marks = ('"{}"' if item.is_quoted else "[{}]" if item.field == "clock" else "{}" for item in self.items)
        line = " ".join(mark.format(text) for mark, text in zip(marks, texts, strict=True))
        return line.removesuffix('"') if is_unclosed else line


def _written(name: str, row: Mapping[str, Any], extra: Mapping[str, Any]) -> str | None:
    if name == "clock":
        return write_clf_clock(row["occurred_at"], row.get("zone") or "")
    if name == "request" and row.get("method") is not None:
        return f"{row['method']} {row['target']} {row['protocol']}"
    if name in ("status", "bytes_sent") or name in TEXTS:
        value = row.get(name)
        return ABSENT if value is None else str(value)
    if name in NUMBERS or name in ("time", "local_clock"):
        return None
    if name == "quoted_1" and row.get("forwarded_for") is not None:
        return str(row["forwarded_for"])
    return str(extra.get(name, ABSENT))


def _literal(text: str) -> str:
    return "".join(" ++" if piece == "  " else re.escape(piece) for piece in re.split(r"(  )", text))


def _group(name: str, before: str, after: str) -> str:
    """The pattern of a field, by what stands round it."""
    if name.startswith("*") or (not after and before and not before.endswith(" ")):
        return "(.*+)"
    if name == "clock":
        return _CLOCK
    if not after or after.startswith(" "):
        return _PLAIN
    return _QUOTED if after.startswith('"') else f"([^{re.escape(after[0])}]*+)"
