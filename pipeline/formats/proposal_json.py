"""Fields proposed for JSON lines of no known writer: which key seems to hold what, as a table for the settings.

It guesses by the names of keys and by their values, so nothing is read by it until somebody pastes it. Lines that are
no JSON are `proposal`'s.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline.formats.json_lines import MAPPED_NAME, mapped_format, read_object
from pipeline.formats.proposal import (
    MOST_LINES,
    Column,
    Proposal,
    is_address,
    is_host,
    is_method,
    is_status,
)
from pipeline.formats.reasons import Rejected
from pipeline.formats.times import read_instant

_DEEPEST = 4
_NUMBER = re.compile(r"\d{1,15}(?:\.\d+)?(?:[eE]-?\d\d?)?", re.ASCII)
_TAKEN = "duration|elapsed|latency|took|taken|response_?time|request_?time"


def propose_fields(lines: Sequence[str]) -> Proposal | None:
    """Propose fields.

    Args:
        lines: some lines of the file.

    Returns:
        The proposal; None where no key seems to hold a time, or none what was asked for.
    """
    looked_at = [line for line in lines if line.strip()][:MOST_LINES]
    values: dict[str, list[str]] = defaultdict(list)
    for line in looked_at:
        try:
            loaded = read_object(line)
        except Rejected:
            continue
        for key, value in _members(loaded):
            values[key].append(value)
    columns: dict[str, Column] = {}
    for field, seems, name, test in _GUESSES:
        fitting = [
            key
            for key, present in values.items()
            if re.search(name, key, re.IGNORECASE) and all(map(test, present)) and key not in columns
        ]
        if fitting and field not in (column.variable for column in columns.values()):
            best = max(fitting, key=lambda key: len(values[key]))
            columns[best] = Column(field, seems, tuple(dict.fromkeys(values[best]))[:3])
            if field.startswith("duration"):
                columns[best] = Column(_duration(best), seems, columns[best].samples)
    fields = {column.variable: key for key, column in columns.items()}
    if not {"time", "target"} <= fields.keys():
        return None
    known = mapped_format(fields, {})
    reads = sum(_reads(known.parse_line, line) for line in looked_at)
    return Proposal(MAPPED_NAME, tuple(columns.values()), reads, len(looked_at), fields) if reads else None


def _members(within: dict[str, Any], before: str = "", depth: int = 1) -> Iterator[tuple[str, str]]:
    """The texts and numbers of an object and of those in it, by keys joined by dots."""
    for key, value in within.items():
        if isinstance(value, str) and value not in ("", "-"):
            yield f"{before}{key}", value
        elif isinstance(value, dict) and depth < _DEEPEST:
            yield from _members(value, f"{before}{key}.", depth + 1)


def _duration(key: str) -> str:
    """The field of a duration, by the unit that its key names; milliseconds where it names none."""
    for unit, name in (("ns", "nano|ns$"), ("us", "micro|us$"), ("ms", "milli|ms$"), ("s", r"sec|[._]s$")):
        if re.search(name, key, re.IGNORECASE):
            return f"duration_{unit}"
    return "duration_ms"


def _reads(read: Callable[[str], object], line: str) -> bool:
    try:
        read(line)
    except Rejected:
        return False
    return True


# Field, what it is in words, how its key is named, and what its values are. A key is taken once, by the first.
_GUESSES: tuple[tuple[str, str, str, Callable[[str], bool]], ...] = (
    ("time", "the time", r"time|date|(^|\.)@?ts$", lambda value: read_instant(value) is not None),
    ("method", "the method", "", is_method),
    ("target", "what was asked for", "ur[il]|path|target|request", lambda value: value.startswith(("/", "http"))),
    ("status", "the response status", "status|code", is_status),
    ("ip", "the client's address", "ip|addr|client|remote|peer", is_address),
    ("user_agent", "the user agent", "agent", lambda value: bool(value)),
    ("referrer", "the referrer", "refer", lambda value: value.startswith("http")),
    ("host", "the host", r"(^|\.)(host|domain|vhost)$", is_host),
    ("protocol", "the protocol", "", lambda value: value.startswith("HTTP/")),
    ("bytes_sent", "the response's size in bytes", "bytes|size|length", lambda value: value.isdigit()),
    ("duration", "the time taken; look whether the unit is right", _TAKEN, lambda v: _NUMBER.fullmatch(v) is not None),
)
