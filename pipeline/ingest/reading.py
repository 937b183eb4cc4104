"""One file: known again or new, its format found, its new lines parsed block by block and handed on.

Which files there are, and where lines end up, does not belong here.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats import Format, LayoutFormat, Rejected, W3cFormat, find_format, format_named, pasted_name
from pipeline.formats.fields import UNCLOSED
from pipeline.ingest.blocks import Block, Overlong, Tail, cut_blocks
from pipeline.ingest.columns import ParsedLines, RejectedLine, blank_line, line_table, rows_table
from pipeline.ingest.day_files import DayWriter
from pipeline.ingest.exact_path import read_line
from pipeline.ingest.landing import LandedFile
from pipeline.ingest.ledger import ERASED, HEAD_BYTES, Ledger, LedgerEntry, content_hash, new_file_id
from pipeline.ingest.limits import limit_of
from pipeline.ingest.line_hash import hashed
from pipeline.ingest.masking import Masks
from pipeline.ingest.parsing import parse_block, with_whole_lines
from pipeline.ingest.pieces import Damaged, HashedPieces, find_compression, read_pieces
from pipeline.ingest.stores import Readable
from pipeline.settings import Settings

_SAMPLED_LINES = 200
_FIRST_LINES = 20  # a W3C log says there what its fields are
_BINARY_SHARE = 0.05
_UNREADABLE = ("no_match", "bad_json")


class FileReader:
    """Reads files, one after the other, with the settings' threads for their blocks."""

    def __init__(self, settings: Settings, ledger: Ledger, writer: DayWriter) -> None:
        self._settings = settings
        self._ledger = ledger
        self._writer = writer
        self._masks = Masks(settings.mask)
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="parse")

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(cancel_futures=True)

    def read(self, landed: LandedFile, path: Readable) -> tuple[LedgerEntry, LedgerEntry | None]:
        """Read what is new in a file, hand its lines to the writer, and enter it in the ledger.

        Args:
            landed: which file.
            path: its bytes.

        Returns:
            The file's entry as it is now, and as it was where the file was known.

        Raises:
            OSError: the file cannot be opened or vanished.
        """
        compression = find_compression(path)
        head = _first_bytes(path, compression, HEAD_BYTES)
        entry, hasher = self._recognise(path, landed, compression, head)
        if not (landed.is_stream and entry.file_id):  # a file stays where it was seen, though it came as a stream too
            entry.path, entry.compression = landed.path, compression
        before = replace(entry)
        if entry.last_line is not None:  # it is read again, by itself or with more
            if entry.last_line == ERASED:
                entry.lines_read, entry.lines_erased = entry.lines_read - 1, entry.lines_erased - 1
            else:
                self._writer.take_back(entry, entry.bytes_read)
            entry.values_masked -= self._masks.count(entry.waiting_text)
            entry.last_line = None
        limit = limit_of(landed.size, self._settings)
        unread = read_pieces(path, compression, entry.bytes_read, limit=limit)
        pieces = HashedPieces(unread, hasher, entry.bytes_read)
        tail = self._read_items(entry, cut_blocks(pieces, entry.bytes_read))
        if entry.problem is None:
            is_finished = landed.is_rotated or compression != "none"
            if tail.offset == before.bytes_read and len(tail.text) < len(before.waiting_text):  # a shorter copy
                tail, is_finished = replace(tail, text=before.waiting_text), before.last_line is not None
            self._finish(entry, tail, pieces, is_finished)
        if not entry.head_bytes:
            entry.head_bytes = min(len(head), entry.bytes_read)
            entry.head_hash = content_hash(head[: entry.head_bytes])
        was = self._ledger.get(entry.file_id)
        self._ledger.put(entry)
        return entry, was

    def _recognise(
        self, path: Readable, landed: LandedFile, compression: str, head: bytes
    ) -> tuple[LedgerEntry, hashlib._Hash]:
        """Find the entry that this file continues, with the hash of what was read of it; else begin a new one."""
        candidates = self._ledger.candidates(landed.source, head)
        lengths = sorted({entry.bytes_read for entry in candidates})
        states = dict(zip(lengths, _hashes_at(path, compression, lengths), strict=False)) if lengths else {}
        for known in candidates:
            state = states.get(known.bytes_read)
            is_same = state is not None and state.hexdigest() == known.content_hash
            if state is not None and is_same and self._goes_on_as(known, path, compression):
                return replace(known, problem=None), state
        return LedgerEntry("", landed.source, landed.path), hashlib.sha256()

    def _goes_on_as(self, known: LedgerEntry, path: Readable, compression: str) -> bool:
        """Whether what follows the lines read is the unfinished last line, or a part of it: else it is another file."""
        if not known.waiting_text:
            return True
        follows = _first_bytes(path, compression, len(known.waiting_text), known.bytes_read)
        return known.waiting_text.startswith(self._masks.apply(follows)[0])

    def _read_items(self, entry: LedgerEntry, items: Iterator[Block | Overlong | Tail]) -> Tail:
        """Parse blocks in the pool, at most one more than there are threads at a time, and take them in order."""
        pending: deque[Future[ParsedLines]] = deque()
        known: Format | None = None
        for item, masked in self._masks.of_items(items):
            entry.values_masked += masked
            if isinstance(item, Tail):
                self._name(entry, item.text)
                while pending:
                    self._take(entry, pending.popleft().result())
                entry.bytes_read = item.offset
                return item
            if isinstance(item, Overlong):
                self._name(entry, item.head)
                pending.append(self._pool.submit(_overlong, item))
                continue
            is_new = self._name(entry, item.data)
            known = known or self._format(entry, item)
            if is_new and known is None and _is_binary(item.data):
                entry.problem, entry.state = "binary: not a log, no line was read", "damaged"
                return Tail(0, b"")
            pending.append(self._pool.submit(self._parse, item, known, entry.source, is_as_read(entry, known)))
            if isinstance(known, W3cFormat):
                known = known.after_block(item.data)
                entry.format_state = known.state
            while len(pending) > self._settings.threads:
                self._take(entry, pending.popleft().result())
        raise AssertionError("cut_blocks ends with a Tail")

    def _name(self, entry: LedgerEntry, data: bytes) -> bool:
        """Name a new file by its first bytes, before its lines are handed on; tell whether it was new.

        A file may begin as a longer one does that is known already: then the name is counted on.
        """
        if entry.file_id:
            return False
        seen = content_hash(data)
        number, name = 0, seen
        while True:
            entry.file_id = new_file_id(entry.source, name)
            other = self._ledger.get(entry.file_id)
            if other is None or other.bytes_read == 0:
                return True
            number += 1
            name = f"{seen} {number}"

    def _format(self, entry: LedgerEntry, block: Block) -> Format | None:
        if entry.format is not None:
            return format_named(entry.format, entry.source, self._settings, entry.format_state)
        spaced = np.linspace(0, len(block) - 1, min(len(block), _SAMPLED_LINES)).astype(int)
        numbers = np.unique(np.append(spaced, np.arange(min(len(block), _FIRST_LINES))))
        sample = [block.line(number)[:65536].decode("utf-8", "backslashreplace") for number in numbers.tolist()]
        return self._found(entry, sample)

    def _found(self, entry: LedgerEntry, sample: Sequence[str]) -> Format | None:
        """Find a file's format, and note it."""
        found = find_format(sample, self._settings, entry.source)
        entry.format = found.name if found else None
        if isinstance(found, LayoutFormat) and found.name == pasted_name(entry.source):
            entry.format_state = found.layout
        return found

    def _parse(self, block: Block, known: Format | None, source: str, is_as_read: bool) -> ParsedLines:
        parsed = parse_block(block, known)
        if known is not None and known.is_text and not is_as_read:
            parsed.kept = with_whole_lines(parsed.kept, block)
        parsed.kept = hashed(apply_zone(parsed.kept, self._settings.source(source).time_zone))
        return parsed

    def _take(self, entry: LedgerEntry, parsed: ParsedLines) -> None:
        if not entry.lines_read:
            entry.first_line, entry.first_line_date = _first_line(parsed, self._writer.read_day)
            entry.first_text = parsed.rejected[0].text if entry.first_line == "rejected" else b""
        entry.lines_read += parsed.kept.num_rows + len(parsed.rejected) + parsed.blank.num_rows
        self._writer.reject(entry, parsed.rejected)
        self._writer.skip(entry, parsed.blank)
        self._writer.add(entry, parsed.kept)

    def _finish(self, entry: LedgerEntry, tail: Tail, pieces: HashedPieces, is_finished: bool) -> None:
        """Deal with what follows the last newline, and bring the entry up to date."""
        if tail.length and is_finished and tail.problem is None:
            zone = self._settings.source(entry.source).time_zone
            known = self._format_of_last(entry, tail.text)
            last = _last_line(tail, known, zone, is_as_read(entry, known))
            erased_before = entry.lines_erased
            self._take(entry, last)
            entry.values_masked += self._masks.count(tail.text)
            if last.rejected and tail.offset and not tail.unheld:
                # What completes it may be in another file, or still come in this one.
                entry.last_line = "rejected" if entry.lines_erased == erased_before else ERASED
            else:
                tail = Tail(tail.offset + tail.length, b"")
                entry.bytes_read = tail.offset
        self._writer.flush(entry)
        entry.waiting_text, entry.bytes_waiting = (b"" if tail.unheld else tail.text), tail.length
        entry.content_hash = pieces.hash_until(entry.bytes_read)
        entry.problem = tail.problem or ("empty" if not entry.bytes_read and not tail.length else None)
        is_growing = bool(tail.length) and entry.last_line is None
        entry.state = "damaged" if tail.problem else ("growing" if is_growing else "complete")

    def _format_of_last(self, entry: LedgerEntry, text: bytes) -> Format | None:
        """The file's format; where the last line is all there is, the one found by it."""
        if entry.format is None and not entry.lines_read:
            self._found(entry, [text.decode("utf-8", "backslashreplace")])
        return format_named(entry.format, entry.source, self._settings, entry.format_state)


