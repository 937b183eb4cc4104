"""Lines as they were written, from the rows that they became.

Which line stands where in a file does not belong here; that is `originals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.formats import Format, LayoutFormat, WrappedFormat

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written_line(row: Mapping[str, Any], known: Format | None) -> bytes | None:
    """Write the line of a row of `raw_requests`.

    Args:
        row: values by column.
        known: the format of the row's file.

    Returns:
        The line without its newline, byte for byte; None where the format is not a text format.
    """
    if row["line"] is not None:
        return bytes(row["line"])
    within = known.inner if isinstance(known, WrappedFormat) else known
    if known is None or not known.is_text or not isinstance(within, LayoutFormat):
        return None
    micros = (row["occurred_at"] - _EPOCH) // timedelta(microseconds=1)
    text = within.write_line({**row, "occurred_at": micros})
    return None if text is None else f"{row['line_prefix'] or ''}{text}".encode()


def rejected_line(row: Mapping[str, Any]) -> bytes:
    """Write the line of a row of `rejected_lines`: all of it, or as much as was kept."""
    return bytes(row["line"]) if row["line"] is not None else str(row["text"]).encode()
