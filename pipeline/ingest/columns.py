"""Columns of one block of lines: the shape in which both paths, fast and exact, hand on what they parsed.

How a line is taken apart does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dictionaries import from_codes
from pipeline.schemas.raw import BLANK_LINES, RAW_REQUESTS

ORIGIN = ("date", "source", "file_id", "line_hash")
BLANK_SCHEMA = pa.schema([BLANK_LINES.schema.field(name).remove_metadata() for name in ("line_offset", "line")])
LINE_SCHEMA = pa.schema([field.remove_metadata() for field in RAW_REQUESTS.schema if field.name not in ORIGIN])


@dataclass(frozen=True)
class RejectedLine:
    """A line that could not be parsed, with the named reason."""

    offset: int
    reason: str
    text: bytes
    length: int


@dataclass
class ParsedLines:
    """What a block became.

    Attributes:
        kept: columns of LINE_SCHEMA, in the order of the lines.
        rejected: lines that could not be parsed.
        blank: columns of BLANK_SCHEMA: empty lines, and the format's own comments.
    """

    kept: pa.Table
    rejected: list[RejectedLine] = field(default_factory=list)
    blank: pa.Table = field(default_factory=lambda: BLANK_SCHEMA.empty_table())


def blank_line(offset: int, text: bytes | None = None) -> pa.Table:
    """Make one row of BLANK_SCHEMA."""
    return pa.Table.from_pylist([{"line_offset": offset, "line": text}], schema=BLANK_SCHEMA)


def line_table(columns: Mapping[str, pa.Array], rows: int) -> pa.Table:
    """Complete columns to LINE_SCHEMA; what a format does not have is null."""
    arrays = []
    for entry in LINE_SCHEMA:
        column = columns.get(entry.name)
        arrays.append(pa.nulls(rows, entry.type) if column is None else column.cast(entry.type))
    return pa.Table.from_arrays(arrays, schema=LINE_SCHEMA)


def rows_table(rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """Make a table of LINE_SCHEMA from parsed lines; each has at least `line_offset` and `occurred_at`."""
    arrays = [pa.array([row.get(entry.name) for row in rows], entry.type) for entry in LINE_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=LINE_SCHEMA)


def spread(values: pa.Array, codes: npt.NDArray[np.int32]) -> pa.DictionaryArray:
    """Spread values, one for each code, to rows; equal values share one entry, code -1 and null values are null.

    Args:
        values: strings, not necessarily distinct.
        codes: one index into `values` a row, or -1.
    """
    encoded = values.dictionary_encode()
    inner = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return from_codes(np.append(inner, np.int32(-1))[codes], encoded.dictionary)
