"""Distinct values, numbered as they are met, and what they mean: worked out once a value, given to rows by number.

Numbers are an `Enricher`'s own and say nothing outside of it: what a value means never depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dictionaries import Codes, codes_and_values, from_codes

NONE = np.int32(-1)
_TEXT = pa.dictionary(pa.int32(), pa.string())

# The code of each number, that of -1 last (None: numbers are codes), and the texts that the codes stand for.
Coded = tuple[Codes | None, pa.Array]
# Values to what each means: one text for each derived column.
Derive = Callable[[Sequence[Any]], Iterable[Sequence[str | None]]]


class Keys(Protocol):
    """Distinct values with their numbers."""

    def __len__(self) -> int:
        """How many were met; their numbers are below."""

    def at(self, numbers: npt.NDArray[np.int64]) -> list[Any]:
        """The values of some numbers, None for -1."""


class Texts:
    """Distinct texts, numbered 0, 1, 2 … as they are met; -1 is none.

    Attributes:
        known: the texts in the order of their numbers.
    """

    def __init__(self) -> None:
        self.known = pa.array([], pa.string())
        self._listed: list[str | None] = [None]

    def __len__(self) -> int:
        """How many texts were met."""
        return len(self.known)

    @property
    def nbytes(self) -> int:
        """About how much memory they take."""
        return int(self.known.nbytes)

    def at(self, numbers: npt.NDArray[np.int64]) -> list[str | None]:
        """The texts of some numbers, None for -1."""
        listed = self._listed
        if len(listed) <= len(self):
            listed[-1:] = self.known[len(listed) - 1 :].to_numpy(zero_copy_only=False).tolist()
            listed.append(None)
        return list(map(listed.__getitem__, numbers.tolist()))

    def numbers(self, codes: Codes, values: pa.Array) -> Codes:
        """Number the rows of a column.

        Args:
            codes: an index into `values` a row, -1 for null.
            values: distinct texts.
        """
        self.known, numbers = _numbered(self.known, values)
        return np.append(numbers, NONE)[codes]


class Pairs:
    """Distinct pairs of two columns' numbers, numbered as they are met; -1 on either side takes part."""

    def __init__(self, left: Keys, right: Keys) -> None:
        self._left, self._right = left, right
        self._known = pa.array([], pa.int64())

    def __len__(self) -> int:
        """How many pairs were met."""
        return len(self._known)

    @property
    def nbytes(self) -> int:
        """About how much memory they take."""
        return int(self._known.nbytes)

    def at(self, numbers: npt.NDArray[np.int64]) -> list[Any]:
        """The pairs of values of some numbers."""
        left, right = self.sides(numbers)
        return list(zip(self._left.at(left), self._right.at(right), strict=True))

    def sides(self, numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The numbers of both sides of some pairs."""
        keys = self._known.take(pa.array(numbers)).to_numpy()
        return (keys >> 32) - 1, (keys & 0xFFFFFFFF) - 1

    def numbers(self, left: Codes, right: Codes) -> Codes:
        """Number the rows whose two sides have these numbers."""
        keys = pa.array(((left.astype(np.int64) + 1) << 32) + (right + 1)).dictionary_encode()
        self._known, numbers = _numbered(self._known, keys.dictionary)
        return numbers[keys.indices.to_numpy()]


def _numbered(known: pa.Array, values: pa.Array) -> tuple[pa.Array, Codes]:
    """Find distinct values among those known, which grow by what is new."""
    places = pc.index_in(values, known)
    if not places.null_count:
        return known, places.to_numpy()
    is_new = places.is_null()
    fresh = is_new.to_numpy(zero_copy_only=False)
    numbers = np.where(fresh, len(known) - 1 + np.cumsum(fresh), places.fill_null(0).to_numpy())
    return pa.concat_arrays([known, values.filter(is_new)]), numbers.astype(np.int32)


class Meanings:
    """Keys with what they mean: a text for each of some columns, worked out when a key is new."""

    def __init__(self, keys: Texts | Pairs, names: Sequence[str], derive: Derive) -> None:
        """Prepare.

        Args:
            keys: whose meaning.
            names: of the derived columns.
            derive: values to one text for each name; it is asked about None too, where the keys are texts.
        """
        self._keys, self._derive = keys, derive
        self._texts = {name: Texts() for name in names}
        self._codes = self._derived([None]) if isinstance(keys, Texts) else [np.array([NONE]) for _ in names]
        self._done = 0

    @property
    def nbytes(self) -> int:
        """About how much memory the meanings take, and the keys where they are pairs."""
        keys = self._keys.nbytes if isinstance(self._keys, Pairs) else 0
        return keys + sum(codes.nbytes for codes in self._codes) + sum(texts.nbytes for texts in self._texts.values())

    def numbers(self, left: Codes, right: Codes) -> Codes:
        """Number the rows whose two sides have these numbers; where the keys are pairs."""
        assert isinstance(self._keys, Pairs)
        return self._keys.numbers(left, right)

    def texts(self, name: str) -> Texts:
        """The texts of a derived column, which can be keys in turn: a code is a number."""
        return self._texts[name]

    def codes(self, name: str, numbers: Codes) -> Codes:
        """The codes, in a derived column, of rows whose keys have these numbers."""
        self._catch_up()
        return self._codes[list(self._texts).index(name)][numbers]

    def columns(self) -> dict[str, Coded]:
        """Every derived column."""
        self._catch_up()
        both = zip(self._texts.items(), self._codes, strict=True)
        return {name: (codes, texts.known) for (name, texts), codes in both}

    def _catch_up(self) -> None:
        if len(self._keys) > self._done:
            new = self._derived(self._keys.at(np.arange(self._done, len(self._keys))))
            both = zip(self._codes, new, strict=True)
            self._codes = [np.concatenate((known[:-1], codes, known[-1:])) for known, codes in both]
            self._done = len(self._keys)

    def _derived(self, values: Sequence[Any]) -> list[Codes]:
        columns = zip(*self._derive(values), strict=True)
        encoded = (codes_and_values(pa.array(column, pa.string())) for column in columns)
        return [texts.numbers(*column) for texts, column in zip(self._texts.values(), encoded, strict=True)]


def each(derive: Callable[[Any], Sequence[str | None]]) -> Derive:
    """Make what derives one value derive many."""
    return partial(map, derive)


class Rows:
    """Rows whose columns are still codes, so that their order can be chosen before anything is laid out.

    Attributes:
        plain: the columns that are no texts.
    """

    def __init__(self, plain: dict[str, pa.Array]) -> None:
        self.plain = plain
        self._coded: dict[str, tuple[Codes, Codes | None, pa.Array]] = {}

    def add(self, numbers: Codes, columns: Mapping[str, Coded]) -> None:
        """Add columns that hang on the same numbers."""
        for name, (by_number, texts) in columns.items():
            self._coded[name] = (numbers, by_number, texts)

    def codes(self, name: str) -> Codes:
        """The code of each row's text; -1 for null."""
        numbers, by_number, _ = self._coded[name]
        return numbers if by_number is None else by_number[numbers]

    def ranks(self, name: str) -> npt.NDArray[np.int64]:
        """The rank of each row's text among the column's; null is last."""
        codes, texts = self.codes(name), self._coded[name][2]
        is_used = np.zeros(len(texts) + 1, dtype=np.bool_)
        is_used[codes] = True
        used = np.flatnonzero(is_used[:-1])
        ranks = np.full(len(texts) + 1, len(texts), dtype=np.int64)
        ranks[used[pc.sort_indices(texts.take(pa.array(used))).to_numpy()]] = np.arange(len(used))
        return ranks[codes]

    def table(self, order: npt.NDArray[np.int64] | None = None) -> pa.Table:
        """Lay the columns out, with the rows in an order of choice."""
        columns = dict(self.plain)
        groups = {id(numbers): numbers for numbers, _, _ in self._coded.values()}
        if order is not None:
            columns = {name: _picked(column, order) for name, column in columns.items()}
            groups = {group: numbers[order] for group, numbers in groups.items()}
        for name, (numbers, by_number, texts) in self._coded.items():
            columns[name] = _laid_out(groups[id(numbers)], by_number, texts)
        return pa.table(columns)


def _picked(column: pa.Array, order: npt.NDArray[np.int64]) -> pa.Array:
    is_empty = column.null_count == len(column)
    return pa.nulls(len(order), column.type) if is_empty else column.take(pa.array(order))


def _laid_out(numbers: Codes, by_number: Codes | None, texts: pa.Array) -> pa.DictionaryArray:
    if not len(texts):
        return pa.nulls(len(numbers), _TEXT)
    return from_codes(numbers if by_number is None else by_number[numbers], texts)
