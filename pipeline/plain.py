"""Values as text that is harmless to show anywhere: in a terminal, on a page, in a file for a spreadsheet.

Laying them out is done by `cli/` and `web/`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four are full-width
_NEXT_FORMULA = re.compile(r";(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")  # where a spreadsheet parts cells by semicolons


def plain(value: Any) -> str:
    """Write a value as text; control characters, which a log's sender may have chosen, become escapes."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S") + (f".{value.microsecond // 1000:03}" if value.microsecond else "")
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(value))


def instant_text(value: datetime) -> str:
    """Write an instant to the second."""
    return value.strftime("%Y-%m-%d %H:%M:%S")


def share(value: float) -> str:
    """Write a share as per cent."""
    return f"{100 * value:.2f} %" if 0 < value < 0.01 else f"{100 * value:.1f} %"


def length(seconds: float | None) -> str:
    """Write a length of time; what is not known is `unknown`, never 0."""
    if seconds is None:
        return "unknown"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02}:{int(seconds % 60):02}"


def json_text(value: Any) -> str:
    """Write one JSON document, in ASCII: what a terminal or a page would obey becomes escapes."""
    return json.dumps(value, default=_json, ensure_ascii=True, indent=2)


def json_line(value: Any) -> str:
    """Write one JSON document on one line, in ASCII, as `json_text`."""
    return json.dumps(value, default=_json, ensure_ascii=True)


def _json(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Write rows as CSV in which no cell is a formula to a spreadsheet, nor a control character obeyed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(row.get(column)) for column in columns] for row in rows])
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    text = value.isoformat() if isinstance(value, datetime) else str(value or "")
    return ("'" if text.startswith(_FORMULA) else "") + _NEXT_FORMULA.sub(";'", plain(text))
