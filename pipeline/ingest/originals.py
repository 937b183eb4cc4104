"""A file's lines, written out again byte for byte from the rows that they became.

The rows say where each line begins, so what stands between two lines is known too: a newline, with a return before it
or without. The ledger's hash of the file proves the result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import duckdb

from pipeline.formats import Format, format_as_read
from pipeline.ingest.written import rejected_line, written_line
from pipeline.settings import Settings

_ROWS_HELD = 20_000
_NEWLINES = {0: b"", 1: b"\n", 2: b"\r\n"}
_LINES = """
    with asked as (select source, file_id, bytes_read from ingested_files where file_id = $file),
    copies as (select * from duplicate_lines semi join asked using (source, file_id)),
    copied as (
        select distinct on (raw.date, raw.line_hash) raw.* exclude (file_id, line_offset, line_prefix, line)
        from raw_requests as raw
        semi join copies using (date, source, line_hash)
        order by raw.date, raw.line_hash, raw.file_id, raw.line_offset
    ),
    lines as (
        select 'kept' as became, line_offset, line_prefix, line, null as text, null as text_bytes,
            raw.* exclude (line_offset, line_prefix, line)
        from raw_requests as raw
        semi join asked using (source, file_id)
        union all by name
        select 'kept' as became, copies.line_offset, copies.line_prefix, copies.line, copied.*
        from copies
        left join copied using (date, source, line_hash)
        union all by name
        select 'rejected' as became, line_offset, line, text, text_bytes
        from rejected_lines
        semi join asked using (source, file_id)
        union all by name
        select 'blank' as became, line_offset, line
        from blank_lines
        semi join asked using (source, file_id)
    )
    select * from lines where line_offset < (select bytes_read from asked) order by line_offset
"""


class OriginalError(ValueError):
    """A file cannot be written out as it was; the message says why, and where."""


@dataclass(frozen=True)
class Original:
    """What was written out.

    Attributes:
        lines: how many lines.
        bytes_written: their bytes, newlines included, and those of an unfinished last line.
        is_proven: whether they have the hash that the ledger has of the file.
        values_masked: how many values are not as they were, since the setting `mask` had them replaced.
    """

    lines: int
    bytes_written: int
    is_proven: bool
    values_masked: int


@dataclass(frozen=True)
class _Line:
    offset: int
    text: bytes


def write_original(connection: duckdb.DuckDBPyConnection, settings: Settings, file_id: str, to: BinaryIO) -> Original:
    """Write a file out as it was when it was last read.

    Args:
        connection: with the tables as views.
        settings: the formats' settings.
        file_id: as in `ingested_files`.
        to: where the bytes go. They come line by line, so some are written when an error comes.

    Raises:
        OriginalError: there is no such file, its format is no text format, a line was too long to be kept, or erased.
    """
    entry = _ledger_row(connection, file_id)
    if entry["lines_erased"]:
        raise OriginalError(
            f"{entry['path']}: {entry['lines_erased']:,} of its lines were erased with those they named"
        )
    known = format_as_read(entry["format"], entry["source"], settings, entry["format_state"])
    hasher = hashlib.sha256()
    lines = size = 0
    of_file = _lines(connection, file_id, known, entry)
    own = len(entry["first_text"]) if entry["first_text"] else None
    for line in _with_newlines(of_file, entry["bytes_read"], own):
        hasher.update(line)
        to.write(line)
        lines += 1
        size += len(line)
    waiting = bytes(entry["waiting_text"] or b"")
    to.write(waiting)
    return Original(lines, size + len(waiting), hasher.hexdigest() == entry["content_hash"], entry["values_masked"])


def find_files(connection: duckdb.DuckDBPyConnection, text: str) -> list[dict[str, Any]]:
    """List the files of which a file_id, or the path, begins or ends so.

    Returns:
        `file_id`, `path`, `format`, `lines_read`, `first_at` and `last_at`, by path.
    """
    asked = connection.sql(
        """
        select file_id, path, format, lines_read, first_at, last_at
        from ingested_files
        where starts_with(file_id, $text) or ends_with(path, $text)
        order by path, file_id
        """,
        params={"text": text},
    )
    return [dict(row) for row in asked.to_arrow_table().to_pylist()]


def _ledger_row(connection: duckdb.DuckDBPyConnection, file_id: str) -> dict[str, Any]:
    asked = connection.sql("from ingested_files where file_id = $file", params={"file": file_id})
    rows = asked.to_arrow_table().to_pylist()
    if not rows:
        raise OriginalError(f"there is no file {file_id} in ingested_files")
    return dict(rows[0])


def _lines(
    connection: duckdb.DuckDBPyConnection, file_id: str, known: Format | None, entry: dict[str, Any]
) -> Iterator[_Line]:
    connection.execute("set preserve_insertion_order = true")  # else an Arrow result may ignore the order
    asked = connection.sql(_LINES, params={"file": file_id})
    for batch in asked.to_arrow_reader(_ROWS_HELD):
        for row in batch.to_pylist():
            text = _text(row, known)
            if text is None:
                raise OriginalError(
                    f"{entry['path']} is of format {entry['format']}, whose lines are kept by their fields: "
                    "they cannot be written out byte for byte"
                )
            if row["became"] == "rejected" and row["text_bytes"] > len(text):
                raise OriginalError(
                    f"{entry['path']}: the line at byte {row['line_offset']} has {row['text_bytes']:,} bytes, of which "
                    f"{len(text):,} were kept"
                )
            yield _Line(row["line_offset"], text)


def _text(row: dict[str, Any], known: Format | None) -> bytes | None:
    if row["became"] == "blank":
        return bytes(row["line"] or b"")
    return rejected_line(row) if row["became"] == "rejected" else written_line(row, known)


def _with_newlines(lines: Iterator[_Line], end: int, first_line_bytes: int | None) -> Iterator[bytes]:
    """Give each line the newline that fills the space up to the next one.

    Args:
        lines: in their order.
        end: where the file ends.
        first_line_bytes: how much of the first line is the file's own, where it is a part of a longer one.

    Raises:
        OriginalError: the space is not that of a line.
    """
    for line, space in _with_spaces(lines, end):
        text = line.text
        if line.offset == 0 and first_line_bytes is not None:
            text = text[len(text) - first_line_bytes :]
        newline = _NEWLINES.get(space - len(text))
        if newline is None:
            raise OriginalError(f"the line at byte {line.offset} has {len(text)} bytes, but room for {space}")
        yield text + newline


def _with_spaces(lines: Iterator[_Line], end: int) -> Iterator[tuple[_Line, int]]:
    """Give each line the bytes from its beginning to that of the next."""
    line = next(lines, None)
    for after in lines:
        assert line is not None
        yield line, after.offset - line.offset
        line = after
    if line is not None:
        yield line, end - line.offset