def _first_line(parsed: ParsedLines, read_day: date) -> tuple[str, date | None]:
    """Tell what a file's first line became, and on which day it is kept: it may be looked at again later."""
    kept = parsed.kept["line_offset"][0].as_py() if parsed.kept.num_rows else None
    rejected = parsed.rejected[0].offset if parsed.rejected else None
    if kept is not None and (rejected is None or kept < rejected):
        return ("kept", parsed.kept["occurred_at"][0].as_py().date()) if kept == 0 else ("blank", None)
    return ("rejected", read_day) if rejected == 0 else ("blank", None)


def _overlong(item: Overlong) -> ParsedLines:
    line = RejectedLine(item.offset, "line_too_long", item.head, item.length)
    return ParsedLines(line_table({}, 0), [line])


def is_as_read(entry: LedgerEntry, known: Format | None) -> bool:
    """Whether a format is that by which the file was first read: a pasted one may have changed in the settings."""
    return isinstance(known, W3cFormat) or entry.format_state in (None, getattr(known, "layout", None))


def _last_line(last: Tail, known: Format | None, time_zone: str, is_as_read: bool) -> ParsedLines:
    """Read the last line of a finished file that does not end with a newline."""
    if last.unheld:
        return _overlong(Overlong(last.offset, last.text, last.length))
    text, offset = last.text, last.offset
    if not text.strip(b"\r"):
        return ParsedLines(line_table({}, 0), blank=blank_line(offset, text or None))
    try:
        row = read_line(text, known)
        if UNCLOSED in str(row.get("extra", "")):
            raise Rejected("truncated")
    except Rejected as why:
        reason = "truncated" if why.reason in _UNREADABLE else why.reason
        return ParsedLines(line_table({}, 0), [RejectedLine(offset, reason, text, len(text))])
    return ParsedLines(single_line(row if is_as_read else {**row, "line": text}, offset, time_zone))


