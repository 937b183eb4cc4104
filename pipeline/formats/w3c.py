"""W3C extended logs: IIS, CloudFront and others, whose `#Fields:` lines say what the lines after them hold.

A header counts until the next one, through the whole file and when it is read further later: what was said so far is a
value (`W3cFormat`) that each block hands to the next. Directives are after W3C's working draft WD-logfile-960323.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar
from urllib.parse import unquote

from pipeline.formats.fields import read_fields
from pipeline.formats.reasons import Rejected

NAME = "w3c"
_DIRECTIVE = re.compile(r"#([A-Za-z-]{1,40}): ?+(.*+)")
_QUOTED = re.compile(r'"((?:[^"]|"")*+)"')
_ZONE = re.compile(r"[+-]\d{4}", re.ASCII)
_DATE = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)", re.ASCII)

# Field by the lower-case name of the log's own; further ones are kept in `extra` under the log's name.
_FIELDS: dict[str, str] = {
    "date": "date",
    "time": "time_of_day",
    "date-local": "date",
    "time-local": "time_of_day",
    "timetakenms": "duration_ms",
    "c-ip": "ip",
    "cs-username": "remote_user",
    "c-auth-id": "remote_user",
    "cs-method": "method",
    "cs-uri-stem": "path",
    "cs-uri-query": "query",
    "cs-uri": "target",
    "cs-version": "protocol",
    "cs-protocol-version": "protocol",
    "sc-status": "status",
    "sc-bytes": "bytes_sent",
    "bytes": "bytes_sent",
    "time-taken": "time-taken",
    "cs(user-agent)": "user_agent",
    "cs(referer)": "referrer",
    "cs(referrer)": "referrer",
    "cs-host": "host",
    "cs(host)": "host",
    "x-host-header": "host",
    "x-forwarded-for": "forwarded_for",
    "cs(x-forwarded-for)": "forwarded_for",
    "s-xff": "forwarded_for",
}
_SPACED = ("user_agent", "referrer", "cs(Cookie)")  # fields in which IIS writes + for a space
_LONGEST_STATE = 16_384


@dataclass(frozen=True)
class W3cFormat:
    """A W3C extended log, as far as it was read.

    Attributes:
        fields: what the last `#Fields:` named; None before the first.
        software: what wrote it.
        date: the last `#Date:`, for logs whose lines have a time only.
        zone: `#GMT-Offset:`; times are UTC without one.
        is_text: as of `LayoutFormat`.
    """

    fields: tuple[str, ...] | None = None
    software: str = ""
    date: str | None = None
    zone: str | None = None
    name: str = NAME
    is_text: ClassVar[bool] = True

    comment = b"#"

    def parse_line(self, text: str) -> dict[str, object]:
        """Read one line that is no directive.

        Returns:
            Values by column of `raw_requests`, `occurred_at` in microseconds; absent ones are left out.

        Raises:
            Rejected: no `#Fields:` came before, or it names another number of fields, or a value is not what it says.
        """
        if self.fields is None:
            raise Rejected("no_header")
        is_tabbed = "\t" in text
        found = _split(text, "\t" if is_tabbed else " ")
        if len(found) != len(self.fields):
            raise Rejected("no_match")
        values: dict[str, str] = {}
        for known, value in zip(self.known, found, strict=True):
            if value != "-" and value and known not in values:
                values[known] = self.decoded(known, value)
        day, values["zone"] = self.day(values.get("date")), self.line_zone
        if day is not None:
            values["date"] = day
        if "time-taken" in values:
            name = self.time_taken(values["time-taken"])
            values[name] = values.pop("time-taken")
        row = read_fields(values)
        if "target" not in row and "method" not in row:
            raise Rejected("missing_field")
        return row

    @cached_property
    def known(self) -> list[str]:
        """The fields by the names of `formats.fields`, else their own; of one that occurs twice the first counts."""
        return [_FIELDS.get(name.lower(), name) for name in self.fields or ()]

    def decoded(self, name: str, value: str) -> str:
        """Undo what a field's writer did so that the value has no spaces."""
        if name not in _SPACED:
            return value
        return unquote(value, errors="replace") if self._is_cloudfront else value.replace("+", " ")

    @property
    def _is_cloudfront(self) -> bool:
        return self.fields is not None and "x-edge-location" in self.fields

    def day(self, written: str | None) -> str | None:
        """Return a line's day in ISO 8601; the header's where the line has none; as written where it is no day."""
        found = _DATE.fullmatch(written or self.date or "")
        return f"{found[1]}-{found[2]}-{found[3]}" if found else written

    @property
    def line_zone(self) -> str:
        """The zone of the lines' times; empty where they are local ones."""
        is_local = self.fields is not None and "time-local" in self.fields
        return "" if is_local else (self.zone or "Z")

    def time_taken(self, value: str) -> str:
        """Name the unit of `time-taken` as a field: milliseconds for IIS, seconds with a fraction, else unknown."""
        if "Internet Information" in self.software or "IIS" in self.software:
            return "duration_ms"
        return "duration_s" if "." in value else "time-taken"

    def after(self, text: str) -> W3cFormat:
        """Say what holds after a line; one that is no directive changes nothing."""
        directive = _DIRECTIVE.fullmatch(text.rstrip())
        if directive is None or len(text) > _LONGEST_STATE:
            return self
        name, value = directive[1].lower(), directive[2].strip()
        if name == "fields":
            return replace(self, fields=tuple(value.split()) or None)
        if name == "software":
            return replace(self, software=value)
        if name in ("date", "start-date"):
            return replace(self, date=value[:10] if _DATE.match(value) else None)
        if name == "gmt-offset" and _ZONE.fullmatch(value):
            return replace(self, zone=value)
        return self

    def after_block(self, data: bytes) -> W3cFormat:
        """Say what holds after a block of lines."""
        state = self
        if b"#" in data:
            for found in re.finditer(rb"^#[^\n]*", data, re.MULTILINE):
                state = state.after(found[0][: _LONGEST_STATE + 1].decode("utf-8", "replace"))
        return state

    @property
    def state(self) -> str:
        """The directives that hold, as text from which `from_state` makes the same again."""
        lines = [("Software", self.software), ("Date", self.date), ("GMT-Offset", self.zone)]
        lines.append(("Fields", " ".join(self.fields) if self.fields else None))
        return "\n".join(f"#{name}: {value}" for name, value in lines if value)

    @classmethod
    def from_state(cls, state: str | None) -> W3cFormat:
        """Go on where a file was left."""
        return cls().after_block((state or "").encode())


def is_header(lines: Sequence[str]) -> bool:
    """Tell whether lines are the beginning of a W3C log's header and nothing more."""
    names = {found[1].lower() if (found := _DIRECTIVE.match(line)) else "" for line in lines}
    return bool(names & {"software", "version"}) and "" not in names


def _split(text: str, separator: str) -> list[str]:
    """Split a line; a value in quotes may hold the separator, and a quote doubled."""
    if '"' not in text:
        values = text.split(separator)
        return [value for value in values if value] if separator == " " else values
    values, place = [], 0
    while place < len(text):
        if separator == " " and text[place] == " ":
            place += 1
            continue
        quoted = _QUOTED.match(text, place)
        if quoted:
            values.append(quoted[1].replace('""', '"'))
            place = quoted.end() + 1
            continue
        end = text.find(separator, place)
        end = len(text) if end < 0 else end
        values.append(text[place:end])
        place = end + 1
    return values
