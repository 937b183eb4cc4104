"""The exact path: lines that need care, one by one, through the format's own pattern.

It is the reference for the fast paths, which must agree with it on every line they take.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.formats import Format, LayoutFormat, Rejected, W3cFormat, WrappedFormat
from pipeline.ingest.blocks import BYTE_ORDER_MARK, LONGEST_LINE, Block
from pipeline.ingest.columns import RejectedLine


def read_line(line: bytes, known: Format | None) -> dict[str, object]:
    """Read one line.

    Args:
        line: without its newline.
        known: the file's format, None where none was found.

    Returns:
        Values by column, as the format gives them; `line` where they do not tell a text format's line byte for byte.

    Raises:
        Rejected: with the reason.
    """
    text = decode_line(line)
    if known is None:
        raise Rejected("unknown_format")
    row = known.parse_line(text)
    return row | _as_written(line, text, row, known)


def _as_written(line: bytes, text: str, row: Mapping[str, object], known: Format) -> dict[str, object]:
    """What must be kept beside a row's other columns so that a text format's line can be written out again."""
    if not known.is_text:
        return {}
    within, prefix = (known.inner, known.wrapper.prefix(text)) if isinstance(known, WrappedFormat) else (known, "")
    kept: dict[str, object] = {"line_prefix": prefix} if prefix else {}
    written = within.write_line(row) if isinstance(within, LayoutFormat) else None
    if written is None or f"{prefix}{written}".encode() != line:
        kept["line"] = line
    return kept


def decode_line(line: bytes) -> str:
    """Return a line's text; a byte-order mark before it is no part of it.

    Raises:
        Rejected: no format could hold it: it is too long, holds a NUL, or is not UTF-8.
    """
    if len(line) > LONGEST_LINE:
        raise Rejected("line_too_long")
    if b"\0" in line:
        raise Rejected("nul_byte")
    try:
        return line.removeprefix(BYTE_ORDER_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Rejected("invalid_utf8") from error


def read_lines(
    block: Block, numbers: Iterable[int], known: Format | None
) -> tuple[list[dict[str, object]], list[RejectedLine]]:
    """Read some lines of a block.

    Args:
        block: the lines.
        numbers: which of them.
        known: the file's format, None where none was found.

    Returns:
        A row for each line kept, with its `line_offset`, and the lines rejected; directives of a W3C log are neither.
    """
    rows: list[dict[str, object]] = []
    rejected: list[RejectedLine] = []
    for number in numbers:
        line = block.line(number)
        offset = block.offset + int(block.starts[number])
        if isinstance(known, W3cFormat) and line.startswith(known.comment):
            known = known.after(line.decode("utf-8", "replace"))
            continue
        try:
            rows.append({**read_line(line, known), "line_offset": offset})
        except Rejected as why:
            rejected.append(RejectedLine(offset, why.reason, line, len(line)))
    return rows, rejected
