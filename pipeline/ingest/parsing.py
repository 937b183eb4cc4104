"""One block of lines to columns: the fast path for what it can vouch for, the exact path for the rest, in order.

Which file the block is of, and whether its lines were seen before, does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipeline.formats import Format, JsonFormat, LayoutFormat, Rejected, W3cFormat, WrappedFormat
from pipeline.ingest import fast_json, fast_layout, fast_text, fast_w3c
from pipeline.ingest.blocks import Block, Mask, Offsets
from pipeline.ingest.columns import BLANK_SCHEMA, ParsedLines, line_table, rows_table
from pipeline.ingest.exact_path import decode_line, read_lines


def parse_block(block: Block, known: Format | None) -> ParsedLines:
    """Parse a block.

    Args:
        block: whole lines.
        known: their format; None where none was found, and then every line is rejected.

    Returns:
        Kept lines as columns in the order of the lines, rejected lines with their reason, and blank ones, a format's
        own comments among them. The three sum to the block's lines.
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
    return ParsedLines(parsed, rejected, _blank_lines(block, blank))


def parse_lines(lines: Sequence[bytes], offsets: Offsets, known: Format, is_as_read: bool) -> ParsedLines:
    """Parse lines that do not follow each other, as `parse_block` does.

    Args:
        lines: without their newlines.
        offsets: where each begins in its file.
        known: their format.
        is_as_read: whether it is the one by which their file was first read; else whole lines are kept.
    """
    block = Block(b"\n".join((*lines, b"")), 0)
    parsed = parse_block(block, known)
    if known.is_text and not is_as_read:
        parsed.kept = with_whole_lines(parsed.kept, block)
    return _placed(parsed, block, lines, offsets)


def with_whole_lines(kept: pa.Table, block: Block) -> pa.Table:
    """Keep each line of a block as it was written, for lines that are not read by their file's own format."""
    places = _numbers(kept["line_offset"], block)
    texts = pa.array([block.line(number) for number in places], pa.binary())
    return kept.set_column(kept.schema.get_field_index("line"), kept.schema.field("line"), texts)


def _fast_path(block: Block, known: Format | None, skip: Mask) -> tuple[pa.Table, Mask]:
    if isinstance(known, LayoutFormat):
        return (fast_text if known.items else fast_layout).read_block(block, known, skip)
    if isinstance(known, JsonFormat) and known.is_flat:
        return fast_json.read_block(block, known, skip)
    if isinstance(known, W3cFormat):
        return fast_w3c.read_block(block, known, skip)
    return line_table({}, 0), ~skip


def _blank_lines(block: Block, blank: Mask) -> pa.Table:
    numbers = np.flatnonzero(blank)
    texts = [block.line(number) or None for number in numbers.tolist()]
    return pa.Table.from_arrays(
        [pa.array(block.starts[numbers] + block.offset), pa.array(texts, pa.binary())], schema=BLANK_SCHEMA
    )


def _parse_wrapped(block: Block, known: WrappedFormat) -> ParsedLines:
    """Parse the lines inside of a wrapper, and keep what stood in front of them."""
    lines = [block.line(number) for number in range(len(block))]
    inner = Block(b"\n".join((*(_unwrapped(line, known) for line in lines), b"")), 0)
    parsed = parse_block(inner, known.inner)
    if known.is_text:
        parsed.kept = _with_prefixes(parsed.kept, inner, lines)
    return _placed(parsed, inner, lines, block.starts + block.offset)


def _with_prefixes(kept: pa.Table, inner: Block, lines: Sequence[bytes]) -> pa.Table:
    """Give what stood in front of each line; the whole line where the two do not tell it."""
    prefixes: list[str | None] = []
    wholes: list[bytes | None] = []
    for number, is_untold in zip(
        _numbers(kept["line_offset"], inner), kept["line"].is_valid().to_pylist(), strict=True
    ):
        line, bare = lines[number], inner.line(number)
        before = line.removesuffix(bare)
        prefixes.append(before.decode("utf-8") or None)
        wholes.append(line if is_untold or before + bare != line else None)
    for name, values in (("line_prefix", prefixes), ("line", wholes)):
        place = kept.schema.get_field_index(name)
        kept = kept.set_column(place, kept.schema.field(place), pa.array(values, kept.schema.field(place).type))
    return kept


def _numbers(offsets: pa.ChunkedArray, block: Block) -> list[int]:
    return np.searchsorted(block.starts, offsets.to_numpy() - block.offset).tolist()


def _placed(parsed: ParsedLines, block: Block, lines: Sequence[bytes], offsets: Offsets) -> ParsedLines:
    """Give lines that were parsed in a block made for them the text and the place that are their own."""

    def moved(table: pa.Table) -> pa.Table:
        places = pa.array(offsets[_numbers(table["line_offset"], block)])
        return table.set_column(table.schema.get_field_index("line_offset"), "line_offset", places)

    blank = moved(parsed.blank)
    texts = pa.array([lines[number] or None for number in _numbers(parsed.blank["line_offset"], block)], pa.binary())
    rejected = []
    for line in parsed.rejected:
        number = int(np.searchsorted(block.starts, line.offset - block.offset))
        text = lines[number]
        rejected.append(replace(line, offset=int(offsets[number]), text=text, length=len(text)))
    return ParsedLines(moved(parsed.kept), rejected, blank.set_column(1, "line", texts))


def _unwrapped(line: bytes, known: WrappedFormat) -> bytes:
    """Take a line out of its wrapper; one that must be rejected whatever is in it stays as it is."""
    try:
        text = decode_line(line)
    except Rejected:
        return line
    return known.wrapper.unwrap(text).encode("utf-8")
