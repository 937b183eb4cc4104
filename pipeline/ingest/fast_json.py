"""The fast path for JSON lines: a block through Arrow's reader, meanings once per distinct value.

Lines it cannot vouch for are named, not guessed: they take the exact path.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from pipeline.dictionaries import codes_and_values, from_codes
from pipeline.formats.fields import NUMBERS
from pipeline.formats.json_lines import JsonFormat
from pipeline.ingest.blocks import Block
from pipeline.ingest.columns import line_table
from pipeline.ingest.fast_fields import further_columns, number_column, time_columns
from pipeline.ingest.json_scalars import quote_numbers

_UNICODE_ESCAPE = b"\\u"  # may be NUL, or half of a pair that has no other half

Mask = npt.NDArray[np.bool_]


def read_block(block: Block, known: JsonFormat, skip: Mask) -> tuple[pa.Table, Mask]:
    """Read a block's plain lines.

    Args:
        block: the lines.
        known: their format.
        skip: lines to leave out (blank ones, and those that need care).

    Returns:
        Columns of LINE_SCHEMA for the lines it vouches for, in order, and which further lines need the exact path.
    """
    care = skip | ~_braced(block) | block.holding(_UNICODE_ESCAPE)
    plain = np.flatnonzero(~care)
    if not len(plain):
        return line_table({}, 0), ~skip
    data, unread = quote_numbers(block.without(care))
    if unread.any():
        data = Block(data, 0).without(unread)
        care[plain[unread]] = True
        plain = plain[~unread]
    table = _read(data, known) if len(plain) else None
    if table is None or table.num_rows != len(plain):
        return line_table({}, 0), ~skip
    columns, vouched = _meanings(table, known)
    columns["line_offset"] = pa.array(block.starts[plain] + block.offset)
    parsed = line_table(columns, len(plain))
    if not vouched.all():
        parsed = parsed.filter(pa.array(vouched))
        care[plain[~vouched]] = True
    return parsed, care & ~skip


def _read(data: bytes, known: JsonFormat) -> pa.Table | None:
    """Read objects as columns of texts, or of booleans where a key has no others; None where that cannot be."""
    texts = dict.fromkeys(known.keys, pa.string())
    try:
        table = _as_json(data, texts)
        moments = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
        if moments:  # texts that Arrow takes for more
            table = _as_json(data, texts | dict.fromkeys(moments, pa.string()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    is_read = all(field.type in (pa.string(), pa.bool_(), pa.null()) for field in table.schema)
    return table if is_read else None


def _as_json(data: bytes, kinds: Mapping[str, pa.DataType]) -> pa.Table:
    return pyarrow.json.read_json(
        pa.BufferReader(data),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pyarrow.json.ParseOptions(
            explicit_schema=pa.schema(list(kinds.items())), unexpected_field_behavior="infer"
        ),
    )


def _braced(block: Block) -> Mask:
    """Lines that begin with { and end with }: one object on one line, as far as a glance can tell."""
    chars = np.frombuffer(block.data, dtype=np.uint8)
    last = np.maximum(block.ends - 1, 0)
    return np.logical_and(chars[block.starts] == ord("{"), chars[last] == ord("}"))


def _is_null(field: pa.Field) -> bool:
    return bool(pa.types.is_null(field.type))


def _encoded(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Take a column apart into codes and distinct values; texts that mean absence become null."""
    if pa.types.is_boolean(column.type):
        return codes_and_values(column)
    codes, values = codes_and_values(column.cast(pa.string()).combine_chunks().dictionary_encode())
    absent = pc.is_in(values, pa.array(["", "-"])).to_numpy(zero_copy_only=False)
    if absent.any():
        hidden = np.append(absent, False)[codes]
        codes = np.where(hidden, -1, codes).astype(np.int32)
    return codes, values


def _meanings(table: pa.Table, known: JsonFormat) -> tuple[dict[str, pa.Array], Mask]:
    columns: dict[str, pa.Array] = {}
    vouched = np.ones(table.num_rows, dtype=np.bool_)
    for key, name in known.keys.items():
        taken = _encoded(table[key])
        if not (taken[0] >= 0).any():
            if name in known.needed:
                vouched[:] = False
        elif name == "time":
            columns |= time_columns(name, taken, vouched)
        elif name in NUMBERS:
            column, numbers = number_column(name, taken, vouched)
            columns[column] = numbers
        elif name == "request":
            vouched &= taken[0] < 0
        else:
            if name in known.needed:
                vouched &= taken[0] >= 0
            columns[name] = from_codes(*taken)
    further = [field.name for field in table.schema if field.name not in known.keys and not _is_null(field)]
    if further:
        columns |= further_columns({name: _encoded(table[name]) for name in further}, table.num_rows)
    return columns, vouched
