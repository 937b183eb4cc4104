"""Words that tell of somebody — emails, ids, cookies, names — found and masked wherever bytes or columns hold them.

Whose words they are is `erase`'s; a word that could be something else as well is not looked for: see `is_telling`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from ahocorasick_rs import BytesAhoCorasick

_SHORTEST, _SHORTEST_MIXED, _SHORTEST_NUMBER, _SHORTEST_NAME = 6, 5, 9, 8
_WITHIN = re.compile(rb"[A-Za-z0-9_]")
_WITHIN_DOTTED = re.compile(rb"[A-Za-z0-9_.-]")
_GOES_ON = re.compile(rb"[A-Za-z0-9_]|-[A-Za-z0-9]|\.[A-Za-z0-9]")
# What stands before a word may be an escape: %3D, \u0026 or \x26 end with characters that are no part of a word.
_ESCAPE_BEFORE = re.compile(rb"(?:%[0-9a-f]{2}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\[nrt])$")
# An escape of a mark, such as %40, stays.
_MASKED = re.compile(
    rb"%[0-7][0-9A-Fa-f]|(?P<percent>%[89A-Fa-f][0-9A-Fa-f])|(?P<json>\\u[0-9A-Fa-f]{4})|[A-Za-z0-9]|[\x80-\xff]"
)


def is_telling(word: str) -> bool:
    """Whether a word tells of one person and nothing else.

    An email does; so do six characters or more, or five of letters and digits mixed. What could be a number of
    another thing (fewer than nine digits) or a plain word (letters only) does not.
    """
    if "@" in word:
        return len(word) >= _SHORTEST
    if word.isdigit():
        return len(word) >= _SHORTEST_NUMBER
    has_digit = any(char.isdigit() for char in word)
    return has_digit and len(word) >= _SHORTEST_MIXED and (len(word) >= _SHORTEST or not word.isdigit())


def is_telling_name(name: str) -> bool:
    """Whether a full name is long enough to be looked for: two words or more."""
    return len(name) >= _SHORTEST_NAME and len(name.split()) > 1


def may_hold_text(kind: pa.DataType) -> bool:
    """Whether a column of a type may hold texts or bytes, however deep."""
    if pa.types.is_dictionary(kind):
        return may_hold_text(kind.value_type)
    if pa.types.is_nested(kind):
        return any(may_hold_text(kind.field(number).type) for number in range(kind.num_fields))
    return not (pa.types.is_boolean(kind) or pa.types.is_primitive(kind) or pa.types.is_decimal(kind))


class Words:
    """Words to be found, in every form in which addresses and JSON write them; letter case of ASCII does not matter."""

    def __init__(self, words: Iterable[str]) -> None:
        """Prepare.

        Args:
            words: as they are, each telling.
        """
        self._forms = sorted({form for word in words for form in _forms(word)})
        self._is_dotted = [b"." in form for form in self._forms]
        self._machine = BytesAhoCorasick(self._forms) if self._forms else None

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return self._machine is not None

    @property
    def longest(self) -> int:
        """Bytes of the longest form, and what is looked at around it."""
        return max(map(len, self._forms), default=0) + 8

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Where words stand in some bytes: beginnings and ends, in order; none is part of a longer word."""
        if self._machine is None:
            return []
        low = data.lower()
        found = self._machine.find_matches_as_indexes(low, overlapping=True)
        return [(begin, end) for form, begin, end in found if _is_whole(low, begin, end, self._is_dotted[form])]

    def are_in(self, data: bytes) -> bool:
        """Whether some bytes hold a word."""
        return bool(self.spans(data))

    def masked(self, data: bytes) -> bytes:
        """Replace each letter and digit of the words by 0, so that a number or an email stays one of its kind."""
        out, changed = bytearray(data), False
        for begin, end in self.spans(data):
            out[begin:end] = _MASKED.sub(_zeros, data[begin:end])
            changed = True
        return bytes(out) if changed else data

    def rows(self, column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
        """Tell of each row of a column whether it holds a word; columns without text hold none.

        Args:
            column: texts, bytes, or lists and structs of these, encoded in whatever way.
        """
        parts = [self._rows_of(chunk) for chunk in column.chunks]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.bool_)

    def are_in_column(self, column: pa.ChunkedArray) -> bool:
        """Whether a column holds a word, be it only among the values of its dictionary that no row has."""
        return any(
            self._rows_of(chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk).any()
            for chunk in column.chunks
        )

    def masked_column(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Mask the words in a column of texts or bytes; its type stays."""
        if not self.rows(column).any():
            return column
        return pa.chunked_array([self._masked_chunk(chunk) for chunk in column.chunks], type=column.type)

    def _rows_of(self, chunk: pa.Array) -> npt.NDArray[np.bool_]:
        kind = chunk.type
        if pa.types.is_dictionary(kind):
            has = np.append(self._rows_of(chunk.dictionary), np.False_)
            return has[chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
        if pa.types.is_list(kind):
            inner = np.concatenate([[0], np.cumsum(self._rows_of(chunk.flatten()))])
            lengths = pc.list_value_length(chunk).fill_null(0).to_numpy()
            ends = np.cumsum(lengths)
            return np.asarray(inner[ends] > inner[ends - lengths])
        if pa.types.is_struct(kind):
            fields = [self._rows_of(field) for field in chunk.flatten()]
            return np.logical_or.reduce(fields) if fields else np.zeros(len(chunk), dtype=np.bool_)
        if not (pa.types.is_string(kind) or pa.types.is_binary(kind)):
            return np.zeros(len(chunk), dtype=np.bool_)
        return self._rows_of_texts(chunk)

    def _rows_of_texts(self, chunk: pa.Array) -> npt.NDArray[np.bool_]:
        """Look through all values at once, as they lie one after the other, and tell whose the finds are."""
        has = np.zeros(len(chunk), dtype=np.bool_)
        offsets = np.frombuffer(chunk.buffers()[1], dtype=np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        data = chunk.buffers()[2]
        if data is None or not len(chunk) or self._machine is None:
            return has
        start = int(offsets[0])
        held = memoryview(data)[start : int(offsets[-1])]
        found = self._machine.find_matches_as_indexes(bytes(held).lower(), overlapping=True)
        if not found:
            return has
        begins = np.array([begin for _, begin, _ in found]) + start
        for row in np.unique(np.searchsorted(offsets, begins, side="right") - 1).tolist():
            value = chunk[row].as_py()
            has[row] = value is not None and self.are_in(value.encode() if isinstance(value, str) else value)
        return has

    def _masked_chunk(self, chunk: pa.Array) -> pa.Array:
        if pa.types.is_dictionary(chunk.type):
            return pa.DictionaryArray.from_arrays(chunk.indices, self._masked_chunk(chunk.dictionary))
        values = chunk.to_pylist()
        for row in np.flatnonzero(self._rows_of(chunk)).tolist():
            value = values[row]
            values[row] = self.masked(value.encode()).decode() if isinstance(value, str) else self.masked(value)
        return pa.array(values, chunk.type)


def _zeros(found: re.Match[bytes]) -> bytes:
    """Write a character, or an escape of one, as a 0 of as many bytes."""
    if found["json"]:
        return b"\\u0030"
    if found["percent"]:
        return b"%30"
    return found[0] if len(found[0]) > 1 else b"0"


def _is_whole(data: bytes, begin: int, end: int, is_dotted: bool) -> bool:
    """Whether what stands around a word in lower case is no part of it."""
    before = data[begin - 1 : begin]
    within = _WITHIN_DOTTED if is_dotted else _WITHIN
    if within.match(before) and not _ESCAPE_BEFORE.search(data[max(begin - 6, 0) : begin]):
        return False
    after = data[end : end + 2]
    return not (_GOES_ON if is_dotted else _WITHIN).match(after)


def _forms(word: str) -> Iterator[bytes]:
    """The ways in which a word is written, in lower case of ASCII: plain, percent-encoded, escaped as in JSON."""
    for said in {word, word.lower()}:
        plain = said.encode("utf-8", "surrogatepass")
        escaped = json.dumps(said)[1:-1].encode()
        encoded = [text.encode() for text in (quote(plain), quote(plain, safe="@"), quote_plus(plain))]
        for form in (plain, escaped, plain.replace(b" ", b"%20"), plain.replace(b" ", b"+"), *encoded):
            yield form.lower()
