"""A file's line taken back out of the raw tables, because more is known now of what it is.

When that is so does not belong here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipeline.ingest.file_lines import DayFiles, Files, read_rows
from pipeline.ingest.ledger import Ledger, LedgerEntry
from pipeline.schemas.raw import RAW_REQUESTS

_OWN = ["file_id", "line_offset", "line_prefix", "line"]
COUNTS = {"raw_requests": "lines_kept", "duplicate_lines": "lines_duplicate", "rejected_lines": "lines_rejected"}


class Tables(Files, Protocol):
    """What taking back needs of a run."""

    def write(self, table: str, day: date | None, data: pa.Table) -> Path:
        """Write a file that is not live yet."""

    def replace(self, table: str, files: Mapping[date | None, list[Path]]) -> None:
        """Make files live in place of those of their days."""


def take_back(run: Tables, ledger: Ledger, entry: LedgerEntry, offset: int) -> dict[str, Any] | None:
    """Take a line of a file out of the table that holds it, and out of the file's counts.

    A kept line that other files have too, as copies, becomes one of theirs.

    Returns:
        Its row, None where no table holds it.
    """
    for table in COUNTS:
        days = (None, None) if table == "rejected_lines" else (entry.first_at, entry.last_at)
        first, last = (at.date() if at else None for at in days)
        row = _take_out(run, table, run.files(table, first, last), entry, offset)
        if row is not None:
            entry.lines_read -= 1
            if table == "raw_requests":
                _hand_over(run, ledger, row)
            return row
    return None


def _take_out(run: Tables, table: str, live: DayFiles, entry: LedgerEntry, offset: int) -> dict[str, Any] | None:
    is_it = (pc.field("file_id") == entry.file_id) & (pc.field("line_offset") == offset)
    paths = [str(path) for of_day in live.values() for path in of_day]
    found = ds.dataset(paths, format="parquet").to_table(["__filename"], is_it) if paths else None
    if found is None or not found.num_rows:
        return None
    path = Path(found["__filename"][0].as_py())
    day = next(day for day, of_day in live.items() if path in of_day)
    row: dict[str, Any] = pq.read_table(path, filters=is_it, partitioning=None).to_pylist()[0]
    rest = pq.read_table(path, filters=~is_it, partitioning=None)
    left = [run.write(table, day, rest)] if rest.num_rows else []
    run.replace(table, {day: [*left, *(other for other in live[day] if other != path)]})
    setattr(entry, COUNTS[table], getattr(entry, COUNTS[table]) - 1)
    return row


def _hand_over(run: Tables, ledger: Ledger, row: dict[str, Any]) -> None:
    """Let another file's copy be the kept line, where no longer as many are kept as one file has."""
    day = row["occurred_at"].date()
    equal = (pc.field("source") == row["source"]) & (pc.field("line_hash") == row["line_hash"])
    live = {table: run.files(table, day, day) for table in ("raw_requests", "duplicate_lines")}
    kept, copies = (read_rows(files.get(day, []), equal, _OWN).to_pylist() for files in live.values())
    true_number = max(Counter(line["file_id"] for line in [*kept, *copies]).values(), default=0)
    if len(kept) >= true_number:
        return
    heir = min(copies, key=lambda line: (line["file_id"], line["line_offset"]))
    entry = ledger.get(heir["file_id"])
    assert entry is not None
    _take_out(run, "duplicate_lines", live["duplicate_lines"], entry, heir["line_offset"])
    schema = pa.schema([RAW_REQUESTS.file_schema.field(field.name) for field in RAW_REQUESTS.row_schema])
    path = run.write("raw_requests", day, pa.Table.from_pylist([row | heir], schema=schema))
    run.replace("raw_requests", {day: [*live["raw_requests"].get(day, []), path]})
    entry.lines_kept += 1
