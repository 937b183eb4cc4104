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
from itertools import count
from typing import Any, ClassVar

from pipeline.formats.fields import ABSENT, NUMBERS, UNCLOSED, read_fields, write_field
from pipeline.formats.reasons import Rejected

_PLAIN = r"([^ \"][^ ]*+|\"\")"
_QUOTED = r'((?:[^"\\]|\\.)*+)'
_CLOCK = r"([^ \]]*+) ([^ \]]*+)"
_PARTS = re.compile(r"\{(\*?[A-Za-z_][A-Za-z0-9_:.-]*)\}")
_ITEM = re.compile(r'\{(?P<plain>[^}*]+)\}|"\{(?P<quoted>[^}*]+)\}"|\[\{(?P<clock>clock)\}\]')

Changes = dict[str, str | None]


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
class Rule:
    """Puts values right that mean something only together, or otherwise than they are written.

    Attributes:
        fields: what it looks at.
        changes: takes their texts, None for an absent one, and gives the fields that change; None takes one away.
    """

    fields: tuple[str, ...]
    changes: Callable[..., Changes]


@dataclass(frozen=True)
class LayoutFormat:
    """A format with a layout.

    Attributes:
        name: shown in the ledger.
        layout: fields in braces and fixed texts; two spaces stand for one or more, and `{*name}` is all that follows.
        rules: applied in their order before values are read.
        is_text: whether lines can be written out again byte for byte, which those of JSON cannot.
    """

    name: str
    layout: str
    rules: tuple[Rule, ...] = ()
    is_text: ClassVar[bool] = True

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
        return re.compile("".join(self._forms))

    @cached_property
    def re2_pattern(self) -> str:
        """The same for RE2, its groups named `f0`, `f1` and so on in the order of `names`.

        RE2 knows no possessive quantifiers, and is linear without them. A value that is ended by a bar may hold the
        bar here, where what follows asks for it; `bars` names those.
        """
        numbers = count()
        form = ""
        for text in self._forms:
            bare = "(.*?)" if "(?!" in text else re.sub(r"(?<!\\)([*+?])\+", r"\1", text)
            form += re.sub(r"(?<!\\)\((?!\?)", lambda _: f"(?P<f{next(numbers)}>", bare)
        return f"^{form}$"

    @cached_property
    def bars(self) -> dict[str, str]:
        """The separator that ends each field that is ended by one such as ` | `."""
        texts = self._texts
        return {name: after for name, after in zip(texts[1::2], texts[2::2], strict=True) if _is_bar(after)}

    @cached_property
    def _forms(self) -> list[str]:
        """Patterns of fixed texts and of fields in turn."""
        texts = self._texts
        forms = [_literal(texts[0])]
        for place in range(1, len(texts), 2):
            forms += (_group(texts[place], *texts[place - 1 : place + 2 : 2]), _literal(texts[place + 1]))
        return forms

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
        is_simple = not self.rules and is_timed and not {"path", "query", "date"} & set(self.names)
        if not is_simple or not all(found):
            return ()
        return tuple(Item(item["plain"] or item["quoted"] or "clock", bool(item["quoted"])) for item in found if item)

    @cached_property
    def is_told(self) -> bool:
        """Whether rows can tell the line: nothing was put right, spaces are counted, and no two fields say the same."""
        names = set(self.names)
        columns = [NUMBERS[name][0] for name in self.names if name in NUMBERS]
        is_twice = len(columns) > len(set(columns)) or any(
            whole in names and parts & names
            for whole, parts in (
                ("request", {"method", "target", "protocol", "path", "query"}),
                ("target", {"path", "query"}),
            )
        )
        return not (self.rules or "  " in self.layout or "date" in names or is_twice)

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
        for rule in self.rules:
            for name, value in rule.changes(*(values.get(field) for field in rule.fields)).items():
                if value is None:
                    values.pop(name, None)
                else:
                    values[name] = value
        return read_fields(values, further)

    def write_line(self, row: Mapping[str, Any]) -> str | None:
        """Write a line again from a row of `raw_requests`.

        Args:
            row: values by column, as `parse_line` gives them; absent ones may be None.

        Returns:
            The line, as far as the row tells it. A row does not tell everything: how many digits a number had, for
            instance, or what a rule put right. So it may differ from the line that was read, and whoever relies on it
            compares the two (`line` of `raw_requests` holds those that differ). None where a value cannot be
            written at all.
        """
        if not self.is_told:
            return None
        extra = json.loads(row.get("extra") or "{}")
        is_unclosed = extra.pop(UNCLOSED, None) is not None
        texts = self._texts
        written = [texts[0]]
        for name, after in zip(texts[1::2], texts[2::2], strict=True):
            text = write_field(name.lstrip("*"), row, extra)
            if text is None:
                return None
            written += (text, after)
        line = "".join(written)
        return line.removesuffix('"') if is_unclosed else line


def _literal(text: str) -> str:
    return "".join(" ++" if piece == "  " else re.escape(piece) for piece in re.split(r"(  )", text))


def _is_bar(text: str) -> bool:
    """Tell separators such as ` | `, between which a value may hold spaces."""
    return text in (" | ", " || ", " ; ")


def _group(name: str, before: str, after: str) -> str:
    """The pattern of a field, by what stands round it."""
    if name.startswith("*") or (not after and before and not before.endswith(" ")):
        return "(.*+)"
    if name == "clock":
        return _CLOCK
    if _is_bar(before) and not after:
        return "(.*+)"
    if _is_bar(after):
        return f"((?:(?!{re.escape(after)}).)*+)"
    if not after or after.startswith(" "):
        return _PLAIN
    return _QUOTED if after.startswith('"') else f"([^{re.escape(after[0])}]*+)"
