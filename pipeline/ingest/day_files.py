"""Parsed lines gathered by UTC day, compared with what is known, and written as the raw tables' day files.

How lines were parsed, and when what is written becomes visible, does not belong here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ingest.barrier import Barrier
from pipeline.ingest.columns import RejectedLine
from pipeline.ingest.duplicates import find_copies
from pipeline.ingest.file_lines import DayFiles
from pipeline.ingest.ledger import Ledger, LedgerEntry
from pipeline.ingest.withdrawal import take_back
from pipeline.schemas.raw import DUPLICATE_LINES, REJECTED_LINES
from pipeline.settings import Settings

ROWS_HELD = 250_000
_DAY_US = 86_400_000_000
_EPOCH_DAY = date(1970, 1, 1)
_REJECTS_HELD_BYTES = 16 << 20

_COPY_COLUMNS = DUPLICATE_LINES.row_schema.names


class Run(Protocol):
    """What ingestion needs of a run on the warehouse."""

    settings: Settings

    def files(self, table: str, first: date | None = None, last: date | None = None) -> DayFiles:
        """Live files by day."""

    def write(self, table: str, day: date | None, data: pa.Table) -> Path:
        """Write a file that is not live yet."""

    def write_parts(self, table: str, day: date | None, parts: Iterable[pa.Table]) -> tuple[Path, int]:
        """Write rows that come in parts; return the file and how many rows it has."""

    def append(self, table: str, files: Mapping[date | None, Sequence[Path]]) -> None:
        """Make files live."""

    def replace(self, table: str, files: Mapping[date | None, Sequence[Path]]) -> None:
        """Make files live in place of those of their days."""


class DayWriter:
    """Gathers lines by day and writes them in files of bounded size; `commit` makes them live.

    Attributes:
        read_day: the day on which the run reads, and under which it files rejected lines.
        days: days that got new lines, filled by `commit`.
    """

    def __init__(self, run: Run, ledger: Ledger, read_at: datetime) -> None:
        self._run = run
        self._ledger = ledger
        self._barrier = Barrier(run.settings)
        self.days: set[date] = set()
        self.read_day = read_at.date()
        self._held: dict[date, list[pa.Table]] = defaultdict(list)
        self._rows = 0
        self._rejected: list[dict[str, Any]] = []
        self._rejected_bytes = 0
        self._blank: list[pa.Table] = []
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._writing: list[tuple[str, date, Future[tuple[Path, int]]]] = []
        self._staged: dict[str, dict[date | None, list[Path]]] = {
            name: defaultdict(list) for name in ("raw_requests", "duplicate_lines", "rejected_lines", "blank_lines")
        }

    def add(self, entry: LedgerEntry, lines: pa.Table) -> None:
        """Take lines of a file (columns of LINE_SCHEMA and their hash); they are written when enough are held."""
        passes = self._barrier.passes(lines, entry.source)
        if passes is not None:
            entry.lines_erased += int((~passes).sum())
            lines = lines.filter(pa.array(passes))
        if not lines.num_rows:
            return
        days = lines["occurred_at"].cast(pa.int64()).to_numpy() // _DAY_US
        for number in np.unique(days).tolist():
            of_day = lines if (days[0] == number and days[-1] == number and (days == number).all()) else None
            part = of_day if of_day is not None else lines.filter(pa.array(days == number))
            self._held[_EPOCH_DAY + timedelta(days=number)].append(part)
        self._rows += lines.num_rows
        if self._rows >= ROWS_HELD:
            self.flush(entry)

    def reject(self, entry: LedgerEntry, rejected: Sequence[RejectedLine]) -> None:
        """Take rejected lines of a file."""
        kept = [line for line in rejected if self._barrier.passes_text(entry.source, line.text)]
        entry.lines_erased += len(rejected) - len(kept)
        for line in kept:
            self._rejected.append(
                {
                    "source": entry.source,
                    "file_id": entry.file_id,
                    "line_offset": line.offset,
                    "reason": line.reason,
                    "text": line.text.decode("utf-8", "backslashreplace"),
                    "text_bytes": line.length,
                    "line": None if _is_utf8(line.text) else line.text,
                }
            )
            self._rejected_bytes += len(line.text) + 100
        entry.lines_rejected += len(kept)
        if self._rejected_bytes > _REJECTS_HELD_BYTES:
            self._flush_rejected()

    def skip(self, entry: LedgerEntry, blank: pa.Table) -> None:
        """Take blank lines of a file (columns of BLANK_SCHEMA)."""
        if blank.num_rows:
            entry.lines_blank += blank.num_rows
            self._blank.append(_with_origin(blank, entry))
            if sum(part.num_rows for part in self._blank) >= ROWS_HELD:
                self._flush_blank()

    def flush(self, entry: LedgerEntry) -> None:
        """Write the lines held; all are of one file."""
        for day in sorted(self._held):
            self._write_day(entry, day, self._held[day])
        self._held.clear()
        self._rows = 0

    def _write_day(self, entry: LedgerEntry, day: date, parts: list[pa.Table]) -> None:
        spans = [pc.min_max(part["occurred_at"]).as_py() for part in parts]
        first, last = min(span["min"] for span in spans), max(span["max"] for span in spans)
        others = [
            other
            for other in self._ledger.of_source(entry.source)
            if other.file_id != entry.file_id and other.overlaps(first, last)
        ]
        entry.saw(first, last)
        rows = [_with_origin(part, entry) for part in parts]
        if others:
            rows = self._without_copies(entry, day, rows, (first, last))
        kept = sum(part.num_rows for part in rows)
        entry.lines_kept += kept
        if kept:
            if len(self._writing) > 1:
                self._writing[-2][2].result()  # no more than two files' rows are held at a time
            writing = self._pool.submit(self._run.write_parts, "raw_requests", day, rows)
            self._writing.append(("raw_requests", day, writing))

    def _without_copies(
        self, entry: LedgerEntry, day: date, parts: list[pa.Table], span: tuple[datetime, datetime]
    ) -> list[pa.Table]:
        """Leave out, and note, the lines that other files of the source brought already."""
        copies = find_copies(
            np.concatenate([part["line_hash"].to_numpy() for part in parts]),
            entry.file_id,
            entry.source,
            span,
            self._day_files("raw_requests", day),
            self._day_files("duplicate_lines", day),
        )
        if not copies.is_copy.any():
            return parts
        bounds = np.cumsum([part.num_rows for part in parts])[:-1]
        masks = [pa.array(mask) for mask in np.split(copies.is_copy, bounds)]
        copied = [part.select(_COPY_COLUMNS).filter(mask) for part, mask in zip(parts, masks, strict=True)]
        entry.lines_duplicate += int(copies.is_copy.sum())
        entry.lines_ambiguous += int(copies.is_ambiguous.sum())
        table = pa.concat_tables(copied).unify_dictionaries()
        self._staged["duplicate_lines"][day].append(self._run.write("duplicate_lines", day, table))
        return [part.filter(pc.invert(mask)) for part, mask in zip(parts, masks, strict=True)]

    def take_back(self, entry: LedgerEntry, offset: int) -> dict[str, Any] | None:
        """Take a line of a file back out of the tables, of this run's too; return its row."""
        self.commit()
        return take_back(self._run, self._ledger, entry, offset)

    def note_copy(self, entry: LedgerEntry, offset: int, line_hash: int, at: datetime, text: bytes | None) -> None:
        """Count a line of a file as a copy of one that another file has.

        Args:
            entry: the file.
            offset: where the line begins.
            line_hash: of the line that it is a copy of, or a part of.
            at: that line's instant.
            text: what stands in the file, where that is not the whole line or no kept line tells it.
        """
        copy: dict[str, object] = {"source": entry.source, "file_id": entry.file_id, "line_offset": offset}
        copy |= {"line_hash": line_hash, "occurred_at": at, "line": text}
        table = pa.Table.from_pylist([copy], schema=DUPLICATE_LINES.row_schema)
        self._staged["duplicate_lines"][at.date()].append(self._run.write("duplicate_lines", at.date(), table))
        entry.saw(at, at)
        entry.lines_read += 1
        entry.lines_duplicate += 1

    def _wait(self) -> None:
        for table, day, writing in self._writing:
            self._staged[table][day].append(writing.result()[0])
        self._writing.clear()

    def close(self) -> None:
        """Stop the thread that writes."""
        self._pool.shutdown(cancel_futures=True)

    def _day_files(self, table: str, day: date) -> list[Path]:
        self._wait()
        return [*self._run.files(table, day, day).get(day, []), *self._staged[table].get(day, [])]

    def _flush_blank(self) -> None:
        if self._blank:
            path = self._run.write_parts("blank_lines", self.read_day, self._blank)[0]
            self._staged["blank_lines"][self.read_day].append(path)
            self._blank = []

    def _flush_rejected(self) -> None:
        if self._rejected:
            table = pa.Table.from_pylist(self._rejected, schema=REJECTED_LINES.row_schema)
            path = self._run.write("rejected_lines", self.read_day, table)
            self._staged["rejected_lines"][self.read_day].append(path)
            self._rejected, self._rejected_bytes = [], 0

    def commit(self) -> None:
        """Make everything written live in this run's view."""
        self._flush_rejected()
        self._flush_blank()
        self._wait()
        for table, files in self._staged.items():
            if files:
                self._run.append(table, files)
                self.days.update(day for day in files if day is not None and table == "raw_requests")
                files.clear()


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _with_origin(lines: pa.Table, entry: LedgerEntry) -> pa.Table:
    zeros = pa.array(np.zeros(lines.num_rows, dtype=np.int32))
    for name, value in (("file_id", entry.file_id), ("source", entry.source)):
        lines = lines.add_column(0, name, pa.DictionaryArray.from_arrays(zeros, pa.array([value])))
    return lines


def now() -> datetime:
    """The instant at which a run reads; the one place that asks the clock."""
    return datetime.now(UTC)
