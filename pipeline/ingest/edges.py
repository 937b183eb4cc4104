"""What the other files of a source tell of a file's first line, and of a last one that ends without a newline.

What then becomes of the line is in `seams`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from pipeline.formats import Format, format_as_read
from pipeline.ingest.file_lines import Files, LineReader, Numbers
from pipeline.ingest.ledger import LedgerEntry
from pipeline.ingest.parts import first_field, is_client, is_part, read_whole
from pipeline.ingest.reading import single_line
from pipeline.settings import Settings

_NEAR = timedelta(days=1)
_DISORDER = timedelta(minutes=1)  # servers write a line when its request ends


def is_near(entry: LedgerEntry, other: LedgerEntry) -> bool:
    """Whether files can have parts of one line; of one without a whole line nothing is known."""
    if entry.first_at is None or entry.last_at is None or other.first_at is None or other.last_at is None:
        return True
    return entry.overlaps(other.first_at - _NEAR, other.last_at + _NEAR)


def is_overlapping(entry: LedgerEntry, other: LedgerEntry) -> bool:
    """Whether the files' times overlap."""
    return entry.first_at is not None and entry.last_at is not None and other.overlaps(entry.first_at, entry.last_at)


def is_in_time(at: datetime, last_at: datetime | None, next_at: datetime | None) -> bool:
    """Whether an instant may lie after that of a file's last line, and before that of another's next one."""
    is_after = last_at is None or last_at - _DISORDER <= at <= last_at + _NEAR
    return is_after and (next_at is None or next_at - _NEAR <= at <= next_at + _DISORDER)


@dataclass(frozen=True)
class Whole:
    """A line that another file has whole.

    Attributes:
        line_hash: of its fields; of a rejected one, of its text.
        at: its instant; of a rejected one, that of the line beside it.
        is_certain: whether the lines beside it tell so too.
    """

    line_hash: int
    at: datetime
    is_certain: bool


@dataclass(frozen=True)
class Joined:
    """A first line put together with the last line of another file.

    Attributes:
        tail: that file.
        line: the whole, as `DayWriter.add` takes it.
        is_known: whether another file has that very line.
    """

    tail: LedgerEntry
    line: pa.Table
    is_known: bool

    @property
    def line_hash(self) -> int:
        """Hash of the line's fields."""
        return int(self.line["line_hash"][0].as_py())

    @property
    def at(self) -> datetime:
        """The line's instant."""
        at: datetime = self.line["occurred_at"][0].as_py()
        return at


