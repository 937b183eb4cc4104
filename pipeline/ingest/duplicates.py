"""Which lines of a file another file of its source has brought already: copies count once, equal lines of a file all.

A line's true number is the most that any one file holds of it, so that the order of delivery does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Mask = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.int64]


def find_copies(
    hashes: Hashes,
    file_id: str,
    source: str,
    span: tuple[datetime, datetime],
    kept_files: Sequence[Path],
    duplicate_files: Sequence[Path],
) -> Mask:
    """Tell which lines are copies.

    Args:
        hashes: of the lines, in their order.
        file_id: the file they come from.
        source: its source.
        span: first and last instant of the lines.
        kept_files: the day's files of `raw_requests`, this run's too.
        duplicate_files: the day's files of `duplicate_lines`, this run's too.

    Returns:
        True for a line that is a copy of one that another file brought.
    """
    kept_hashes, kept_ids = _seen(kept_files, source, span)
    duplicate_hashes, duplicate_ids = _seen(duplicate_files, source, span)
    known, known_counts = np.unique(kept_hashes, return_counts=True)
    if not len(known):
        return np.zeros(len(hashes), dtype=np.bool_)
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    is_known = known[place] == hashes
    own = np.concatenate((kept_hashes[kept_ids == file_id], duplicate_hashes[duplicate_ids == file_id]))
    own_values, own_counts = np.unique(own[np.isin(own, known)], return_counts=True)
    already = np.zeros(len(known), dtype=np.int64)
    already[np.searchsorted(known, own_values)] = own_counts
    rank = _rank_among_equals(hashes)
    return np.logical_and(is_known, already[place] + rank <= known_counts[place])


def _seen(
    files: Sequence[Path], source: str, span: tuple[datetime, datetime]
) -> tuple[Hashes, npt.NDArray[np.object_]]:
    """Read hashes and file ids of a source's lines within a span of instants."""
    wanted = (
        (pc.field("source") == source)
        & (pc.field("occurred_at") >= pa.scalar(span[0], pa.timestamp("us", tz="UTC")))
        & (pc.field("occurred_at") <= pa.scalar(span[1], pa.timestamp("us", tz="UTC")))
    )
    tables = [
        pq.read_table(path, columns=["line_hash", "file_id"], filters=wanted, partitioning=None) for path in files
    ]
    if not tables:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=object)
    table = pa.concat_tables(tables)
    return table["line_hash"].to_numpy(), np.asarray(table["file_id"].to_numpy(zero_copy_only=False), dtype=object)


def _rank_among_equals(hashes: Hashes) -> npt.NDArray[np.int64]:
    """Number equal hashes 1, 2, 3 … in the order of the lines."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    is_first = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, dtype=np.bool_)
    starts = np.maximum.accumulate(np.where(is_first, np.arange(len(ordered)), 0))
    rank = np.empty(len(hashes), dtype=np.int64)
    rank[order] = np.arange(len(ordered)) - starts + 1
    return rank
