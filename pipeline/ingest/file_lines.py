"""Lines of a file as the raw tables hold them, in the file's order.

What neighbours or texts tell about a line does not belong here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipeline.ingest.ledger import LedgerEntry
from pipeline.schemas.raw import RAW_REQUESTS

_TAKEN = ("raw_requests", "duplicate_lines")
_COLUMNS = ["line_offset", "line_hash", "occurred_at"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_TIME = np.iinfo(np.int64).min

DayFiles = dict[date | None, list[Path]]
Numbers = npt.NDArray[np.int64]


class Files(Protocol):
    """What reading needs of a run."""

    def files(self, table: str, first: date | None = None, last: date | None = None) -> DayFiles:
        """Live files by day."""


def text_hash(text: str) -> int:
    """Hash the text of a rejected line to 64 bits, signed, as the hash of a line's fields is."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big", signed=True)


@dataclass(frozen=True)
class FileLines:
    """A file's lines but the blank ones, in its order.

    Attributes:
        offsets: where each begins.
        hashes: of its fields; of a rejected line, of its text.
        instants: microseconds since 1970; `has_time` tells where there are any.
        end: where the last one ends.
    """

    offsets: Numbers
    hashes: Numbers
    instants: Numbers
    end: int

    def __len__(self) -> int:
        """How many."""
        return len(self.offsets)

    @property
    def has_time(self) -> npt.NDArray[np.bool_]:
        """Which lines tell an instant; rejected ones tell none."""
        return self.instants != _NO_TIME

    def instant_near(self, number: int) -> datetime | None:
        """The instant of a line or, where it tells none, of the next one that does; None where none does."""
        timed = np.flatnonzero(self.has_time)
        if not len(timed):
            return None
        nearest = timed[np.abs(timed - number).argmin()]
        return _EPOCH + timedelta(microseconds=int(self.instants[nearest]))

    def beside(self, hashes: Numbers, step: int) -> Iterator[int]:
        """The numbers of the lines that lie a step before (-1) or after (1) some lines, given from there outwards."""
        if not len(hashes):
            return
        for place in self.places(int(hashes[-1])):
            number = place + step * len(hashes)
            between = self.hashes[number + 1 : place + 1] if step < 0 else self.hashes[place:number][::-1]
            if 0 <= number < len(self) and np.array_equal(between, hashes):
                yield number

    def places(self, line_hash: int) -> list[int]:
        """The numbers of the lines with a hash."""
        places: list[int] = np.flatnonzero(self.hashes == line_hash).tolist()
        return places

    def length(self, number: int) -> int:
        """The most bytes a line can have; blank lines after it count with it."""
        after = int(self.offsets[number + 1]) if number + 1 < len(self) else self.end
        return after - int(self.offsets[number]) - 1


class LineReader:
    """Reads lines of some files of one source out of a run's raw tables; what was read once is kept."""

    def __init__(self, run: Files, files: Sequence[LedgerEntry]) -> None:
        self._run = run
        self._source = files[0].source
        self._files = {entry.file_id: entry for entry in files}
        self._lines: dict[str, FileLines] = {}
        self._rejected: list[dict[str, Any]] | None = None

    def of(self, entry: LedgerEntry) -> FileLines:
        """The lines of one of the files; those of all are read with the first."""
        if not self._lines:
            self._lines = self._read_lines()
        return self._lines[entry.file_id]

    def _read_lines(self) -> dict[str, FileLines]:
        days = [at.date() for entry in self._files.values() for at in (entry.first_at, entry.last_at) if at]
        paths = [path for table in _TAKEN if days for path in self._paths(table, min(days), max(days))]
        taken = read_rows(paths, self._is_of_files, ["file_id", *_COLUMNS])
        ids = pa.concat_arrays(
            [
                *taken["file_id"].cast(pa.string()).chunks,
                pa.array([row["file_id"] for row in self.rejected], pa.string()),
            ]
        )
        codes = pc.index_in(ids, pa.array(list(self._files), pa.string())).to_numpy(zero_copy_only=False)
        offsets, hashes, instants = (
            np.concatenate((column, np.array(rejected, dtype=np.int64)))
            for column, rejected in (
                (taken["line_offset"].to_numpy(), [row["line_offset"] for row in self.rejected]),
                (taken["line_hash"].to_numpy(), [text_hash(row["text"]) for row in self.rejected]),
                (taken["occurred_at"].cast(pa.int64()).to_numpy(), [_NO_TIME] * len(self.rejected)),
            )
        )
        lines = {}
        for number, (file_id, entry) in enumerate(self._files.items()):
            own = np.flatnonzero((codes == number) & (offsets < entry.bytes_read))
            own = own[np.argsort(offsets[own], kind="stable")]
            lines[file_id] = FileLines(offsets[own], hashes[own], instants[own], entry.bytes_read)
        return lines

    @property
    def rejected(self) -> list[dict[str, Any]]:
        """The rejected lines of the files: file, offset and text."""
        if self._rejected is None:
            columns = ["file_id", "line_offset", "text"]
            self._rejected = read_rows(self._paths("rejected_lines"), self._is_of_files, columns).to_pylist()
        return self._rejected

    @cached_property
    def broken_texts(self) -> dict[int, str]:
        """The texts of rejected lines by their hash."""
        return {text_hash(row["text"]): row["text"] for row in self.rejected}

    def requests_at(self, at: datetime, line_hash: int | None = None) -> list[dict[str, Any]]:
        """The kept lines of the source of an instant; on demand those of a hash."""
        wanted = (pc.field("source") == self._source) & (pc.field("occurred_at") == pa.scalar(at))
        if line_hash is not None:
            wanted &= pc.field("line_hash") == line_hash
        rows: list[dict[str, Any]] = read_rows(self._paths("raw_requests", at.date(), at.date()), wanted).to_pylist()
        return rows

    def first_line(self, entry: LedgerEntry, day: date) -> tuple[datetime, int] | None:
        """Instant and hash of a file's first line, where that is kept or a copy; of its many columns only these."""
        wanted = (pc.field("file_id") == entry.file_id) & (pc.field("line_offset") == 0)
        paths = [path for table in _TAKEN for path in self._paths(table, day, day)]
        found = read_rows(paths, wanted, ["occurred_at", "line_hash"]).to_pylist()
        return (found[0]["occurred_at"], found[0]["line_hash"]) if found else None

    @property
    def _is_of_files(self) -> pc.Expression:
        return pc.field("file_id").isin(pa.array(list(self._files), pa.string()))

    def _paths(self, table: str, first: date | None = None, last: date | None = None) -> list[Path]:
        return [path for paths in self._run.files(table, first, last).values() for path in paths]


def read_rows(paths: Sequence[Path], wanted: pc.Expression, columns: Sequence[str] | None = None) -> pa.Table:
    """Read the rows of some files that a condition holds for, which may be none."""
    if not paths:
        return RAW_REQUESTS.file_schema.empty_table()
    return ds.dataset([str(path) for path in paths], format="parquet").to_table(columns, wanted)
