"""Dictionary columns taken apart and put together: an int32 code a row, and the distinct values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Codes = npt.NDArray[np.int32]


def codes_and_values(column: pa.Array | pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """Take a column, dictionary-encoded or plain, apart: an int32 code a row (-1 for null) and the distinct values."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = array.unify_dictionaries().chunk(0) if array.num_chunks else pa.array([], column.type)
    indices = array.indices.fill_null(-1) if array.indices.null_count else array.indices
    return indices.to_numpy().astype(np.int32, copy=False), array.dictionary


def from_codes(codes: Codes, values: pa.Array) -> pa.DictionaryArray:
    """Put a dictionary column together of what `codes_and_values` gives."""
    is_null = codes < 0
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=is_null if is_null.any() else None), values)
