"""Rejected lines read again, after a format or a fix was added: what is kept now leaves the rejects.

A line is tried by its file's own format, as it is now, and then by the one that the rejected lines look like.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.formats import Format, LayoutFormat, W3cFormat, find_format, format_named, pasted_name
from pipeline.ingest.blocks import Offsets
from pipeline.ingest.columns import ParsedLines
from pipeline.ingest.day_files import DayWriter, Run, now
from pipeline.ingest.ledger import Ledger, LedgerEntry
from pipeline.ingest.line_hash import hashed
from pipeline.ingest.parsing import parse_lines
from pipeline.ingest.reading import apply_zone, is_as_read
from pipeline.ingest.seams import mend
from pipeline.ingest.written import rejected_line
from pipeline.settings import Settings

_SAMPLED_LINES = 200
_TABLE = "rejected_lines"


@dataclass
class RetryReport:
    """What became of rejected lines.

    Attributes:
        files: of each file some of whose lines were tried: its entry as it is now, and how many lines left the rejects.
        days: days that got lines.
        lines: how many lines were `tried`, and of these are `kept`, `duplicate`, `blank`, or `rejected` still.
    """

    files: list[tuple[LedgerEntry, int]] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    lines: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("tried", "kept", "duplicate", "blank", "rejected"), 0)
    )


@dataclass(frozen=True)
class _Rejects:
    """Rejected lines of one file in one data file, in their order."""

    day: date
    path: Path
    offsets: Offsets
    lines: list[bytes]


def retry(
    run: Run,
    settings: Settings,
    wanted: Callable[[LedgerEntry], bool] = lambda _: True,
    reason: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> RetryReport:
    """Read rejected lines again.

    Args:
        run: an open run on the warehouse; nothing is visible to readers before it publishes.
        settings: formats and zones, as they are now.
        wanted: which files.
        reason: lines rejected for this only; for any where None.
        progress: is told of each file in a sentence.

    Returns:
        What became of them. The days that got lines are stale, like those of any new line.
    """
    ledger = Ledger.from_files(run.files("ingested_files").get(None, []))
    writer = DayWriter(run, ledger, now())
    report = RetryReport()
    left: dict[tuple[date, Path], list[pc.Expression]] = defaultdict(list)
    try:
        for entry in sorted(ledger, key=lambda entry: (entry.path, entry.file_id)):
            if not entry.lines_rejected or not wanted(entry):
                continue
            for rejects, gone in _retry_file(run, settings, entry, reason, writer, report):
                left[rejects.day, rejects.path].append(_are(entry, gone))
            if progress and report.files and report.files[-1][0] is entry:
                progress(f"{entry.path}: {report.files[-1][1]:,} lines left the rejects")
        _leave_out(run, left)
        writer.commit()
        mend(run, settings, ledger, [entry for entry, gone in report.files if gone], writer)
    finally:
        writer.close()
    report.days = sorted(writer.days)
    if left:
        run.replace("ingested_files", {None: [run.write("ingested_files", None, ledger.to_table())]})
    return report


def _retry_file(
    run: Run, settings: Settings, entry: LedgerEntry, reason: str | None, writer: DayWriter, report: RetryReport
) -> Iterator[tuple[_Rejects, Offsets]]:
    """Try one file's rejected lines; yield, for each data file, the offsets of those that are rejected no more."""
    before = (entry.lines_kept, entry.lines_duplicate, entry.lines_blank)
    tried = gone_in_all = 0
    formats: list[Format] | None = None
    for rejects in _rejects(run, entry, reason):
        tried += len(rejects.lines)
        formats = formats or _formats(entry, settings, rejects.lines)
        gone = _retry_lines(rejects, formats, entry, settings, writer)
        formats = [_after(known, rejects.lines) for known in formats]
        gone_in_all += len(gone)
        if len(gone):
            yield rejects, gone
    writer.flush(entry)
    if not tried:
        return
    entry.lines_rejected -= gone_in_all
    after = (entry.lines_kept, entry.lines_duplicate, entry.lines_blank)
    for name, was, is_now in zip(("kept", "duplicate", "blank"), before, after, strict=True):
        report.lines[name] += is_now - was
    report.lines["tried"] += tried
    report.lines["rejected"] += tried - gone_in_all
    report.files.append((entry, gone_in_all))


