"""Bytes to raw rows, once per new byte: where files are, which bytes are new, blocks, both paths, the ledger.

What a request means does not belong here; that is `pipeline.enrich`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ingest.day_files import DayWriter, Run, now
from pipeline.ingest.landing import LandedFile, changed_files
from pipeline.ingest.ledger import Ledger, LedgerEntry
from pipeline.ingest.reading import FileReader
from pipeline.ingest.seams import mend
from pipeline.schemas import LANDING_FILES
from pipeline.settings import Settings

Progress = Callable[[str], None]

__all__ = ["IngestReport", "Progress", "ingest", "known_versions"]

_COUNTS = ("read", "kept", "rejected", "duplicate", "blank")


@dataclass
class IngestReport:
    """What an ingestion did.

    Attributes:
        files: entries of the files read, as they are now.
        days: days that got new lines.
        lines: lines read in this run, and where each ended: kept, rejected, duplicate, blank.
        unreadable: paths that could not be opened, with the reason.
    """

    files: list[LedgerEntry] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    unreadable: dict[str, str] = field(default_factory=dict)


def ingest(run: Run, settings: Settings, progress: Progress | None = None) -> IngestReport:
    """Read what is new in the landing folder into `raw_requests`, `rejected_lines`, `duplicate_lines` and the ledger.

    Args:
        run: an open run on the warehouse; nothing is visible to readers before it publishes.
        settings: where logs arrive, zones, formats, threads.
        progress: is told of each file in a sentence.

    Returns:
        What was read and which days it touched.

    Raises:
        FileNotFoundError: the landing folder does not exist.
    """
    ledger = Ledger.from_table(_table(run, "ingested_files"))
    seen = {row["path"]: row for row in _table(run, "landing_files").to_pylist()}
    changed = changed_files(settings, {path: (row["size"], row["modified_ns"]) for path, row in seen.items()})
    report = IngestReport()
    if not changed:
        return report
    read_at = now()
    writer = DayWriter(run, ledger, read_at)
    reader = FileReader(settings, ledger, writer)
    try:
        for number, landed in enumerate(changed, 1):
            try:
                entry, was = reader.read(landed)
            except OSError as error:
                report.unreadable[landed.path] = str(error)
                continue
            entry.read_at = read_at
            seen[landed.path] = _landing_row(landed, entry)
            report.files.append(entry)
            _add_counts(report, was, entry)
            if progress:
                progress(f"{number}/{len(changed)} {landed.path}: {_summary(entry)}")
        _forget_outgrown(ledger, {row["file_id"] for row in seen.values()})
        writer.commit()
        mend(run, settings, ledger, report.files, writer)
    finally:
        reader.close()
        writer.close()
    report.days = sorted(writer.days)
    run.replace("ingested_files", {None: [run.write("ingested_files", None, ledger.to_table())]})
    landing = pa.Table.from_pylist([seen[path] for path in sorted(seen)], schema=LANDING_FILES.schema)
    run.replace("landing_files", {None: [run.write("landing_files", None, landing)]})
    return report


def known_versions(landing_files: pa.Table) -> dict[str, tuple[int, int]]:
    """Size and modification time by path, from the rows of `landing_files`."""
    return {row["path"]: (row["size"], row["modified_ns"]) for row in landing_files.to_pylist()}


def _table(run: Run, name: str) -> pa.Table:
    paths = run.files(name).get(None, [])
    tables = [pq.read_table(path, partitioning=None) for path in paths]
    return pa.concat_tables(tables) if tables else pa.table({})


def _landing_row(landed: LandedFile, entry: LedgerEntry) -> dict[str, object]:
    return {
        "path": landed.path,
        "file_id": entry.file_id,
        "size": landed.size,
        "modified_ns": landed.modified_ns,
    }


def _add_counts(report: IngestReport, was: LedgerEntry | None, entry: LedgerEntry) -> None:
    for name in _COUNTS:
        report.lines[name] += getattr(entry, f"lines_{name}") - (getattr(was, f"lines_{name}") if was else 0)


def _summary(entry: LedgerEntry) -> str:
    parts = [f"{entry.format or 'unknown format'}", f"{entry.lines_kept} kept"]
    parts += [f"{entry.lines_rejected} rejected"] if entry.lines_rejected else []
    parts += [f"{entry.lines_duplicate} duplicate"] if entry.lines_duplicate else []
    parts += [entry.problem] if entry.problem else []
    return ", ".join(parts)


def _forget_outgrown(ledger: Ledger, in_landing: set[str]) -> None:
    """Drop entries of files of which no line was read and which have since grown into another entry."""
    for entry in list(ledger):
        if entry.bytes_read == 0 and entry.file_id not in in_landing:
            ledger.drop(entry.file_id)
