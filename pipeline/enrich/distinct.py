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

from pipeline.formats.text import from_codes

Codes = npt.NDArray[np.int32]
NONE = np.int32(-1)
_TEXT = pa.dictionary(pa.int32(), pa.string())

# The code of each number, that of -1 last, and the texts that the codes stand for.
Coded = tuple[Codes, pa.Array]
# Values to what each means: one text for each derived column.
Derive = Callable[[Sequence[Any]], Iterable[Sequence[str | None]]]


class Keys(Protocol):
    """Distinct values with their numbers."""

    def __len__(self) -> int:
        """How many were met; their numbers are below."""

    def at(self, numbers: npt.NDArray[np.int64]) -> list[Any]:
        """The values of some numbers, None for -1."""


class Texts:
    """Distinct texts, numbered 0, 1, 2 … as they are met; -1 is none."""

    def __init__(self) -> None:
        self._known = pa.array([], pa.string())

    def __len__(self) -> int:
        """How many texts were met."""
        return len(self._known)

    def at(self, numbers: npt.NDArray[np.int64]) -> list[str | None]:
        """The texts of some numbers."""
        return _taken(self._known, numbers).to_pylist()

    def numbers(self, codes: Codes, values: pa.Array) -> Codes:
        """Number the rows of a column.

        Args:
            codes: an index into `values` a row, -1 for null.
            values: distinct texts.
        """
        self._known, numbers = _numbered(self._known, values)
        return np.append(numbers, NONE)[codes]


class Pairs:
    """Distinct pairs of two columns' numbers, numbered as they are met; -1 on either side takes part."""

    def __init__(self, left: Keys, right: Keys) -> None:
        self._left, self._right = left, right
        self._known = pa.array([], pa.int64())

    def __len__(self) -> int:
        """How many pairs were met."""
        return len(self._known)

    def at(self, numbers: npt.NDArray[np.int64]) -> list[Any]:
        """The pairs of values of some numbers."""
        keys = self._known.take(pa.array(numbers)).to_numpy()
        return list(zip(self._left.at((keys >> 32) - 1), self._right.at((keys & 0xFFFFFFFF) - 1), strict=True))

    def numbers(self, left: Codes, right: Codes) -> Codes:
        """Number the rows whose two sides have these numbers."""
        keys = pa.array(((left.astype(np.int64) + 1) << 32) + (right + 1))
        self._known, numbers = _numbered(self._known, keys)
        return numbers


def _numbered(known: pa.Array, values: pa.Array) -> tuple[pa.Array, Codes]:
    """Find values among those known, which grow by what is new."""
    places = pc.index_in(values, known)
    if places.null_count:
        known = pa.concat_arrays([known, pc.unique(values.filter(places.is_null()))])
        places = pc.index_in(values, known)
    return known, places.to_numpy()


def _taken(values: pa.Array, numbers: npt.NDArray[np.int64]) -> pa.Array:
    return values.take(pa.array(numbers, mask=numbers < 0))


class _Vocabulary:
    """The texts of a derived column, each once.

    Attributes:
        texts: in the order of their codes.
    """

    def __init__(self) -> None:
        self._codes: dict[str | None, int] = {None: -1}
        self.texts = pa.array([], pa.string())

    def codes(self, texts: Sequence[str | None]) -> Codes:
        """Return a code for each text, -1 for None."""
        known = self._codes
        before = len(known)
        codes = np.fromiter((known.setdefault(text, len(known) - 1) for text in texts), dtype=np.int32)
        if len(known) > before:
            self.texts = pa.concat_arrays([self.texts, pa.array(list(known)[before:], pa.string())])
        return codes


class Meanings:
    """Keys with what they mean: a text for each of some columns, worked out when a key is new."""

    def __init__(self, keys: Texts | Pairs, names: Sequence[str], derive: Derive) -> None:
        """Prepare.

        Args:
            keys: whose meaning.
            names: of the derived columns.
            derive: values to one text for each name; it is asked about None too, where the keys are texts.
        """
        self._keys, self._names, self._derive = keys, names, derive
        self._vocabularies = [_Vocabulary() for _ in names]
        self._codes = self._derived([None]) if isinstance(keys, Texts) else [np.array([NONE]) for _ in names]
        self._done = 0

    def __len__(self) -> int:
        """How many keys were met."""
        return len(self._keys)

    def at(self, numbers: npt.NDArray[np.int64]) -> list[Any]:
        """The keys of some numbers."""
        return self._keys.at(numbers)

    def numbers(self, first: Codes, second: Any) -> Codes:
        """Number rows, as the keys do."""
        return self._keys.numbers(first, second)

    def columns(self) -> dict[str, Coded]:
        """Give the derived columns: by name the code of each key's number, that of -1 last, and the codes' texts."""
        if len(self._keys) > self._done:
            new = self._derived(self._keys.at(np.arange(self._done, len(self._keys))))
            both = zip(self._codes, new, strict=True)
            self._codes = [np.concatenate((known[:-1], codes, known[-1:])) for known, codes in both]
            self._done = len(self._keys)
        texts = [vocabulary.texts for vocabulary in self._vocabularies]
        return dict(zip(self._names, zip(self._codes, texts, strict=True), strict=True))

    def _derived(self, values: Sequence[Any]) -> list[Codes]:
        columns = zip(*self._derive(values), strict=True)
        return [known.codes(texts) for known, texts in zip(self._vocabularies, columns, strict=True)]


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

    def add(self, numbers: Codes, columns: Mapping[str, Coded]) -> Codes:
        """Add columns that hang on the same numbers, and return these."""
        for name, (by_number, texts) in columns.items():
            self._coded[name] = (numbers, by_number, texts)
        return numbers

    def add_texts(self, name: str, codes: Codes, texts: pa.Array) -> None:
        """Add a column as codes and texts."""
        self._coded[name] = (codes, None, texts)

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
            groups = {group: numbers[order] for group, numbers in groups.items()}
            is_taken = {name: column.null_count < len(column) for name, column in self.plain.items()}
            columns |= {name: _taken(self.plain[name], order) for name in columns if is_taken[name]}
        for name, (numbers, by_number, texts) in self._coded.items():
            columns[name] = _laid_out(groups[id(numbers)], by_number, texts)
        return pa.table(columns)


def _laid_out(numbers: Codes, by_number: Codes | None, texts: pa.Array) -> pa.DictionaryArray:
    if not len(texts):
        return pa.nulls(len(numbers), _TEXT)
    return from_codes(numbers if by_number is None else by_number[numbers], texts)
