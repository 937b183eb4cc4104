"""Work per distinct value, spread back to rows: how a function of one or two values becomes a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from pipeline.formats.text import codes_and_values, from_codes
from pipeline.ingest.columns import spread as spread_array

Codes = npt.NDArray[np.int32]
_TEXT = pa.dictionary(pa.int32(), pa.string())

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_MOST_REMEMBERED = 1_000_000


class Memo(dict[_Key, _Value]):
    """Remembers what a function made of a value, and forgets all when it is too much."""

    def __init__(self, function: Callable[[_Key], _Value]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, key: _Key) -> _Value:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        value = self[key] = self._function(key)
        return value


class Distinct:
    """A text column taken apart.

    Attributes:
        codes: an index into `values` a row, -1 for null.
        values: the distinct texts; they become Python's only where they are looked at.
    """

    def __init__(self, codes: Codes, values: pa.Array) -> None:
        self.codes = codes
        self._values = values

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> Distinct:
        """Take a dictionary column apart, or a text column of few values."""
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        return cls(*codes_and_values(column))

    @property
    def size(self) -> int:
        """How many values are distinct."""
        return len(self._values)

    @cached_property
    def values(self) -> list[str]:
        """The distinct texts, in the order of the codes."""
        return self._values.to_pylist()

    def column(self) -> pa.DictionaryArray:
        """Put it together again."""
        return from_codes(self.codes, self._values)

    def mapped(self, function: Callable[[str], str | None]) -> Distinct:
        """Apply a function to each distinct value; null stays null."""
        return Distinct.of(spread([function(value) for value in self.values], self.codes))


@dataclass(frozen=True)
class Pairs:
    """Distinct combinations of several columns' values.

    Attributes:
        codes: an index into `combinations` a row.
        combinations: the values that occur together; None for null.
    """

    codes: Codes
    combinations: list[tuple[str | None, ...]]

    @classmethod
    def of(cls, *columns: Distinct) -> Pairs:
        """Find the combinations that occur; the strings themselves are not compared."""
        key = np.zeros(len(columns[0].codes), dtype=np.int64)
        for column in columns:
            key = key * (column.size + 1) + column.codes + 1
            if len(columns) > 2:
                key = pd.factorize(key)[0].astype(np.int64)
        codes, _ = pd.factorize(key)
        first = _first_places(codes)
        values = [[*column.values, None] for column in columns]
        chosen = [column.codes[first].tolist() for column in columns]
        parts = [[known[code] for code in picked] for known, picked in zip(values, chosen, strict=True)]
        return cls(codes.astype(np.int32), list(zip(*parts, strict=True)))

    def spread(self, values: Sequence[str | None]) -> pa.DictionaryArray:
        """Spread one value for each combination to rows."""
        return spread(values, self.codes)


def _first_places(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The first row of each code; codes are numbered in the order in which they occur."""
    if not len(codes):
        return np.zeros(0, dtype=np.int64)
    highest = np.maximum.accumulate(codes)
    is_first = np.concatenate(([True], highest[1:] > highest[:-1]))
    return np.flatnonzero(is_first)


def spread(values: Sequence[str | None], codes: Codes) -> pa.DictionaryArray:
    """Spread values, one for each code, to rows; equal values share an entry, None and code -1 are null."""
    if values.count(None) == len(values):
        return pa.nulls(len(codes), _TEXT)
    return spread_array(pa.array(values, pa.string()), codes)


def spread_flags(flags: Sequence[bool], codes: Codes) -> pa.BooleanArray:
    """Spread flags, one for each code, to rows."""
    return pa.array(np.asarray(flags, dtype=np.bool_)[codes])
