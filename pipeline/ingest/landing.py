"""What lies in the landing place: which of it are logs, whose they are, and which changed since they were read.

What a file holds does not belong here: nothing is opened.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence, Set
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.ingest.limits import STOPPED, limit_of
from pipeline.ingest.stores import Listed, Place, Recent
from pipeline.schemas.raw import LANDING_FILES
from pipeline.settings import Settings

LOOSE_SOURCE = "default"
_STREAM_PATH = "-"
RECENT_DAYS = 2
_UNFINISHED = (".tmp", ".part", ".partial", ".swp", ".filepart", "~")
_HIDDEN = re.compile(r"(?:^|/)\.(?!\.?/)")
_ROTATED = re.compile(r"(?P<base>.+?)[.-](\d{1,4}|\d{8}([-_]?\d{2,6})?)", re.ASCII)
_HELD_ROWS = 65_536
_LIMITED = ["file_id", "problem", "bytes_read", "bytes_waiting"]


class LandedFile(NamedTuple):
    """A log that has arrived.

    Attributes:
        source: the first-level folder it is under; `default` for a file beside the folders.
        listed: where it lies, and its version.
        is_rotated: its name says so, and the file it was rotated from lies beside it: nothing is added to it.
        is_stream: it came on standard input, and lies nowhere.
    """

    source: str
    listed: Listed
    is_rotated: bool = False
    is_stream: bool = False

    @property
    def path(self) -> str:
        """Relative to the landing place; `-` for a stream."""
        return self.listed.path

    @property
    def size(self) -> int:
        """Bytes, as it lies or came."""
        return self.listed.size


def landed_stream(source: str, size: int) -> LandedFile:
    """Describe what came on standard input."""
    return LandedFile(source, Listed(_STREAM_PATH, size, 0, None), is_stream=True)


def logs(entries: Iterable[Listed]) -> Iterator[LandedFile]:
    """Tell logs from other company: what is hidden, unfinished, or marks a folder is left out.

    Args:
        entries: in the order of their paths, in which a file comes before those that were rotated from it.
    """
    begun: list[str] = []  # of the paths so far, those that the present one begins with
    for entry in entries:
        path = entry.path
        while begun and not path.startswith(begun[-1]):
            begun.pop()
        if _is_log(entry):
            first, slash, _ = path.partition("/")
            source = first if slash and first else LOOSE_SOURCE
            yield LandedFile(source, entry, bool(begun) and _is_rotated(path, begun))
        begun.append(path)


def _is_log(entry: Listed) -> bool:
    path = entry.path
    if not path or path.endswith(_UNFINISHED) or (path.endswith("/") and not entry.size):
        return False
    return not (path[0] == "." or "/." in path) or _HIDDEN.search(path) is None


def _is_rotated(path: str, beside: Sequence[str]) -> bool:
    found = _ROTATED.fullmatch(path)
    return found is not None and found["base"] in beside


class KnownFiles:
    """What was read of the landing place: the rows of `landing_files`, which are sorted by path and read in pieces."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Say where they are.

        Args:
            paths: the live files of `landing_files`: one, or none yet.
        """
        self._paths = paths

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for path in self._paths:
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(_HELD_ROWS, columns=list(columns))

    def __iter__(self) -> Iterator[Listed]:
        """Yield what was read, as it was listed then."""
        for batch in self._batches(Listed._fields):
            yield from map(Listed, *(batch.column(name).to_pylist() for name in Listed._fields))

    def of_files(self, file_ids: Container[str]) -> Iterator[tuple[str, int, str]]:
        """Yield path, size and file_id of some files."""
        for batch in self._batches(["path", "size", "file_id"]):
            rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            yield from (row for row in rows if row[2] in file_ids)

    def has_under(self, start: str) -> bool:
        """Whether a path that begins so was read before."""
        return any(pc.any(pc.starts_with(batch.column(0), start)).as_py() for batch in self._batches(["path"]))

    def without(self, file_ids: set[str], rows: Sequence[dict[str, object]]) -> set[str]:
        """Tell which of some files lie there no more, once rows are put in the place of those of their paths."""
        new = {row["path"] for row in rows}
        gone = file_ids - {str(row["file_id"]) for row in rows}
        for batch in self._batches(["path", "file_id"]) if gone else ():
            paths, ids = (column.to_pylist() for column in batch.columns)
            gone -= {file_id for path, file_id in zip(paths, ids, strict=True) if path not in new}
        return gone

    def with_rows(self, rows: Sequence[dict[str, object]]) -> Iterator[pa.Table]:
        """Yield all rows of `landing_files` in pieces, sorted by path, some of them new.

        Args:
            rows: the new ones, sorted by path; each takes the place of the one of its path.
        """
        schema = LANDING_FILES.schema
        new = [str(row["path"]) for row in rows]
        taken = 0
        for batch in self._batches(schema.names):
            ahead = bisect_right(new, batch.column(0)[-1].as_py(), taken)
            fresh = pa.Table.from_pylist(rows[taken:ahead], schema=schema)
            old = pa.Table.from_batches([batch]).cast(schema)
            kept = old.filter(pc.invert(pc.is_in(old["path"], fresh["path"])))
            yield pa.concat_tables([kept, fresh]).sort_by("path") if fresh.num_rows else old
            taken = ahead
        if taken < len(rows):
            yield pa.Table.from_pylist(rows[taken:], schema=schema)


def reopened(known: KnownFiles, ledger: Sequence[Path], settings: Settings) -> Set[str]:
    """Tell the paths of files that were read up to a limit and may now be read further.

    Args:
        known: what was read.
        ledger: the live files of `ingested_files`.
        settings: the limits, as they are now.
    """
    read: dict[str, int] = {}
    for path in ledger:
        rows = pq.read_table(path, columns=_LIMITED, filters=pc.field("problem").is_valid()).to_pylist()
        read |= {
            row["file_id"]: row["bytes_read"] + row["bytes_waiting"]
            for row in rows
            if row["problem"].startswith(STOPPED)
        }
    return (
        {path for path, size, file_id in known.of_files(read) if limit_of(size, settings).bytes > read[file_id]}
        if read
        else frozenset()
    )


def changed_files(
    place: Place, known: KnownFiles, again: Set[str] = frozenset(), recent_only: bool = False
) -> list[LandedFile]:
    """List the logs that are new or have changed, sorted by path.

    Both lists are gone through side by side and not held, so that a million known files cost no memory.

    Args:
        place: where logs arrive.
        known: what was read of it.
        again: paths of files that count as changed, whatever is listed.
        recent_only: names with a day that is long over may be left out, where something like them was read already:
            what comes late there waits for a listing of everything.

    Raises:
        OSError: the place cannot be listed.
    """
    first = datetime.now(UTC).date() - timedelta(days=RECENT_DAYS)
    recent = Recent(first, known.has_under) if recent_only else None
    rows = iter(known)
    row = next(rows, None)
    changed = []
    for file in logs(place.entries(recent)):
        while row is not None and row.path < file.path:
            row = next(rows, None)
        if row != file.listed or file.path in again:
            changed.append(file)
    return changed
