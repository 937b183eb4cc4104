"""Files that were cut in the middle of a line: the cut line is put together again, whichever part came first.

Three things can be known about a file's first line once its source's other files are known:

- it ends the unfinished last line of another file: the two texts together are a line, and only together;
- it is nothing but the newline that another file's last line lacks;
- it is the end of a line that another file has whole, for the lines after it are copies of that file's, or for that
  line, written again, ends so: a copy too.

Both are found after all files of a run were read, so that the order of delivery does not matter. Copies of whole lines
do not belong here; that is `duplicates`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.formats import Format, LayoutFormat, Rejected, format_as_read
from pipeline.ingest.columns import rows_table
from pipeline.ingest.day_files import DayWriter, Run
from pipeline.ingest.exact_path import read_line
from pipeline.ingest.ledger import Ledger, LedgerEntry
from pipeline.ingest.reading import single_line
from pipeline.ingest.written import rejected_line, written_line
from pipeline.schemas import DUPLICATE_LINES
from pipeline.settings import Settings

_NEAR = timedelta(hours=1)
_FIRST_FIELDS = ("host", "ip")


@dataclass(frozen=True)
class _Head:
    """A file's first line as it was taken: its table, day and row."""

    entry: LedgerEntry
    table: str
    day: date
    row: dict[str, Any]


def mend(run: Run, settings: Settings, ledger: Ledger, changed: Iterable[LedgerEntry], writer: DayWriter) -> None:
    """Look again at the first lines of files whose source got new lines, and put right those that are parts of lines.

    Args:
        run: the run, with the new lines live in its view.
        settings: the formats' settings.
        ledger: all files; counts of mended files are put right.
        changed: entries of the files read in this run.
        writer: takes lines that were put together; the caller commits it again.
    """
    changed_ids = {entry.file_id for entry in changed}
    sources = {entry.source for entry in changed}
    for source in sorted(sources):
        files = sorted(ledger.of_source(source), key=lambda entry: entry.file_id)
        tails = [entry for entry in files if entry.waiting_text]
        zone = settings.source(source).time_zone
        for entry in files:
            others = [other for other in files if other.file_id != entry.file_id]
            if entry.file_id not in changed_ids:
                others = [other for other in others if other.file_id in changed_ids]
            if not others or entry.continues_file_id:
                continue
            near_tails = [other for other in tails if other in others]
            name, is_alone = entry.format, entry.lines_read == 1
            if name is None and is_alone:  # half a line is of no format; it may be of the other half's
                name = next((other.format for other in (*near_tails, *others) if other.format), None)
            known = format_as_read(name, source, settings, entry.format_state)
            if entry.first_line == "blank" and known is not None:
                _end_line(run, entry, near_tails, known, writer, zone)
            if entry.first_line not in ("kept", "rejected"):
                continue
            overlapping = [
                other for other in others if (is_alone and entry.first_at is None) or _share_instants(entry, other)
            ]
            if known is None or not (near_tails or overlapping):
                continue
            head = _find_head(run, entry)
            if head is None or _join(run, head, near_tails, known, writer, zone):
                continue
            _recognise_fragment(run, head, overlapping, known)


def _share_instants(entry: LedgerEntry, other: LedgerEntry) -> bool:
    return entry.first_at is not None and entry.last_at is not None and other.overlaps(entry.first_at, entry.last_at)


def _find_head(run: Run, entry: LedgerEntry) -> _Head | None:
    table = "raw_requests" if entry.first_line == "kept" else "rejected_lines"
    day = entry.first_line_date
    if day is None:
        return None
    rows = _rows(run.files(table, day, day).get(day, []), _is_first_line(entry))
    return _Head(entry, table, day, rows[0]) if rows else None


def _is_first_line(entry: LedgerEntry) -> pc.Expression:
    return (pc.field("file_id") == entry.file_id) & (pc.field("line_offset") == 0)


def _rows(paths: Sequence[Path], wanted: pc.Expression) -> list[dict[str, Any]]:
    return [row for path in paths for row in pq.read_table(path, filters=wanted, partitioning=None).to_pylist()]


