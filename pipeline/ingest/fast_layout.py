"""The fast path for layouts that are no CSV: a block through RE2 at once, meanings once per distinct value.

Lines it cannot vouch for are named, not guessed: they take the exact path.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dictionaries import codes_and_values
from pipeline.formats.fields import ABSENT
from pipeline.formats.layout import LayoutFormat
from pipeline.ingest.blocks import Block
from pipeline.ingest.columns import line_table
from pipeline.ingest.fast_fields import Taken, apply_rule, read_columns, untold_rows

Mask = npt.NDArray[np.bool_]


def read_block(block: Block, known: LayoutFormat, skip: Mask) -> tuple[pa.Table, Mask]:
    """Read a block's plain lines.

    Args:
        block: the lines.
        known: their format.
        skip: lines to leave out (blank ones, and those that need care).

    Returns:
        Columns of LINE_SCHEMA for the lines it vouches for, in order, and which further lines need the exact path.
    """
    lines = _texts(block, skip)
    found = pc.extract_regex(lines, pattern=known.re2_pattern)
    is_match = found.is_valid().to_numpy(zero_copy_only=False)
    plain = np.flatnonzero(~skip)[is_match]
    if not len(plain):
        return line_table({}, 0), ~skip
    vouched = np.ones(len(plain), dtype=np.bool_)
    fields = _fields(found.filter(pa.array(is_match)), known, vouched)
    untold = untold_rows(fields, known, len(plain))
    for rule in known.rules:
        apply_rule(fields, rule, len(plain))
    columns = read_columns(fields, vouched)
    columns["line_offset"] = pa.array(block.starts[plain] + block.offset)
    if untold.any():
        columns["line"] = block.lines(plain, untold)
    is_read = np.zeros(len(block), dtype=np.bool_)
    is_read[plain] = vouched
    return line_table(columns, len(plain)).filter(pa.array(vouched)), ~is_read & ~skip


def _texts(block: Block, skip: Mask) -> pa.Array:
    """The lines that are not skipped, without their newlines, as one array over the block's bytes."""
    data = block.without(skip)
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n")) + 1
    bounds = np.append(0, ends).astype(np.int32)
    lines = pa.StringArray.from_buffers(len(ends), pa.py_buffer(bounds), pa.py_buffer(data))
    return pc.ascii_rtrim(lines, "\r\n")


def _fields(found: pa.StructArray, known: LayoutFormat, vouched: Mask) -> dict[str, Taken]:
    """Take the groups apart, each under its field's name; values that are absent have the code -1."""
    fields: dict[str, Taken] = {}
    for name, column in zip(known.names, found.flatten(), strict=True):
        codes, values = codes_and_values(column)
        absent = pc.index(values, ABSENT).as_py()
        if absent >= 0:
            codes = np.where(codes == absent, -1, codes).astype(np.int32)
        if name in known.bars:
            holds = pc.match_substring(values, known.bars[name]).to_numpy(zero_copy_only=False)
            vouched &= ~np.append(holds, False)[codes]
        fields[name] = (codes, values)
    return fields
