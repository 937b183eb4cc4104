"""Which lines of a file another file of its source has brought already: copies count once, equal lines of a file all.

A line's true number is the most that any one file holds of it, so that the order of delivery does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ingest.file_lines import read_rows

Mask = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Copies:
    """Which of some lines are copies.

    Attributes:
        is_copy: true for a line that another file brought.
        is_ambiguous: true for a copy that could be an equal request as well: every file that has it shares with this
            one but lines of a single second, as two sides of a rotation may.
    """

    is_copy: Mask
    is_ambiguous: Mask


def find_copies(
    hashes: Hashes,
    file_id: str,
    source: str,
    span: tuple[datetime, datetime],
    kept_files: Sequence[Path],
    duplicate_files: Sequence[Path],
) -> Copies:
    """Tell which lines are copies.

    Args:
        hashes: of the lines, in their order.
        file_id: the file they come from.
        source: its source.
        span: first and last instant of the lines.
        kept_files: the day's files of `raw_requests`, this run's too.
        duplicate_files: the day's files of `duplicate_lines`, this run's too.
    """
    kept, duplicates = (_seen(files, source, span) for files in (kept_files, duplicate_files))
    known, known_counts = np.unique(kept["line_hash"].to_numpy(), return_counts=True)
    if not len(known):
        none = np.zeros(len(hashes), dtype=np.bool_)
        return Copies(none, none)
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    is_known = known[place] == hashes
    seen = pa.concat_tables([kept, duplicates]).unify_dictionaries().to_pandas()
    is_own = (seen["file_id"] == file_id).to_numpy()
    own = seen["line_hash"].to_numpy()[is_own]
    own_values, own_counts = np.unique(own[np.isin(own, known)], return_counts=True)
    already = np.zeros(len(known), dtype=np.int64)
    already[np.searchsorted(known, own_values)] = own_counts
    rank = _rank_among_equals(hashes)
    is_copy = np.logical_and(is_known, already[place] + rank <= known_counts[place])
    if not is_copy.any():
        return Copies(is_copy, is_copy)
    certain = _certain(seen[~is_own], np.concatenate((hashes[is_copy], own)))
    return Copies(is_copy, is_copy & ~np.isin(hashes, certain))


def _certain(others: pd.DataFrame, hashes: Hashes) -> Hashes:
    """The lines that are in a file which shares lines of more than one second with another, whose hashes are given."""
    shared = others[others["line_hash"].isin(hashes)]
    seconds = shared.groupby("file_id")["second"].transform("nunique")
    certain: Hashes = shared["line_hash"][seconds > 1].to_numpy()
    return certain


def _seen(files: Sequence[Path], source: str, span: tuple[datetime, datetime]) -> pa.Table:
    """Read hash, file and second of a source's lines within a span of instants."""
    wanted = (
        (pc.field("source") == source)
        & (pc.field("occurred_at") >= pa.scalar(span[0], pa.timestamp("us", tz="UTC")))
        & (pc.field("occurred_at") <= pa.scalar(span[1], pa.timestamp("us", tz="UTC")))
    )
    table = read_rows(files, wanted, ["line_hash", "file_id", "occurred_at"])
    file_ids = table["file_id"].cast(pa.dictionary(pa.int32(), pa.string()))
    seconds = pc.floor_temporal(table["occurred_at"], unit="second")
    return pa.table({"line_hash": table["line_hash"], "file_id": file_ids, "second": seconds})


def _rank_among_equals(hashes: Hashes) -> npt.NDArray[np.int64]:
    """Number equal hashes 1, 2, 3 … in the order of the lines."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    is_first = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, dtype=np.bool_)
    starts = np.maximum.accumulate(np.where(is_first, np.arange(len(ordered)), 0))
    rank = np.empty(len(hashes), dtype=np.int64)
    rank[order] = np.arange(len(ordered)) - starts + 1
    return rank