def _join(
    run: Run, head: _Head, tails: Sequence[LedgerEntry], known: Format, writer: DayWriter, time_zone: str
) -> bool:
    """Put a first line together with the unfinished last line it ends, if there is one."""
    for tail in tails:
        row = _joined_row(head, tail, known)
        if row is None:
            continue
        _withdraw(run, head, known)
        entry = head.entry
        entry.lines_read += 1
        entry.continues_file_id = tail.file_id
        entry.format = known.name
        entry.first_line, entry.first_line_date = "kept", None
        writer.add(entry, single_line(row, 0, time_zone))
        writer.flush(entry)
        return True
    return False


def _end_line(
    run: Run, entry: LedgerEntry, tails: Sequence[LedgerEntry], known: Format, writer: DayWriter, time_zone: str
) -> None:
    """Take a first line that is nothing but a newline as the end of a last line that only lacked its newline."""
    for tail in tails:
        try:
            row = read_line(tail.waiting_text.removesuffix(b"\r"), known)
        except Rejected:
            continue
        line = single_line(row, 0, time_zone)
        at = line["occurred_at"][0].as_py()
        if entry.first_at is not None and not at - timedelta(minutes=1) <= entry.first_at <= at + _NEAR:
            continue
        _take_out(run, "blank_lines", None, entry)
        entry.lines_blank -= 1
        entry.first_line_bytes = 0
        entry.continues_file_id = tail.file_id
        entry.first_line, entry.first_line_date = "kept", None
        writer.add(entry, line)
        writer.flush(entry)
        return


def _joined_row(head: _Head, tail: LedgerEntry, known: Format) -> dict[str, Any] | None:
    if head.table == "rejected_lines":
        try:
            row = read_line(tail.waiting_text + rejected_line(head.row), known)
        except Rejected:
            return None
        return row
    first = _first_field(known)
    start = tail.waiting_text.decode("utf-8", "backslashreplace")
    if first is None or " " in start or not _is_address(f"{start}{head.row[first]}", first):
        return None
    at: datetime = head.row["occurred_at"]
    if tail.last_at is not None and not tail.last_at - timedelta(minutes=1) <= at <= tail.last_at + _NEAR:
        return None
    names = [name for name in rows_table([]).schema.names if head.row.get(name) is not None]
    row = {**{name: head.row[name] for name in names}, first: f"{start}{head.row[first]}"}
    end = written_line(head.row, known)
    return row | ({} if end is None else {"line": tail.waiting_text + end})


def _first_field(known: Format) -> str | None:
    """The column that a line of a text format begins with; lines of JSON cannot be cut and remain lines."""
    return known.names[0] if isinstance(known, LayoutFormat) and known.names[0] in _FIRST_FIELDS else None


def _is_address(text: str, field: str) -> bool:
    if field != "ip":
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _recognise_fragment(run: Run, head: _Head, others: Sequence[LedgerEntry], known: Format) -> None:
    """Make a first line a duplicate where it is the end of a line that another file has whole."""
    second = _second_line(run, head.entry)
    for other in others:
        if second is not None:
            at, line_hash = second
            offsets = _offsets_of(run, other.file_id, at.date(), line_hash)
            candidates = ((_line_before(run, other, offset, at.date()), offset) for offset in offsets)
        elif head.entry.lines_read > 1:
            return
        else:
            candidates = ((row, other.bytes_read) for row in _lines_at(run, other, head))
        for whole, next_offset in candidates:
            if whole is not None and _ends_alike(head, whole, next_offset, known):
                _note_as_copy(run, head, whole, known)
                return


def _note_as_copy(run: Run, head: _Head, whole: dict[str, Any], known: Format) -> None:
    entry = head.entry
    _withdraw(run, head, known)
    entry.lines_read += 1
    entry.lines_duplicate += 1
    entry.first_line, entry.first_line_date = "duplicate", None
    day = whole["occurred_at"].date()
    copy = {"source": entry.source, "file_id": entry.file_id, "line_offset": 0}
    copy |= {name: whole[name] for name in ("line_hash", "occurred_at", "line_prefix", "line")}
    path = run.write("duplicate_lines", day, pa.Table.from_pylist([copy], schema=DUPLICATE_LINES.row_schema))
    run.append("duplicate_lines", {day: [path]})


def _lines_at(run: Run, other: LedgerEntry, head: _Head) -> list[dict[str, Any]]:
    """The lines of a file that a first line may be the end of, where that is the only line of its own file.

    They are those of its instant; where it tells none, those of the file's last.
    """
    at = head.row.get("occurred_at") or other.last_at
    if at is None:
        return []
    wanted = (pc.field("file_id") == other.file_id) & (pc.field("occurred_at") == pa.scalar(at))
    return _rows(run.files("raw_requests", at.date(), at.date()).get(at.date(), []), wanted)