def _formats(entry: LedgerEntry, settings: Settings, lines: Sequence[bytes]) -> list[Format]:
    """The formats to try: the file's own as it is now, and the one that its rejected lines are of."""
    own = format_named(entry.format, entry.source, settings, entry.format_state)
    if isinstance(own, W3cFormat):
        own = W3cFormat()  # what held where the line stood is not known, but for headers among the rejected lines
    spaced = np.unique(np.linspace(0, len(lines) - 1, min(len(lines), _SAMPLED_LINES)).astype(int)).tolist()
    sample = [lines[number][:65536].decode("utf-8", "backslashreplace") for number in spaced]
    found = find_format(sample, settings, entry.source)
    if found is not None and entry.format is None:
        entry.format = found.name
        if isinstance(found, LayoutFormat) and found.name == pasted_name(entry.source):
            entry.format_state = found.layout
    return [known for known in (own, found if found != own else None) if known is not None]


def _retry_lines(
    rejects: _Rejects, formats: Sequence[Format], entry: LedgerEntry, settings: Settings, writer: DayWriter
) -> Offsets:
    """Hand on the lines that one of the formats reads, or knows as comments; return their offsets."""
    lines, offsets = rejects.lines, rejects.offsets
    gone: list[Offsets] = [np.zeros(0, dtype=np.int64)]
    for known in formats:
        parsed = parse_lines(lines, offsets, known, known.name == entry.format and is_as_read(entry, known))
        parsed.kept = hashed(apply_zone(parsed.kept, settings.source(entry.source).time_zone))
        writer.skip(entry, parsed.blank)
        writer.add(entry, parsed.kept)
        gone += [parsed.kept["line_offset"].to_numpy(), parsed.blank["line_offset"].to_numpy()]
        _note_first_line(entry, parsed)
        still = {line.offset for line in parsed.rejected}
        lines = [line for line, offset in zip(lines, offsets.tolist(), strict=True) if offset in still]
        offsets = np.array(sorted(still), dtype=np.int64)
        if not lines:
            break
    return np.concatenate(gone)


def _note_first_line(entry: LedgerEntry, parsed: ParsedLines) -> None:
    if parsed.kept.num_rows and parsed.kept["line_offset"][0].as_py() == 0:
        entry.first_text = b""
        entry.first_line, entry.first_line_date = "kept", parsed.kept["occurred_at"][0].as_py().date()
    elif parsed.blank.num_rows and parsed.blank["line_offset"][0].as_py() == 0:
        entry.first_text = b""
        entry.first_line, entry.first_line_date = "blank", None


def _after(known: Format, lines: Sequence[bytes]) -> Format:
    return known.after_block(b"\n".join(lines)) if isinstance(known, W3cFormat) else known


def _rejects(run: Run, entry: LedgerEntry, reason: str | None) -> Iterator[_Rejects]:
    """A file's rejected lines that are there whole, data file by data file, in the order of the lines."""
    wanted = (pc.field("file_id") == entry.file_id) & (pc.field("line_offset") < entry.bytes_read)
    if reason is not None:
        wanted &= pc.field("reason") == reason
    found = []
    for day, paths in run.files(_TABLE).items():
        assert day is not None
        for path in paths:
            first = pc.min(
                pq.read_table(path, columns=["line_offset"], filters=wanted, partitioning=None)["line_offset"]
            )
            if first.is_valid:
                found.append((first.as_py(), day, path))
    for _, day, path in sorted(found):
        rows = pq.read_table(path, filters=wanted, partitioning=None).sort_by("line_offset").to_pylist()
        texts = [(row["line_offset"], rejected_line(row), row["text_bytes"]) for row in rows]
        whole = [(offset, text) for offset, text, length in texts if len(text) == length]
        if whole:
            offsets = np.array([offset for offset, _ in whole], dtype=np.int64)
            yield _Rejects(day, path, offsets, [text for _, text in whole])


def _are(entry: LedgerEntry, offsets: Offsets) -> pc.Expression:
    return (pc.field("file_id") == entry.file_id) & pc.field("line_offset").isin(pa.array(offsets))


def _leave_out(run: Run, gone: dict[tuple[date, Path], list[pc.Expression]]) -> None:
    """Write the data files anew without the lines that left them."""
    for day in sorted({day for day, _ in gone}):
        staying = []
        for path in run.files(_TABLE, day, day)[day]:
            if (day, path) not in gone:
                staying.append(path)
                continue
            rows = pq.read_table(path, partitioning=None)
            for lines in gone[day, path]:
                rows = rows.filter(~lines)
            if rows.num_rows:
                staying.append(run.write(_TABLE, day, rows))
        run.replace(_TABLE, {day: staying})
