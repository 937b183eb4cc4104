"""Whether a text is a part of a line: the beginning or the end of one that is known, or half of one with another text.

Which files to compare does not belong here.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.formats import Format, JsonFormat, LayoutFormat, Rejected
from pipeline.formats.fields import UNCLOSED
from pipeline.ingest.exact_path import read_line
from pipeline.ingest.written import written_line

_FIRST_FIELDS = ("host", "ip")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SOME_TIME, _SOME_ADDRESS = "2000-01-01T00:00:00Z", "192.0.2.1"


def read_whole(line: bytes, known: Format | None) -> dict[str, object] | None:
    """Read a text as one whole line of a known format; None where it is none, or lacks its last quote."""
    try:
        row = read_line(line.removesuffix(b"\r"), known)
    except Rejected:
        return None
    return None if UNCLOSED in str(row.get("extra", "")) else row


def why_rejected(line: bytes, known: Format | None) -> str:
    """The reason for which a text is no line of its format, or but a part of one."""
    try:
        read_line(line.removesuffix(b"\r"), known)
    except Rejected as why:
        return why.reason
    return "no_match"


def first_field(known: Format) -> str | None:
    """The column that a line of a text format begins with; lines of JSON cannot be cut and remain lines."""
    return known.names[0] if isinstance(known, LayoutFormat) and known.names[0] in _FIRST_FIELDS else None


def is_client(text: str, field: str) -> bool:
    """Whether a text may stand in a line's first field."""
    if field != "ip":
        return " " not in text
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_end_but_for_client(part: Mapping[str, Any], whole: Mapping[str, Any], known: Format) -> bool:
    """Whether a row is that of a line cut within its first field: of that it has the end, of all else the same."""
    first = first_field(known)
    if first is None:
        return False
    own = ("file_id", "line_offset", "line_hash", "line_prefix", "line", first)
    is_same = all(whole.get(name) == value for name, value in part.items() if name not in own)
    full, end = str(whole.get(first)), str(part[first])
    return is_same and full != end and full.endswith(end)


def is_part(part: str, whole: Mapping[str, Any], known: Format, length: int | None, is_end: bool) -> bool:
    """Whether a text is the end, or the beginning, of the line that a row was made of.

    Args:
        part: the text.
        whole: the row.
        known: the line's format.
        length: the most bytes the line can have, where that is known because of its neighbours: they have shown already
            that the part stands in its place, so that a line which cannot be written again need only be longer.
        is_end: whether the part is to be the end.
    """
    line = written_line(whole, known)
    if line is not None:
        written = line.decode("utf-8", "backslashreplace")
        return len(written) > len(part) and (written.endswith(part) if is_end else written.startswith(part))
    is_shorter = length is not None and len(part.encode("utf-8")) < length
    if not isinstance(known, JsonFormat) or not known.is_flat:
        return is_shorter
    pairs = _pairs(part, is_end)
    return _tells_the_same(pairs, whole, known) if pairs else is_shorter


def _pairs(part: str, is_end: bool) -> dict[str, Any]:
    """The keys and values that a part of a JSON line holds whole."""
    places = [place for place, char in enumerate(part) if char == ","]
    for place in places if is_end else reversed(places):
        try:
            pairs = json.loads("{" + part[place + 1 :] if is_end else part[:place] + "}")
        except ValueError:
            continue
        return pairs if isinstance(pairs, dict) else {}
    return {}


def _tells_the_same(pairs: Mapping[str, Any], whole: Mapping[str, Any], known: JsonFormat) -> bool:
    """Whether some keys and values are a line's: what a line needs is lent to them, to read them as one."""
    key_of = {name: key for key, name in reversed(list(known.keys.items()))}
    lent = {
        key_of[name]: value
        for name, value in (("time", _SOME_TIME), ("ip", _SOME_ADDRESS))
        if not any(known.keys.get(key) == name for key in pairs)
    }
    row = read_whole(json.dumps({**pairs, **lent}).encode(), known)
    if row is None:
        return False
    extra, further = (json.loads(str(told.get("extra") or "{}")) for told in (whole, row))
    untold = {"extra", *(known.keys[key] for key in lent)}
    if key_of["time"] in lent or "zone" not in row:
        untold |= {"occurred_at", "zone"}
    told = {**whole, "occurred_at": (whole["occurred_at"] - _EPOCH) // timedelta(microseconds=1)}
    is_same = all(told.get(name) == value for name, value in row.items() if name not in untold)
    return is_same and further.items() <= extra.items()