_SEEN = ("raw_requests", "duplicate_lines")
_SEEN_COLUMNS = ["line_offset", "line_hash", "occurred_at"]


def _second_line(run: Run, entry: LedgerEntry) -> tuple[datetime, int] | None:
    """Instant and hash of a file's second line, where that was kept or a duplicate."""
    if entry.first_at is None or entry.last_at is None:
        return None
    wanted = (pc.field("file_id") == entry.file_id) & (pc.field("line_offset") > 0)
    best: tuple[int, datetime, int] | None = None
    for table in _SEEN:
        for paths in run.files(table, entry.first_at.date(), entry.last_at.date()).values():
            for path in paths:
                lines = pq.read_table(path, columns=_SEEN_COLUMNS, filters=wanted, partitioning=None)
                if lines.num_rows:
                    row = lines.take(pc.sort_indices(lines["line_offset"])[:1]).to_pylist()[0]
                    found = (row["line_offset"], row["occurred_at"], row["line_hash"])
                    best = found if best is None else min(best, found)
    return (best[1], best[2]) if best else None


def _offsets_of(run: Run, file_id: str, day: date, line_hash: int) -> list[int]:
    wanted = (pc.field("file_id") == file_id) & (pc.field("line_hash") == line_hash)
    return sorted(
        offset
        for table in _SEEN
        for path in run.files(table, day, day).get(day, [])
        for offset in pq.read_table(path, columns=["line_offset"], filters=wanted, partitioning=None)[
            "line_offset"
        ].to_pylist()
    )


def _line_before(run: Run, other: LedgerEntry, offset: int, day: date) -> dict[str, Any] | None:
    """The row of a file's line before an offset; `text_bytes` tells how long its line can be at most."""
    best: dict[str, Any] | None = None
    wanted = (pc.field("file_id") == other.file_id) & (pc.field("line_offset") < offset)
    for table in _SEEN:
        for paths in run.files(table, day - timedelta(days=1), day + timedelta(days=1)).values():
            for path in paths:
                lines = pq.read_table(path, filters=wanted, partitioning=None)
                if lines.num_rows:
                    row = lines.take(pc.sort_indices(lines["line_offset"])[-1:]).to_pylist()[0]
                    best = row if best is None or row["line_offset"] > best["line_offset"] else best
    return best


def _ends_alike(head: _Head, whole: dict[str, Any], next_offset: int, known: Format) -> bool:
    """Whether a first line can be the end of a whole one; where both parse, all but the first field must be equal."""
    if head.table == "rejected_lines":
        part = rejected_line(head.row)
        written = written_line(whole, known) if "ip" in whole else whole["line"]
        if written is not None:
            return len(written) > len(part) and written.endswith(part)
        return head.entry.lines_read > 1 and int(head.row["text_bytes"]) < next_offset - int(whole["line_offset"]) - 1
    first = _first_field(known)
    if first is None or "ip" not in whole:
        return False
    same = all(
        whole.get(name) == value
        for name, value in head.row.items()
        if name not in (first, "file_id", "line_offset", "line_hash", "line_prefix", "line")
    )
    full, end = str(whole.get(first)), str(head.row[first])
    return same and full != end and full.endswith(end)


def _withdraw(run: Run, head: _Head, known: Format) -> None:
    """Take a first line back out of its table and its file's counts, and note how much of it stands in its file."""
    part = rejected_line(head.row) if head.table == "rejected_lines" else written_line(head.row, known)
    head.entry.first_line_bytes = None if part is None else len(part)
    _take_out(run, head.table, head.day, head.entry)
    head.entry.lines_read -= 1
    if head.table == "raw_requests":
        head.entry.lines_kept -= 1
    else:
        head.entry.lines_rejected -= 1


def _take_out(run: Run, table: str, day: date | None, entry: LedgerEntry) -> None:
    """Take a file's first line out of a table; its day is looked for where it is None."""
    for of_day, paths in run.files(table, day, day).items():
        left: list[Path] = []
        for path in paths:
            if not _rows([path], _is_first_line(entry)):
                left.append(path)
                continue
            rest = pq.read_table(path, filters=~_is_first_line(entry), partitioning=None)
            if rest.num_rows:
                left.append(run.write(table, of_day, rest))
        if left != paths:
            run.replace(table, {of_day: left})
