"""Bytes to raw rows, once per new byte: where files are, which bytes are new, blocks, both paths, the ledger.

What a request means does not belong here; that is `pipeline.enrich`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from itertools import count

import pyarrow as pa

from pipeline.ingest.day_files import DayWriter, Run, now
from pipeline.ingest.landing import KnownFiles, LandedFile, changed_files, landed_stream, reopened
from pipeline.ingest.ledger import Ledger, LedgerEntry
from pipeline.ingest.reading import FileReader
from pipeline.ingest.seams import mend
from pipeline.ingest.spool import Spool
from pipeline.ingest.stores import Readable, open_place
from pipeline.settings import Settings

Progress = Callable[[str], None]

__all__ = ["IngestReport", "Progress", "ingest", "ingest_stream"]

_COUNTS = ("read", "kept", "rejected", "duplicate", "blank", "erased")


@dataclass
class IngestReport:
    """What an ingestion did.

    Attributes:
        files: entries of the files read, as they are now.
        days: days that got new lines.
        lines: lines read in this run, and where each ended: kept, rejected, duplicate, blank, erased.
        unreadable: paths that could not be opened, with the reason.
    """

    files: list[LedgerEntry] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    unreadable: dict[str, str] = field(default_factory=dict)


def ingest(run: Run, settings: Settings, progress: Progress | None = None, recent_only: bool = False) -> IngestReport:
    """Read what is new in the landing place into `raw_requests`, `rejected_lines`, `duplicate_lines` and the ledger.

    Args:
        run: an open run on the warehouse; nothing is visible to readers before it publishes.
        settings: where logs arrive, zones, formats, threads.
        progress: is told of each file in a sentence.
        recent_only: leave out what `changed_files` may leave out.

    Returns:
        What was read and which days it touched.

    Raises:
        OSError: the landing place cannot be listed.
    """
    place = open_place(settings)
    known = KnownFiles(run.files("landing_files").get(None, []))
    again = reopened(known, run.files("ingested_files").get(None, []), settings)
    changed = changed_files(place, known, again, recent_only)
    report = IngestReport()
    if not changed:
        return report
    contents = place.fetch(file.listed for file in changed)
    with closing(contents):
        rows = _read(
            run, settings, zip(changed, contents, strict=True), known, report, _counted(progress, len(changed))
        )
    if rows:
        path, _ = run.write_parts("landing_files", None, known.with_rows(rows))
        run.replace("landing_files", {None: [path]})
    return report


def ingest_stream(
    run: Run, settings: Settings, source: str, data: Spool, progress: Progress | None = None
) -> IngestReport:
    """Read what is new in a stream, as if it were a file; it is known again by its content and lies nowhere.

    Args:
        run: as for `ingest`.
        settings: as for `ingest`.
        source: whose stream of lines it is.
        data: the stream, spooled: it is read more than once.
        progress: is told of it in a sentence.
    """
    report = IngestReport()
    known = KnownFiles(run.files("landing_files").get(None, []))
    _read(run, settings, [(landed_stream(source, data.size), data)], known, report, _counted(progress, 1))
    return report


def _read(
    run: Run,
    settings: Settings,
    arrived: Iterable[tuple[LandedFile, Readable | OSError]],
    known: KnownFiles,
    report: IngestReport,
    progress: Progress,
) -> list[dict[str, object]]:
    """Read files, bring the ledger up to date, and fill the report.

    Returns:
        Rows of `landing_files` for what was read.
    """
    ledger = Ledger.from_files(run.files("ingested_files").get(None, []))
    read_at = now()
    writer = DayWriter(run, ledger, read_at)
    reader = FileReader(settings, ledger, writer)
    rows: list[dict[str, object]] = []
    try:
        for landed, data in arrived:
            try:
                if isinstance(data, OSError):
                    raise data
                entry, was = reader.read(landed, data)
            except OSError as error:
                report.unreadable[landed.path] = str(error)
                progress(f"{landed.path}: not read: {error}")
                continue
            entry.read_at = read_at
            if not landed.is_stream:
                rows.append({**landed.listed._asdict(), "file_id": entry.file_id})
            report.files.append(entry)
            _add_counts(report, was, entry)
            progress(f"{landed.path}: {_summary(entry)}")
        _forget_outgrown(ledger, known, rows)
        writer.commit()
        mend(run, settings, ledger, report.files, writer)
    finally:
        reader.close()
        writer.close()
        pa.default_memory_pool().release_unused()  # what follows asks for pieces of other sizes
    report.days = sorted(writer.days)
    if report.files:
        run.replace("ingested_files", {None: [run.write("ingested_files", None, ledger.to_table())]})
    return rows


def _counted(progress: Progress | None, files: int) -> Progress:
    """Put in front of each sentence which of how many files it is about."""
    numbers = count(1)
    return lambda text: progress(f"{next(numbers)}/{files} {text}") if progress else None


def _add_counts(report: IngestReport, was: LedgerEntry | None, entry: LedgerEntry) -> None:
    for name in _COUNTS:
        report.lines[name] += getattr(entry, f"lines_{name}") - (getattr(was, f"lines_{name}") if was else 0)


def _summary(entry: LedgerEntry) -> str:
    parts = [f"{entry.format or 'unknown format'}", f"{entry.lines_kept} kept"]
    parts += [f"{entry.lines_rejected} rejected"] if entry.lines_rejected else []
    parts += [f"{entry.lines_duplicate} duplicate"] if entry.lines_duplicate else []
    parts += [f"{entry.lines_erased} of somebody erased"] if entry.lines_erased else []
    parts += [entry.problem] if entry.problem else []
    return ", ".join(parts)


def _forget_outgrown(ledger: Ledger, known: KnownFiles, rows: Sequence[dict[str, object]]) -> None:
    """Drop entries of files of which no line was read and which have since grown into another entry."""
    empty = {entry.file_id for entry in ledger if entry.bytes_read == 0 and entry.lines_read == 0}
    for file_id in known.without(empty, rows):
        ledger.drop(file_id)