class Edges:
    """First and last lines of files of one source, beside all files that lie near them in time.

    Attributes:
        lines: the files' lines, as they were when first asked for.
    """

    def __init__(self, run: Files, settings: Settings, files: Sequence[LedgerEntry]) -> None:
        self.lines = LineReader(run, files)
        self._settings = settings
        self._files = files
        self._zone = settings.source(files[0].source).time_zone
        self._tails_wholes: dict[str, list[Whole]] = {}

    def wholes_of_head(self, entry: LedgerEntry) -> list[Whole]:
        """The lines of other files that a first line may be the end of, the certain ones first."""
        lines, next_at = self.lines.of(entry), self.next_at(entry)
        timed = np.flatnonzero(lines.has_time & (lines.offsets > 0))
        after = lines.hashes[: timed[0] + 1][lines.offsets[: timed[0] + 1] > 0] if len(timed) else lines.hashes[:0]
        return self._wholes_of(entry, entry.first_text, after, -1, lambda at: is_in_time(at, None, next_at))

    def wholes_of_tail(self, entry: LedgerEntry) -> list[Whole]:
        """The lines of other files that an unfinished last line may be the beginning of, the certain ones first."""
        if entry.file_id not in self._tails_wholes:
            lines = self.lines.of(entry)
            timed = np.flatnonzero(lines.has_time)
            before = lines.hashes[timed[-1] :][::-1] if len(timed) else lines.hashes[:0]
            last_at = self.last_at(entry)
            self._tails_wholes[entry.file_id] = self._wholes_of(
                entry, entry.waiting_text, before, 1, lambda at: is_in_time(at, last_at, None)
            )
        return self._tails_wholes[entry.file_id]

    def wholes_with_heads(self, tail: LedgerEntry) -> list[Whole]:
        """The lines that a last line makes with first lines of other files which are known to be copies of them."""
        found = []
        for head in self.others(tail):
            is_copy = head.first_line == "duplicate" and head.first_text
            row = read_whole(tail.waiting_text + head.first_text, self.known(head)) if is_copy else None
            if row is None:
                continue
            joined = Joined(tail, single_line(row, 0, self._zone), True)
            if joined.line_hash == self.hash_of_first(head):
                found.append(Whole(joined.line_hash, joined.at, True))
        return found

    def _wholes_of(
        self, entry: LedgerEntry, text: bytes, beside: Numbers, step: int, is_in_time: Callable[[datetime], bool]
    ) -> list[Whole]:
        """Find the lines of other files that a text may be a part of.

        Args:
            entry: the file whose first or last line the text is.
            text: the part.
            beside: hashes of the lines after a first line, or before a last one, up to one that tells its time: a
                broken line alone may be another's.
            step: from there to the place of the whole: -1 for a first line, 1 for a last one.
            is_in_time: whether a line without those neighbours may be the whole.

        Returns:
            Lines with the same neighbours first; those are certain.
        """
        known = self.known(entry)
        if known is None:
            return []
        part = text.decode("utf-8", "backslashreplace")
        found: list[Whole] = []
        for other in self.others(entry):
            lines = self.lines.of(other)
            numbers = list(lines.beside(beside, step))
            edge = [len(lines) - 1 if step < 0 else 0] if len(lines) else []
            for number in dict.fromkeys(numbers + edge):
                at = lines.instant_near(number)
                is_beside = number in numbers
                if at is None or not (is_beside or is_in_time(at)):
                    continue
                if self._is_whole(other, number, part, known, step, is_beside):
                    line_hash = int(lines.hashes[number])
                    # Between equal lines the same neighbour shows nothing, nor does one that is but taken for it.
                    rests_on_first = step > 0 and other.first_text != b"" and number == len(beside)
                    is_certain = is_beside and line_hash != beside[0] and not rests_on_first
                    found.append(Whole(line_hash, at, is_certain))
        return sorted(found, key=lambda whole: not whole.is_certain)

    def _is_whole(self, other: LedgerEntry, number: int, part: str, known: Format, step: int, is_beside: bool) -> bool:
        """Whether a line of a file can be the whole of a part."""
        lines, is_end = self.lines.of(other), step < 0
        line_hash = int(lines.hashes[number])
        if lines.offsets[number] == 0 and other.first_text:  # a part itself: of a longer one, shorter ones are part too
            head = other.first_text.decode("utf-8", "backslashreplace")
            return is_end and bool(other.continues_file_id) and len(head) > len(part) and head.endswith(part)
        broken = self.lines.broken_texts.get(line_hash)
        if broken is not None:
            is_long_enough = len(broken) + is_beside > len(part)
            return is_long_enough and (broken.endswith(part) if is_end else broken.startswith(part))
        at = lines.instant_near(number)
        rows = self.lines.requests_at(at, line_hash) if at is not None else []
        length = lines.length(number) if is_beside else None
        return bool(rows) and is_part(part, rows[0], known, length, is_end)

    # Lines put together.

    def joins(self, entry: LedgerEntry, next_at: datetime | None, wholes: set[int]) -> Iterator[Joined]:
        """The lines that a first line may be the end of, with last lines of other files.

        Args:
            entry: the file whose first line it is.
            next_at: when its next line is.
            wholes: hashes of the lines that it may be a part of.
        """
        known = self.known(entry)
        is_line = read_whole(entry.first_text, known) is not None
        first = first_field(known) if known is not None else None
        for tail in self.tails(entry):
            row = read_whole(tail.waiting_text + entry.first_text, known)
            if row is None or (is_line and (first is None or not is_client(str(row[first]), first))):
                continue
            joined = Joined(tail, single_line(row, 0, self._zone), False)
            is_between = is_in_time(joined.at, self.last_at(tail), next_at)
            if not is_between or self._is_of_another(tail, joined.line_hash, wholes):
                continue
            yield replace(joined, is_known=any(self._has(other, joined.line_hash) for other in self.others(entry)))

    def _has(self, other: LedgerEntry, line_hash: int) -> bool:
        """Whether a file has a line whole, not put together."""
        lines = self.lines.of(other)
        return any(lines.offsets[place] > 0 or not other.first_text for place in lines.places(line_hash))

    def _is_of_another(self, tail: LedgerEntry, line_hash: int, wholes_of_head: set[int]) -> bool:
        """Whether a last line is the beginning of another line: surely, or of one that the first line ends too."""
        wholes = self.wholes_of_tail(tail)
        hashes = {whole.line_hash for whole in wholes}
        is_another = any(whole.is_certain for whole in wholes) or bool(hashes & wholes_of_head)
        return is_another and line_hash not in hashes

    # Which files can tell.

    def others(self, entry: LedgerEntry) -> list[LedgerEntry]:
        """The other files that can have parts of the same lines."""
        return [other for other in self._files if other.file_id != entry.file_id and is_near(entry, other)]

    def tails(self, entry: LedgerEntry) -> list[LedgerEntry]:
        """Those of them whose last line is unfinished."""
        return [other for other in self.others(entry) if other.waiting_text]

    def known(self, entry: LedgerEntry) -> Format | None:
        """A file's format; half a line is of none, it may be of that of the source's other files."""
        names = [entry.format, *(other.format for other in self.others(entry))]
        name = next((name for name in names if name), None)
        return format_as_read(name, entry.source, self._settings, entry.format_state)

    def next_at(self, entry: LedgerEntry) -> datetime | None:
        """The instant of the first line after a file's first one."""
        lines = self.lines.of(entry)
        found = np.flatnonzero((lines.offsets > 0) & lines.has_time)
        return lines.instant_near(int(found[0])) if len(found) else None

    def last_at(self, entry: LedgerEntry) -> datetime | None:
        """The last instant of a file's lines but the unfinished one; the first one only where there is no other.

        The ledger's is also that of lines of which those two were taken for parts.
        """
        lines = self.lines.of(entry)
        timed = np.flatnonzero(lines.has_time)
        later = timed[lines.offsets[timed] > 0]
        chosen = later if len(later) else timed
        return lines.instant_near(int(chosen[lines.instants[chosen].argmax()])) if len(chosen) else None

    def hash_of_first(self, entry: LedgerEntry) -> int | None:
        """The hash of what a file's first line was taken for; None where that is not kept, rejected or a copy."""
        lines = self.lines.of(entry)
        return int(lines.hashes[0]) if len(lines) and lines.offsets[0] == 0 else None
