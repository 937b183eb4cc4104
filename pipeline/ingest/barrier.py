"""Lines that arrive and were erased, told by what they say and by what they are: once per distinct value.

What was erased is kept in `tombstones`; that such a line is counted, and not kept, is `day_files`'.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dictionaries import codes_and_values
from pipeline.ingest.line_hash import hash_texts, mix
from pipeline.settings import Settings
from pipeline.tombstones import Hashes, Keys, read_tombstones

# What a line says of each kind of subject.
_COLUMNS = {
    "user": "user_id",
    "child": "user_id",
    "business": "business_id",
    "cookie": "visitor_cookie",
    "login": "remote_user",
    "ip": "ip",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NEVER = int(np.iinfo(np.int64).min)
_REMEMBERED = 1_000_000

Untils = npt.NDArray[np.int64]


class Barrier:
    """What was erased, to be asked for lines and values."""

    def __init__(self, settings: Settings) -> None:
        """Read what was erased.

        Raises:
            ErasedError: as `read_tombstones`.
        """
        self._keys = Keys(settings.secret)
        self._left = read_tombstones(settings)
        self._untils: dict[tuple[str, ...], int] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever erased."""
        return not self._left

    def has(self, kind: str) -> bool:
        """Whether anything of a kind was erased."""
        return bool(self._left.values.get(kind))

    def passes(self, lines: pa.Table, source: str) -> npt.NDArray[np.bool_] | None:
        """Tell of each line whether it may be kept; None where all may.

        Args:
            lines: columns of LINE_SCHEMA and `line_hash`.
            source: whose lines they are.
        """
        if not self._left or not lines.num_rows:
            return None
        values = self._left.values
        at = lines["occurred_at"].cast(pa.int64()).to_numpy()
        is_stopped = np.zeros(lines.num_rows, dtype=np.bool_)
        for kind, column in _COLUMNS.items():
            if kind in values:
                is_stopped |= at <= self._of_column(lines[column], kind)
        if "ip" in values:
            is_stopped |= at <= self._of_forwarded(lines["forwarded_for"])
        if "member" in values:
            is_stopped |= at <= self._of_members(lines["user_id"], lines["business_id"])
        if len(self._left.lines):
            hashes = keyed_lines(self._keys, source, lines["line_hash"].to_numpy())
            place = np.minimum(np.searchsorted(self._left.lines, hashes), len(self._left.lines) - 1)
            is_stopped |= self._left.lines[place] == hashes
        return ~is_stopped if is_stopped.any() else None

    def passes_text(self, source: str, text: bytes) -> bool:
        """Whether a line that could not be read may be kept."""
        return not self._left.texts or self._keys.of_text(source, text) not in self._left.texts

    def stops(self, kind: str, *values: str, at: datetime | None = None) -> bool:
        """Whether what is said of a subject is left out.

        Args:
            kind: user, child, member, business, cookie, login or ip.
            values: the subject's; a user's id and a Business's of a `member`.
            at: of when it is; None where it does not say.
        """
        until = self._until(kind, *values)
        return until != _NEVER and (at is None or (at - _EPOCH) // _MICROSECOND <= until)

    def _until(self, kind: str, *values: str) -> int:
        of_kind = self._left.values.get(kind)
        if not of_kind:
            return _NEVER
        told = (kind, *values)
        if told not in self._untils:
            if len(self._untils) >= _REMEMBERED:
                self._untils.clear()
            self._untils[told] = of_kind.get(self._keys.of_value(*told), _NEVER)
        return self._untils[told]

    def _of_column(self, column: pa.ChunkedArray, kind: str) -> Untils:
        codes, values = codes_and_values(column)
        return _spread([self._until(kind, value) for value in values.to_pylist()], codes)

    def _of_forwarded(self, column: pa.ChunkedArray) -> Untils:
        codes, values = codes_and_values(column)
        chains = [[self._until("ip", hop.strip()) for hop in chain.split(",")] for chain in values.to_pylist()]
        return _spread([max(hops) for hops in chains], codes)

    def _of_members(self, users: pa.ChunkedArray, businesses: pa.ChunkedArray) -> Untils:
        of_users, names = codes_and_values(users)
        of_businesses, places = codes_and_values(businesses)
        pairs, codes = np.unique(np.stack([of_users, of_businesses]), axis=1, return_inverse=True)
        known, there = names.to_pylist(), places.to_pylist()
        untils = [
            self._until("member", known[user], there[place]) if min(user, place) >= 0 else _NEVER
            for user, place in pairs.T.tolist()
        ]
        return _spread(untils, codes.reshape(-1))


def keyed_lines(keys: Keys, source: str, line_hashes: npt.NDArray[np.int64]) -> Hashes:
    """Hash lines of a source under a key, by their `line_hash`: some mixing a line, since there are millions."""
    first, second = keys.of_lines
    of_source = hash_texts(pa.array([source]))[0]
    return mix(mix(line_hashes.view(np.uint64) + of_source + first) ^ second)


def _spread(untils: Sequence[int], codes: npt.NDArray[Any]) -> Untils:
    """Give each row the instant of its value; a row without one, whose code is -1, has the last: never."""
    return np.array([*untils, _NEVER], dtype=np.int64)[codes]
