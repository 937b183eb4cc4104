"""Fields of many lines to columns, once for each distinct value: what `formats.fields` does line by line.

Rows whose value is not what its field says are no longer vouched for, and take the exact path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dictionaries import Codes
from pipeline.formats.fields import NUMBERS, place_further
from pipeline.formats.reasons import Rejected
from pipeline.formats.times import read_instant, read_local_clock
from pipeline.ingest.columns import spread

Mask = npt.NDArray[np.bool_]
Taken = tuple[Codes, pa.Array]
_Value = TypeVar("_Value")
_KINDS = {"status": pa.int16(), "bytes_sent": pa.int64(), "duration_ms": pa.float64()}
_WHOLE = r"\A[0-9]{1,18}\z"


def number_column(name: str, taken: Taken, vouched: Mask) -> tuple[str, pa.Array]:
    """Read a field of `NUMBERS`; return the column's name and its values."""
    codes, values = taken
    column, reader = NUMBERS[name]
    if column == "bytes_sent" and pc.all(pc.match_substring_regex(values, _WHOLE)).as_py():
        read: pa.Array = values.cast(pa.int64())
    else:
        numbers = [_or_none(reader, text) for text in values.to_pylist()]
        is_number = np.array([*(value is not None for value in numbers), True], dtype=np.bool_)
        vouched &= is_number[codes]
        read = pa.array(numbers, _KINDS[column])
    return column, read.take(pa.array(codes, mask=codes < 0))


def time_columns(name: str, taken: Taken, vouched: Mask) -> dict[str, pa.Array]:
    """Read the field `time` or `local_clock` to `occurred_at` and `zone`."""
    codes, values = taken
    read: Callable[[str], tuple[int, str | None] | None] = read_instant if name == "time" else _local
    found = [read(text) for text in values.to_pylist()]
    micros = np.array([*(entry[0] if entry else 0 for entry in found), 0], dtype=np.int64)
    is_instant = np.array([*(entry is not None for entry in found), False], dtype=np.bool_)
    vouched &= is_instant[codes]
    return {
        "occurred_at": pa.array(micros[codes]).cast(pa.timestamp("us", tz="UTC")),
        "zone": spread(pa.array([entry[1] if entry else None for entry in found], pa.string()), codes),
    }


def _local(text: str) -> tuple[int, str | None] | None:
    micros = read_local_clock(text)
    return None if micros is None else (micros, None)


def _or_none(reader: Callable[[str], _Value], text: str) -> _Value | None:
    try:
        return reader(text)
    except Rejected:
        return None


def further_columns(fields: Mapping[str, Taken], rows: int) -> dict[str, pa.Array]:
    """Place fields that have no column of their own, once for each distinct combination of them."""
    combined = np.zeros(rows, dtype=np.int64)
    for codes, values in fields.values():
        combined = combined * (len(values) + 1) + codes + 1
        _, combined = np.unique(combined, return_inverse=True)
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    placed = []
    for row in first.tolist():
        given: dict[str, object] = {
            name: values[int(codes[row])].as_py() for name, (codes, values) in fields.items() if codes[row] >= 0
        }
        placed.append(place_further(given))
    return {
        name: spread(pa.array([entry.get(name) for entry in placed], pa.string()), inverse.astype(np.int32))
        for name in ("forwarded_for", "extra")
        if any(name in entry for entry in placed)
    }