def single_line(row: Mapping[str, object], offset: int, time_zone: str) -> pa.Table:
    """Make a line that was read by itself into a table as `DayWriter.add` takes it.

    Args:
        row: what the format made of it.
        offset: where it begins in its file.
        time_zone: of its source, for a line that carries none.
    """
    return hashed(apply_zone(rows_table([{**row, "line_offset": offset}]), time_zone))


def apply_zone(lines: pa.Table, time_zone: str) -> pa.Table:
    """Move the instants of lines that carry no zone from UTC, as which they were read, to the source's zone.

    Args:
        lines: columns of LINE_SCHEMA; `zone` is null where the line has none.
        time_zone: an IANA name. Of an hour that occurs twice, the first is taken; one that does not occur is moved on.

    Returns:
        The lines with `zone` filled.
    """
    bare = pc.is_null(lines["zone"])
    if not pc.any(bare).as_py():
        return lines
    at = lines["occurred_at"]
    local = pc.assume_timezone(at.cast(pa.timestamp("us")), time_zone, ambiguous="earliest", nonexistent="latest").cast(
        at.type
    )
    zones = pc.if_else(bare, pa.scalar(time_zone), lines["zone"].cast(pa.string())).cast(lines["zone"].type)
    lines = lines.set_column(lines.schema.get_field_index("occurred_at"), "occurred_at", pc.if_else(bare, local, at))
    return lines.set_column(lines.schema.get_field_index("zone"), "zone", zones)


def _first_bytes(path: Readable, compression: str, count: int, start: int = 0) -> bytes:
    head = b""
    try:
        for piece in read_pieces(path, compression, start, piece_bytes=count):
            head += piece
            if len(head) >= count:
                break
    except Damaged:
        pass
    return head[:count]


def _hashes_at(path: Readable, compression: str, lengths: list[int]) -> list[hashlib._Hash]:
    """Hash the first bytes of a file up to each of some ascending lengths; fewer hashes where it is shorter."""
    states: list[hashlib._Hash] = []
    hasher, position = hashlib.sha256(), 0
    wanted = deque(lengths)
    try:
        for piece in read_pieces(path, compression):
            view = memoryview(piece)
            while wanted and position + len(view) >= wanted[0]:
                cut = wanted.popleft() - position
                hasher.update(view[:cut])
                states.append(hasher.copy())
                position += cut
                view = view[cut:]
            hasher.update(view)
            position += len(view)
            if not wanted:
                break
    except Damaged:
        pass
    return states


def _is_binary(data: bytes) -> bool:
    head = np.frombuffer(data[:65536], dtype=np.uint8)
    control = (head < 32) & (head != 9) & (head != 10) & (head != 13) & (head != 27)
    return bool(control.mean() > _BINARY_SHARE)
