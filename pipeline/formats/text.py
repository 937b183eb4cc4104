"""Space-separated formats: common, combined, their vhost forms, and combined with further quoted fields.

An entry is a list of fields; its column layout for the fast path and its pattern for the exact path are both made from
that list. How blocks are cut and which path a line takes does not belong here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from pipeline.formats.reasons import Rejected
from pipeline.formats.times import read_clf_clock, read_zone

_PLAIN = r"([^ \"]\S*+|\"\")"
_QUOTED = r'"((?:[^"\\]|\\.)*+)"'
_CLOCK = r"\[([^ \]]*+) ([^ \]]*+)\]"
_ADDRESSES = re.compile(r"[0-9A-Fa-f:.\[\]]+(?:, ?[0-9A-Za-z:._\[\]-]+)*", re.ASCII)
_METHOD = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)

ABSENT = "-"
UNCLOSED = "unclosed"
PLAIN_FIELDS = ("host", "ip", "ident", "remote_user", "status", "bytes_sent")
COMMON = ("ip", "ident", "remote_user", "clock", "request", "status", "bytes_sent")


def split_request(request: str) -> tuple[str, str, str] | None:
    """Split `GET /path HTTP/1.1` into its three parts; None where it is something else."""
    parts = request.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/") or not parts[1] or not _METHOD.fullmatch(parts[0]):
        return None
    return parts[0], parts[1], parts[2]


def looks_forwarded(value: str) -> bool:
    """Tell whether a further quoted field holds forwarded addresses, as in nginx's own `main` format."""
    return ("." in value or ":" in value) and _ADDRESSES.fullmatch(value) is not None


@dataclass(frozen=True)
class TextFormat:
    """A space-separated format.

    Attributes:
        name: shown in the ledger.
        fields: column names in order; `clock` is the bracketed time, `quoted_1` and so on are further quoted fields.
    """

    name: str
    fields: tuple[str, ...]

    @property
    def quoted(self) -> tuple[str, ...]:
        """The fields that the format puts in quotes."""
        return tuple(field for field in self.fields if field != "clock" and field not in PLAIN_FIELDS)

    @property
    def csv_columns(self) -> list[str]:
        """Column names of a line read as a CSV row: the bracketed time is two columns."""
        return [column for f in self.fields for column in (("clock", "zone") if f == "clock" else (f,))]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The exact form of a line. Possessive throughout, so that no line takes more than linear time."""
        forms = {"clock": _CLOCK} | dict.fromkeys(self.quoted, _QUOTED)
        return re.compile(" ".join(forms.get(field, _PLAIN) for field in self.fields))

    @cached_property
    def unclosed_pattern(self) -> re.Pattern[str] | None:
        """The same with the line's very last quote missing, as servers write that cut an overlong header."""
        if self.fields[-1] not in self.quoted:
            return None
        return re.compile(self.pattern.pattern.removesuffix('"'))

    def parse_line(self, text: str) -> dict[str, object]:
        """Read one line exactly.

        Returns:
            Values by column of `raw_requests`, `occurred_at` in microseconds; absent ones are left out.

        Raises:
            Rejected: the line is not of this format.
        """
        found = self.pattern.fullmatch(text)
        unclosed = None
        if found is None and self.unclosed_pattern is not None:
            found = self.unclosed_pattern.fullmatch(text)
            unclosed = self.fields[-1]
        if found is None:
            raise Rejected("no_match")
        return self._meaning(dict(zip(self.csv_columns, found.groups(), strict=True)), unclosed)

    def _meaning(self, values: dict[str, str], unclosed: str | None) -> dict[str, object]:
        clock, ahead = read_clf_clock(values.pop("clock")), read_zone(values["zone"])
        if clock is None or ahead is None:
            raise Rejected("bad_time")
        row: dict[str, object] = {"occurred_at": clock - ahead, "zone": values.pop("zone")}
        present = {name: value for name, value in values.items() if value != ABSENT}
        for name, reason in (("status", "bad_status"), ("bytes_sent", "bad_number")):
            if name in present:
                if not _NUMBER.fullmatch(present[name]):
                    raise Rejected(reason)
                row[name] = int(present.pop(name))
        if "status" in row and not 100 <= int(str(row["status"])) <= 999:
            raise Rejected("bad_status")
        parts = split_request(present.get("request", ""))
        if parts:
            row["method"], row["target"], row["protocol"] = parts
            del present["request"]
        further = {name: present.pop(name) for name in self.quoted if name.startswith("quoted_") and name in present}
        if unclosed:
            further[UNCLOSED] = unclosed
        row.update(present)
        row.update(meaning_of_further(further))
        return row


def meaning_of_further(further: dict[str, str]) -> dict[str, str]:
    """Place further quoted fields: the first is the forwarded address where it looks like one, the rest is `extra`."""
    placed: dict[str, str] = {}
    rest = dict(further)
    if "quoted_1" in rest and looks_forwarded(rest["quoted_1"]):
        placed["forwarded_for"] = rest.pop("quoted_1")
    if rest:
        placed["extra"] = json.dumps(rest, ensure_ascii=False)
    return placed


_MOST_FURTHER = 8


def text_formats() -> list[TextFormat]:
    """Every space-separated format, the richest last so that a shorter one is preferred where both fit."""
    formats = []
    for vhost in ((), ("host",)):
        prefix = "vhost_" if vhost else ""
        formats.append(TextFormat(f"{prefix}common", (*vhost, *COMMON)))
        combined = (*vhost, *COMMON, "referrer", "user_agent")
        formats.append(TextFormat(f"{prefix}combined", combined))
        for further in range(1, _MOST_FURTHER + 1):
            quoted = tuple(f"quoted_{number}" for number in range(1, further + 1))
            formats.append(TextFormat(f"{prefix}combined+{further}", (*combined, *quoted)))
    return formats


def codes_and_values(column: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Take a dictionary column apart: an int32 code a row (-1 for null) and the distinct values."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = array.unify_dictionaries().chunk(0) if array.num_chunks else pa.array([], column.type)
    indices = array.indices.fill_null(-1) if array.indices.null_count else array.indices
    return indices.to_numpy().astype(np.int32, copy=False), array.dictionary


def from_codes(codes: np.ndarray, values: pa.Array) -> pa.DictionaryArray:
    """Put a dictionary column together of what `codes_and_values` gives."""
    is_null = codes < 0
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=is_null if is_null.any() else None), values)
