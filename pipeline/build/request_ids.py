"""Ids of requests: the UTC day and 64 bits of hash of source and line, numbered where lines are equal.

The same line has the same id whenever and however it arrives. Reading and writing rows does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from pipeline.dictionaries import codes_and_values
from pipeline.ingest.line_hash import hash_texts, mix

Keys = npt.NDArray[np.uint64]
_STEP = np.uint64(0xD6E8FEB86659FD93)


def line_keys(raw: pa.Table) -> Keys:
    """Make a key of each row's source and line hash: what equal lines of a source share."""
    codes, sources = codes_and_values(raw["source"])
    salted = hash_texts(sources)[codes] if len(sources) else np.zeros(0, dtype=np.uint64)
    return mix(raw["line_hash"].to_numpy().view(np.uint64) + salted)


class Names:
    """Numbers equal lines of a day 0, 1, 2 …, so that each has a key of its own whichever file it came in."""

    def __init__(self, repeated: Keys) -> None:
        self._repeated = repeated
        self._counts = np.zeros(len(repeated), dtype=np.int64)

    def keys(self, raw: pa.Table) -> Keys:
        """Return a key a row, distinct within the day."""
        keys = line_keys(raw)
        if not len(self._repeated):
            return keys
        place = np.minimum(np.searchsorted(self._repeated, keys), len(self._repeated) - 1)
        rows = np.flatnonzero(self._repeated[place] == keys)
        places = pd.Series(place[rows])
        number = places.groupby(places).cumcount().to_numpy() + self._counts[place[rows]]
        np.add.at(self._counts, place[rows], 1)
        keys[rows] = np.where(number > 0, mix(keys[rows] + number.astype(np.uint64) * _STEP), keys[rows])
        return keys


def lines_of_all(request_ids: Sequence[str], raw: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell of each row whether its line, or one equal to it, is one of some requests.

    Args:
        request_ids: such as 20260302-0123456789abcdef, all of one day.
        raw: `source` and `line_hash` of the rows of `raw_requests` of that day.
    """
    wanted = np.array([_key_of(name) for name in request_ids], dtype=np.uint64)
    keys = line_keys(raw)
    distinct, counts = np.unique(keys, return_counts=True)
    is_met = np.isin(distinct, wanted)
    for place in np.flatnonzero((counts > 1) & ~is_met):
        is_met[place] = np.isin(_further_keys(distinct[place], counts[place]), wanted).any()
    return is_met[np.searchsorted(distinct, keys)] if len(keys) else np.zeros(0, dtype=np.bool_)


def ids_of_lines(day: date, raw: pa.Table, is_asked: npt.NDArray[np.bool_]) -> list[str]:
    """Name the requests that some lines are: of equal lines all of them.

    Args:
        day: of the rows.
        raw: `source` and `line_hash` of all rows of `raw_requests` of that day.
        is_asked: of each row whether it is asked for.
    """
    distinct, counts = np.unique(line_keys(raw)[is_asked], return_counts=True)
    further = [_further_keys(key, count) for key, count in zip(distinct, counts, strict=True) if count > 1]
    return [f"{day:%Y%m%d}-{key:016x}" for key in np.concatenate([distinct, *further]).tolist()]


def _key_of(request_id: str) -> np.uint64:
    return np.uint64(int(request_id.rpartition("-")[2], 16))


def _further_keys(key: np.uint64, count: int) -> Keys:
    """The keys of equal lines beside the first's."""
    further: Keys = mix(key + np.arange(1, count, dtype=np.uint64) * _STEP)
    return further


def lines_of(request_id: str, raw: pa.Table) -> list[int]:
    """Find the rows whose line a request is.

    Args:
        request_id: such as 20260302-0123456789abcdef.
        raw: `source` and `line_hash` of rows of `raw_requests`: all of the request's instant.

    Returns:
        Their places: several where equal lines were read, of which none is more the request's than another.
    """
    return [int(place) for place in np.flatnonzero(lines_of_all([request_id], raw))]
