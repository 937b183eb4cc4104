"""What the fields of a line mean, whichever format they come from: named texts to columns of `raw_requests`.

How a line is taken apart into named texts is each format's own. A name that is not listed here is kept in `extra`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pipeline.formats.reasons import Rejected
from pipeline.formats.times import (
    read_clf_clock,
    read_instant,
    read_local_clock,
    read_zone,
    write_clf_clock,
    write_instant,
)

ABSENT = "-"
UNCLOSED = "unclosed"

TEXTS = (
    "host",
    "ip",
    "forwarded_for",
    "ident",
    "remote_user",
    "request",
    "method",
    "target",
    "protocol",
    "referrer",
    "user_agent",
    "user_id",
    "business_id",
    "visitor_cookie",
)
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
_ADDRESSES = re.compile(r"[0-9A-Fa-f:.\[\]]+(?:, ?[0-9A-Za-z:._\[\]-]+)*", re.ASCII)
_EXPONENT = re.compile(r"\d(?:\.\d{1,17})?[eE][+-]?\d\d?", re.ASCII)  # as JSON writers write very short durations
_METHOD = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}", re.ASCII)


def read_status(text: str) -> int:
    """Return a response status.

    Raises:
        Rejected: it is not a number from 100 to 999.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 19 and 100 <= int(text) <= 999):
        raise Rejected("bad_status")
    return int(text)


def read_size(text: str) -> int:
    """Return a count of bytes.

    Raises:
        Rejected: it is not a whole number.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Rejected("bad_number")
    return int(text)


def _duration(unit_ns: int) -> Callable[[str], float]:
    """Make a reader of durations in a unit, to milliseconds, cut at the microsecond; `12ms`, `12s`, `+12` are `12`."""

    def read(text: str) -> float:
        if _EXPONENT.fullmatch(text):
            text = f"{Decimal(text):f}"
        whole, _, fraction = text.removeprefix("+").removesuffix("s").removesuffix("m").partition(".")
        if not (text.isascii() and whole.isdigit() and len(whole) < 16 and (fraction or "0").isdigit()):
            raise Rejected("bad_number")
        nanoseconds = int(whole) * unit_ns + int((fraction + "000000000")[:9]) * unit_ns // 1_000_000_000
        return nanoseconds // 1000 / 1000

    return read


# Nanoseconds of each unit.
_UNITS = {"duration_s": 1_000_000_000, "duration_ms": 1_000_000, "duration_us": 1000, "duration_ns": 1}

# Field: the column it becomes, and how its text is read.
NUMBERS: dict[str, tuple[str, Callable[[str], float]]] = {
    "status": ("status", read_status),
    "bytes_sent": ("bytes_sent", read_size),
    **{name: ("duration_ms", _duration(unit)) for name, unit in _UNITS.items()},
}


def read_fields(values: Mapping[str, str], further: Mapping[str, object] | None = None) -> dict[str, object]:
    """Give the columns of a line.

    Args:
        values: its fields, the absent ones left out. Its time is `clock` and `zone` (of the common log), `time` (as
            `read_instant` reads it), `local_clock` (of HAProxy), or `date` and `time_of_day` (UTC, or of `zone`).
            `path` and `query` together are a target; a query without a path stays by itself.
        further: what is kept in `extra` beside the fields with no column of their own.

    Returns:
        Values by column of `raw_requests`, `occurred_at` in microseconds; absent ones are left out.

    Raises:
        Rejected: it has no time, or a value is not what its field says.
    """
    rest: dict[str, object] = dict(further or {})
    texts = dict(values)
    row = _instant(texts)
    if "path" in texts:
        path, query = texts.pop("path"), texts.pop("query", None)
        texts["target"] = path if query is None else f"{path}?{query}"
    for name, text in texts.items():
        if name in NUMBERS:
            column, read = NUMBERS[name]
            row[column] = read(text)
        elif name in TEXTS:
            row[name] = text
        else:
            rest[name] = text
    parts = split_request(texts.get("request", ""))
    if parts:
        row["method"], row["target"], row["protocol"] = parts
        del row["request"]
    return row | place_further(rest)


def place_further(rest: dict[str, object]) -> dict[str, str]:
    """Place fields with no column: a first quoted one that looks so is the forwarded address, the rest is `extra`."""
    placed: dict[str, str] = {}
    first = rest.get("quoted_1")
    if isinstance(first, str) and looks_forwarded(first):
        placed["forwarded_for"] = first
        rest = {name: value for name, value in rest.items() if name != "quoted_1"}
    if rest:
        placed["extra"] = _ENCODER.encode(rest)
    return placed


def encode_member(value: object) -> str:
    """Write a key or a value of `extra`."""
    return _ENCODER.encode(value)


def _instant(texts: dict[str, str]) -> dict[str, object]:
    """Take the time out of a line's texts."""
    if "clock" in texts:
        clock, zone = read_clf_clock(texts.pop("clock")), texts.pop("zone", "")
        ahead = read_zone(zone)
        if clock is None or ahead is None:
            raise Rejected("bad_time")
        return {"occurred_at": clock - ahead, "zone": zone}
    if "local_clock" in texts:
        micros = read_local_clock(texts.pop("local_clock"))
        if micros is None:
            raise Rejected("bad_time")
        return {"occurred_at": micros}
    text = _instant_text(texts)
    found = read_instant(text)
    if found is None:
        raise Rejected("bad_time")
    return {"occurred_at": found[0]} | ({"zone": found[1]} if found[1] is not None else {})


