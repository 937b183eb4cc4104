"""One block of lines to columns: the fast path for what it can vouch for, the exact path for the rest, in order.

Which file the block is of, and whether its lines were seen before, does not belong here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipeline.formats import Format, JsonFormat, LayoutFormat, Rejected, W3cFormat, WrappedFormat
from pipeline.ingest import fast_json, fast_text
from pipeline.ingest.blocks import LONGEST_LINE, Block, Mask
from pipeline.ingest.columns import ParsedLines, line_table, rows_table
from pipeline.ingest.exact_path import decode_line, read_lines


def parse_block(block: Block, known: Format | None) -> ParsedLines:
    """Parse a block.

    Args:
        block: whole lines.
        known: their format; None where none was found, and then every line is rejected.

    Returns:
        Kept lines as columns in the order of the lines, rejected lines with their reason, and the count of blank ones,
        a format's own comments among them. The three sum to the block's lines.
    """
    if isinstance(known, WrappedFormat):
        return _parse_wrapped(block, known)
    blank = block.blank()
    skip = blank | block.needing_care()
    parsed, care = _fast_path(block, known, skip)
    rows, rejected = read_lines(block, np.flatnonzero((care | skip) & ~blank).tolist(), known)
    if isinstance(known, W3cFormat):
        blank |= block.starting_with(known.comment)
    if rows:
        parsed = pa.concat_tables([parsed, rows_table(rows)]).unify_dictionaries()
        parsed = parsed.take(pa.array(np.argsort(parsed["line_offset"].to_numpy(), kind="stable")))
    return ParsedLines(parsed, rejected, int(blank.sum()))


def _fast_path(block: Block, known: Format | None, skip: Mask) -> tuple[pa.Table, Mask]:
    if isinstance(known, LayoutFormat) and known.items:
        return fast_text.read_block(block, known, skip)
    if isinstance(known, JsonFormat) and known.is_flat:
        return fast_json.read_block(block, known, skip)
    return line_table({}, 0), ~skip


def _parse_wrapped(block: Block, known: WrappedFormat) -> ParsedLines:
    """Parse the lines inside of a wrapper; they keep the place, and where they are rejected the text, of their own."""
    lines = [block.line(number) for number in range(len(block))]
    inner = Block(b"\n".join((*(_unwrapped(line, known) for line in lines), b"")), 0)
    parsed = parse_block(inner, known.inner)
    places = np.searchsorted(inner.starts, parsed.kept["line_offset"].to_numpy())
    offsets = pa.array(block.starts[places] + block.offset)
    kept = parsed.kept.set_column(parsed.kept.schema.get_field_index("line_offset"), "line_offset", offsets)
    numbers = np.searchsorted(inner.starts, [line.offset for line in parsed.rejected]).tolist()
    rejected = [
        replace(
            line,
            offset=int(block.starts[number]) + block.offset,
            text=lines[number][:LONGEST_LINE],
            length=len(lines[number]),
        )
        for line, number in zip(parsed.rejected, numbers, strict=True)
    ]
    return ParsedLines(kept, rejected, parsed.blank)


def _unwrapped(line: bytes, known: WrappedFormat) -> bytes:
    """Take a line out of its wrapper; one that must be rejected whatever is in it stays as it is."""
    try:
        text = decode_line(line)
    except Rejected:
        return line
    return known.wrapper.unwrap(text).encode("utf-8")
