"""The fast path for JSON lines: a block through Arrow's reader, meanings once per distinct value.

Lines it cannot vouch for are named, not guessed: they take the exact path.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from pipeline.formats.json_lines import JsonFormat, read_seconds, read_size, read_status
from pipeline.formats.reasons import Rejected
from pipeline.formats.text import codes_and_values, from_codes
from pipeline.formats.times import read_instant
from pipeline.ingest.blocks import Block
from pipeline.ingest.columns import line_table, spread

_UNICODE_ESCAPE = b"\\u"  # may be NUL, or half of a pair that has no other half

Mask = npt.NDArray[np.bool_]
_Value = TypeVar("_Value")


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
    data = block.without(care)
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(data),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=pa.schema([(key, pa.string()) for key in known.keys]),
                unexpected_field_behavior="infer",
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return line_table({}, 0), ~skip
    if table.num_rows != len(plain) or any(field.type != pa.string() for field in table.schema if not _is_null(field)):
        return line_table({}, 0), ~skip
    columns, vouched = _meanings(table, known)
    columns["line_offset"] = pa.array(block.starts[plain] + block.offset)
    parsed = line_table(columns, len(plain))
    if not vouched.all():
        parsed = parsed.filter(pa.array(vouched))
        care[plain[~vouched]] = True
    return parsed, care & ~skip


def _braced(block: Block) -> Mask:
    """Lines that begin with { and end with }: one object on one line, as far as a glance can tell."""
    chars = np.frombuffer(block.data, dtype=np.uint8)
    last = np.maximum(block.ends - 1, 0)
    return np.logical_and(chars[block.starts] == ord("{"), chars[last] == ord("}"))


def _is_null(field: pa.Field) -> bool:
    return bool(pa.types.is_null(field.type))


def _encoded(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Take a text column apart into codes and distinct values; texts that mean absence become null."""
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
        codes, values = _encoded(table[key])
        if not (codes >= 0).any():
            if name in ("occurred_at", "ip"):
                vouched[:] = False
            continue
        if name == "occurred_at":
            columns |= _instants(codes, values, vouched)
        elif name in _READERS:
            reader, kind = _READERS[name]
            columns[name] = _numbers(codes, values, reader, kind, vouched)
        elif name == "request":
            vouched &= codes < 0
        else:
            if name == "ip":
                vouched &= codes >= 0
            columns[name] = from_codes(codes, values)
    further = [field.name for field in table.schema if field.name not in known.keys and not _is_null(field)]
    if further:
        columns["extra"] = _extra(table, further)
    return columns, vouched


_READERS: dict[str, tuple[Callable[[str], float], pa.DataType]] = {
    "status": (read_status, pa.int16()),
    "bytes_sent": (read_size, pa.int64()),
    "duration_ms": (read_seconds, pa.float64()),
}


def _instants(codes: npt.NDArray[np.int32], values: pa.Array, vouched: Mask) -> dict[str, pa.Array]:
    read = [read_instant(text) if text else None for text in values.to_pylist()]
    micros = np.array([found[0] if found else 0 for found in read], dtype=np.int64)
    is_instant = np.array([found is not None for found in read], dtype=np.bool_)
    zones = pa.array([found[1] if found else None for found in read], pa.string())
    vouched &= (codes >= 0) & is_instant[codes]
    return {
        "occurred_at": pa.array(np.where(vouched, micros[codes], 0)).cast(pa.timestamp("us", tz="UTC")),
        "zone": spread(zones, codes),
    }


def _numbers(
    codes: npt.NDArray[np.int32],
    values: pa.Array,
    reader: Callable[[str], float],
    kind: pa.DataType,
    vouched: Mask,
) -> pa.Array:
    """Read distinct numbers and spread them; rows whose number is none are no longer vouched for."""
    read = [_or_none(reader, text) for text in values.to_pylist()]
    is_number = np.array([*(value is not None for value in read), True], dtype=np.bool_)
    vouched &= is_number[codes]
    return pa.array(read, kind).take(pa.array(codes, mask=codes < 0))


def _or_none(reader: Callable[[str], _Value], text: str) -> _Value | None:
    try:
        return reader(text)
    except Rejected:
        return None


def _extra(table: pa.Table, names: list[str]) -> pa.Array:
    """Make the `extra` object, once for each distinct combination of the further keys."""
    combined = np.zeros(table.num_rows, dtype=np.int64)
    taken = []
    for name in names:
        codes, values = _encoded(table[name])
        combined = combined * (len(values) + 1) + codes + 1
        _, combined = np.unique(combined, return_inverse=True)
        taken.append((name, codes, values))
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    objects = []
    for row in first.tolist():
        given = {name: values[int(codes[row])].as_py() for name, codes, values in taken if codes[row] >= 0}
        objects.append(json.dumps(given, ensure_ascii=False, sort_keys=True) if given else None)
    return spread(pa.array(objects, pa.string()), inverse.astype(np.int32))
