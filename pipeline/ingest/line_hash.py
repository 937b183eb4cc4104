"""The hash of a line's fields: equal lines of a source have equal hashes, whichever file, block or run they came in.

Once published it never changes: request ids are made of it. A test holds it to known values.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from pipeline.dictionaries import codes_and_values
from pipeline.ingest.columns import LINE_SCHEMA

_KEY = "trail line hash "  # SipHash takes 16 bytes
_FIRST, _SECOND, _THIRD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_AS_WRITTEN = ("line_offset", "line_prefix", "line")  # where and in which form a line stands, not what it says
_HASHED = [name for name in LINE_SCHEMA.names if name not in _AS_WRITTEN]

Hashes = npt.NDArray[np.uint64]


def mix(values: Hashes) -> Hashes:
    """Spread 64 bits over 64 bits (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    mixed = values + _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _SECOND
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _THIRD
    return mixed ^ (mixed >> np.uint64(31))


def hash_texts(values: pa.Array, salt: int = 0) -> Hashes:
    """Hash distinct texts: SipHash-2-4 with a fixed key, then salted and mixed."""
    if not len(values):
        return np.zeros(0, dtype=np.uint64)
    objects = np.asarray(values.to_numpy(zero_copy_only=False), dtype=object)
    hashed = pd.util.hash_array(objects, hash_key=_KEY, categorize=False)
    return mix(hashed ^ mix(np.array([salt], dtype=np.uint64)))


def hashed(lines: pa.Table) -> pa.Table:
    """Add the column `line_hash` to columns of LINE_SCHEMA."""
    return lines.append_column("line_hash", pa.array(line_hashes(lines)))


def line_hashes(table: pa.Table) -> npt.NDArray[np.int64]:
    """Hash each line by its columns of LINE_SCHEMA, its offset left out; work is per distinct value.

    The 64 bits are stored as a signed number, which is what Delta has. Columns add up, so that one which is null
    throughout costs nothing and counts nothing.
    """
    total = np.zeros(table.num_rows, dtype=np.uint64)
    for salt, name in enumerate(_HASHED, 1):
        column = table[name]
        if column.null_count == len(column):
            continue
        if pa.types.is_dictionary(column.type):
            codes, values = codes_and_values(column)
            total += np.append(hash_texts(values, salt), np.uint64(0))[codes]
        else:
            total += _hash_numbers(column.combine_chunks(), salt)
    return mix(total).view(np.int64)


def _hash_numbers(column: pa.Array, salt: int) -> Hashes:
    present = column.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    kind = np.float64 if pa.types.is_floating(column.type) else np.int64
    numbers = column.fill_null(0).to_numpy(zero_copy_only=False).astype(kind)
    return np.where(present, mix(numbers.view(np.uint64) ^ mix(np.array([salt], dtype=np.uint64))), np.uint64(0))