def _instant_text(texts: dict[str, str]) -> str:
    if "time" in texts:
        return texts.pop("time")
    if "date" in texts and "time_of_day" in texts:
        return f"{texts.pop('date')}T{texts.pop('time_of_day')}{texts.pop('zone', 'Z')}"
    raise Rejected("missing_field")


def write_field(name: str, row: Mapping[str, Any], extra: Mapping[str, Any]) -> str | None:
    """Write a field as `read_fields` may have read it; absent ones are `-`.

    Args:
        name: of the field.
        row: values by column, `occurred_at` in microseconds.
        extra: the fields without a column.

    Returns:
        The text in its usual form, which is not always the one that was read; None where that is not known.
    """
    if name == "clock":
        return write_clf_clock(row["occurred_at"], row.get("zone") or "")
    if name == "time":
        return write_instant(row["occurred_at"], row.get("zone") or "")
    if name == "request" and row.get("method") is not None:
        return f"{row['method']} {row['target']} {row['protocol']}"
    if name in ("path", "query") and row.get("target") is not None:
        path, mark, query = str(row["target"]).partition("?")
        return path if name == "path" else query if mark else ABSENT
    if name == "quoted_1" and row.get("forwarded_for") is not None:
        return str(row["forwarded_for"])
    if name in NUMBERS:
        return write_number(name, row.get(NUMBERS[name][0]))
    value = row.get(name) if name in TEXTS else extra.get(name)
    return ABSENT if value is None else str(value)


def write_again(name: str, text: str) -> str | None:
    """Write a text of `time`, `local_clock` or `NUMBERS` again after it was read, to see whether it comes out alike.

    Returns:
        What `write_field` writes for it; None where it cannot be read or written.
    """
    if name == "local_clock":
        return None
    if name == "time":
        found = read_instant(text)
        return write_instant(found[0], found[1] or "") if found else None
    try:
        return write_number(name, NUMBERS[name][1](text))
    except Rejected:
        return None


def write_number(name: str, value: float | None) -> str:
    """Write a number of a field of `NUMBERS` in the form that servers use: seconds with three digits, others whole."""
    if value is None:
        return ABSENT
    if name not in _UNITS:
        return str(value)
    if name == "duration_s":
        return f"{value / 1000:.3f}"
    return str(round(value * 1_000_000 / _UNITS[name]))


def split_request(request: str) -> tuple[str, str, str] | None:
    """Split `GET /path HTTP/1.1` into its three parts; None where it is something else."""
    parts = request.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/") or not parts[1] or not _METHOD.fullmatch(parts[0]):
        return None
    return parts[0], parts[1], parts[2]


def looks_forwarded(value: str) -> bool:
    """Tell whether a further quoted field holds forwarded addresses, as in nginx's own `main` format."""
    return ("." in value or ":" in value) and _ADDRESSES.fullmatch(value) is not None
