"""Files that were cut in the middle of a line: the cut line is put together again, whichever part came first.

What can be known of a file's first line, and of the last one of a file that ends without a newline, once the source's
other files are known:

- it is a part of a line that another file has whole: a copy;
- the two together are a line, and only together;
- a first line that is empty is but the newline that another file's last line lacks;
- neither: then it stays as it was read.

All this is found after all files of a run were read, and found anew when files come that can tell better: the order of
delivery does not matter. Copies of whole lines do not belong here; those are `duplicates` and `broken_copies`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.formats import Format, format_as_read
from pipeline.ingest.broken_copies import find_broken_copies
from pipeline.ingest.columns import RejectedLine
from pipeline.ingest.day_files import DayWriter, Run
from pipeline.ingest.file_lines import LineReader, Numbers
from pipeline.ingest.ledger import Ledger, LedgerEntry
from pipeline.ingest.parts import first_field, is_client, is_end_but_for_client, is_part, read_whole, why_rejected
from pipeline.ingest.reading import single_line
from pipeline.ingest.written import rejected_line, written_line
from pipeline.settings import Settings

_NEAR = timedelta(days=1)
_DISORDER = timedelta(minutes=1)  # servers write a line when its request ends


def mend(run: Run, settings: Settings, ledger: Ledger, changed: Iterable[LedgerEntry], writer: DayWriter) -> None:
    """Look again at the first and last lines of files whose source got new lines, and put right what can be.

    Args:
        run: the run, with the new lines live in its view.
        settings: the formats' settings.
        ledger: all files; counts of mended files are put right.
        changed: entries of the files read in this run.
        writer: takes lines that were put together; all is live in the run's view at the end.
    """
    changed_ids = {entry.file_id for entry in changed}
    for source in sorted({entry.source for entry in changed}):
        files = sorted(ledger.of_source(source), key=lambda entry: entry.file_id)
        new = [entry for entry in files if entry.file_id in changed_ids]
        looked_at = [entry for entry in files if any(_is_near(entry, other) for other in new)]
        if len(looked_at) > 1:
            near = [entry for entry in files if any(_is_near(entry, other) for other in looked_at)]
            _Seams(run, settings, looked_at, near, changed_ids, writer).mend()


def _is_near(entry: LedgerEntry, other: LedgerEntry) -> bool:
    """Whether files can have parts of one line; of one without a whole line nothing is known."""
    if entry.first_at is None or entry.last_at is None or other.first_at is None or other.last_at is None:
        return True
    return entry.overlaps(other.first_at - _NEAR, other.last_at + _NEAR)


def _overlap(entry: LedgerEntry, other: LedgerEntry) -> bool:
    return entry.first_at is not None and entry.last_at is not None and other.overlaps(entry.first_at, entry.last_at)


@dataclass(frozen=True)
class _Whole:
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
class _Joined:
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


_TailKey = tuple[bytes, datetime | None]


def _tail_key(tail: LedgerEntry) -> _TailKey:
    """What is the same for copies of one unfinished last line."""
    return tail.waiting_text, tail.last_at


def _distance(at: datetime, other: datetime | None) -> timedelta:
    return abs(other - at) if other is not None else timedelta()


class _Seams:
    """First and last lines of files of one source, looked at beside all files that lie near them in time."""

    def __init__(
        self,
        run: Run,
        settings: Settings,
        looked_at: Sequence[LedgerEntry],
        files: Sequence[LedgerEntry],
        changed_ids: set[str],
        writer: DayWriter,
    ) -> None:
        self._run = run
        self._settings = settings
        self._looked_at = looked_at
        self._files = files
        self._changed_ids = changed_ids
        self._writer = writer
        self._lines = LineReader(run, files)
        self._zone = settings.source(files[0].source).time_zone
        self._tails_wholes: dict[str, list[_Whole]] = {}
        self._is_moved = False

    def mend(self) -> None:
        """Put right what can be."""
        self._end_lines()
        for entry in self._looked_at:
            if entry.first_line == "kept" and not entry.first_text and not entry.continues_file_id:
                self._doubt_client(entry)
        self._mend_heads()
        self._look_anew()
        self._mend_tails()
        self._look_anew()
        self._leave_out_broken_copies()
        self._writer.commit()

    def _look_anew(self) -> None:
        """See lines that were moved where they are now."""
        if self._is_moved:
            self._writer.commit()
            self._lines = LineReader(self._run, self._files)
            self._tails_wholes.clear()
            self._is_moved = False

    def _take_back(self, entry: LedgerEntry, offset: int) -> dict[str, Any] | None:
        self._is_moved = True
        return self._writer.take_back(entry, offset)

    def _leave_out_broken_copies(self) -> None:
        for line in find_broken_copies(self._run, self._lines.rejected, self._files, self._changed_ids):
            row = self._take_back(line.entry, line.offset)
            if line.offset == 0:
                line.entry.first_line, line.entry.first_line_date = "duplicate", None
            text = rejected_line(row) if row is not None else None
            self._writer.note_copy(line.entry, line.offset, line.text_hash, line.near, text)

    # First lines that look whole.

    def _end_lines(self) -> None:
        """Take last lines that lack but their newline, where another file begins with one: they are whole."""
        starts = [entry for entry in self._files if entry.first_line == "blank"]
        for tail in self._files:
            nearby = [entry for entry in starts if entry is not tail and _is_near(entry, tail)]
            row = read_whole(tail.waiting_text, self._known(tail)) if nearby and tail.last_line is None else None
            if row is None:
                continue
            line = single_line(row, tail.bytes_read, self._zone)
            at = line["occurred_at"][0].as_py()
            if any(_is_in_time(at, tail.last_at, self._next_at(entry)) for entry in nearby):
                self._is_moved = True
                tail.last_line = "kept"
                tail.lines_read += 1
                self._writer.add(tail, line)
                self._writer.flush(tail)

    def _doubt_client(self, entry: LedgerEntry) -> None:
        """Look whether a kept first line may have been cut within its first field: only there what is left is a line.

        Where it may, its text is noted, and it is looked at as one that was rejected is.
        """
        known = self._known(entry)
        first = first_field(known) if known is not None else None
        if known is None or first is None or entry.first_line_date is None:
            return
        others = [other for other in self._others(entry) if {entry.file_id, other.file_id} & self._changed_ids]
        tails = [tail for tail in others if tail.waiting_text and b" " not in tail.waiting_text]
        if not tails and not any(_overlap(entry, other) for other in others):
            return
        at = self._lines.instant_of_first_line(entry, entry.first_line_date)
        rows = self._lines.requests_at(at) if at is not None else []
        row = next((row for row in rows if row["file_id"] == entry.file_id and row["line_offset"] == 0), None)
        if row is None:
            return
        wholes = [other for other in rows if is_end_but_for_client(row, other, known)]
        clients = {tail.file_id: f"{tail.waiting_text.decode('utf-8', 'replace')}{row[first]}" for tail in tails}
        if wholes or any(is_client(client, first) for client in clients.values()):
            entry.first_text = written_line(row, known) or b""

    # First lines that were rejected.

    def _mend_heads(self) -> None:
        """Find for each what it is a part of: the likeliest first, and a last line goes with one text only."""
        likely: list[tuple[tuple[bool, timedelta, int, timedelta, str], LedgerEntry, _Whole | _Joined]] = []
        done: set[str] = set()
        heads = [entry for entry in self._looked_at if entry.first_text]
        for entry in heads:
            wholes, next_at = self._wholes_of_head(entry), self._next_at(entry)
            certain = [whole for whole in wholes if whole.is_certain]
            if certain:
                self._take_as_copy(entry, certain)
                done.add(entry.file_id)
                continue
            for whole in wholes:
                rank = (True, _distance(whole.at, next_at), 1, timedelta(), entry.file_id)
                likely.append((rank, entry, whole))
            for joined in self._joins(entry, next_at, {whole.line_hash for whole in wholes}):
                before = _distance(joined.at, joined.tail.last_at)
                if joined.tail.last_at is not None and joined.tail.last_at > joined.at:
                    before += _NEAR
                rank = (not joined.is_known, _distance(joined.at, next_at), 0, before, entry.file_id)
                likely.append((rank, entry, joined))
        texts = self._texts_taken(heads)
        for _, entry, found in sorted(likely, key=lambda item: item[0]):
            if entry.file_id in done:
                continue
            if isinstance(found, _Whole):
                self._take_as_copy(entry, [found])
            elif texts.setdefault(_tail_key(found.tail), entry.first_text) == entry.first_text:
                self._join(entry, found)
            else:
                continue
            done.add(entry.file_id)
        for entry in heads:
            if entry.continues_file_id and entry.file_id not in done:
                self._separate(entry)
            elif entry.first_line == "kept" and not entry.continues_file_id:
                entry.first_text = b""

    def _texts_taken(self, heads: Sequence[LedgerEntry]) -> dict[_TailKey, bytes]:
        """The first lines that go with last lines already, of files that are not looked at."""
        by_id = {entry.file_id: entry for entry in self._files}
        others = [entry for entry in self._files if entry.first_text and entry not in heads]
        return {
            _tail_key(by_id[entry.continues_file_id]): entry.first_text
            for entry in others
            if entry.continues_file_id in by_id
        }

    def _joins(self, entry: LedgerEntry, next_at: datetime | None, wholes: set[int]) -> Iterator[_Joined]:
        """The lines that a first line may be the end of, with last lines of other files.

        Args:
            entry: the file whose first line it is.
            next_at: when its next line is.
            wholes: hashes of the lines that it may be a part of.
        """
        known = self._known(entry)
        is_line = read_whole(entry.first_text, known) is not None
        first = first_field(known) if known is not None else None
        for tail in self._tails(entry):
            row = read_whole(tail.waiting_text + entry.first_text, known)
            if row is None or (is_line and not is_client(str(row[str(first)]), str(first))):
                continue
            joined = _Joined(tail, single_line(row, 0, self._zone), False)
            if self._is_of_another(tail, joined.line_hash, wholes) or not _is_in_time(joined.at, tail.last_at, next_at):
                continue
            same = self._lines.requests_at(joined.at, joined.line_hash)
            yield replace(joined, is_known=any(row["file_id"] != entry.file_id for row in same))

    def _is_of_another(self, tail: LedgerEntry, line_hash: int, wholes_of_head: set[int]) -> bool:
        """Whether a last line is the beginning of another line: surely, or of one that the first line ends too."""
        wholes = self._wholes_of_tail(tail)
        hashes = {whole.line_hash for whole in wholes}
        is_another = any(whole.is_certain for whole in wholes) or bool(hashes & wholes_of_head)
        return is_another and line_hash not in hashes

    def _join(self, entry: LedgerEntry, joined: _Joined) -> None:
        if entry.first_line == "rejected" or self._hash_of_first(entry) != joined.line_hash:
            self._take_back(entry, 0)
            self._add_joined(entry, joined.tail, joined.line)
        entry.continues_file_id = joined.tail.file_id

    def _take_as_copy(self, entry: LedgerEntry, wholes: Sequence[_Whole]) -> None:
        if entry.first_line == "rejected" or self._hash_of_first(entry) not in {whole.line_hash for whole in wholes}:
            self._take_back(entry, 0)
            self._note_copy(entry, wholes[0], entry.first_text)

    def _separate(self, entry: LedgerEntry) -> None:
        """Take a first line as it was read again, where what it was put together with turned out to be another's."""
        line_hash = self._hash_of_first(entry)
        if line_hash is None or any(self._lines.of(other).places(line_hash) for other in self._others(entry)):
            return
        self._take_back(entry, 0)
        entry.continues_file_id = None
        row = read_whole(entry.first_text, self._known(entry))
        if row is not None:
            self._keep_first(entry, single_line(row, 0, self._zone))
            return
        entry.first_line, entry.first_line_date = "rejected", self._writer.read_day
        self._reject(entry, 0, why_rejected(entry.first_text, self._known(entry)), entry.first_text)

    # Last lines of files that are finished.

    def _mend_tails(self) -> None:
        """Put right what was said of last lines that are no whole lines: that the file was truncated there."""
        continued = {entry.continues_file_id for entry in self._files}
        joined = [entry for entry in self._files if entry.file_id in continued]
        for tail in self._looked_at:
            if tail.last_line in (None, "kept"):
                continue
            is_joined = any(self._is_end_alike(tail, other) for other in joined)
            wholes = [] if is_joined else self._wholes_of_tail(tail)
            wanted = "joined" if is_joined else "duplicate" if wholes else "rejected"
            if wanted == tail.last_line or (wanted == "rejected" and tail.last_line == "duplicate"):
                continue
            self._take_back(tail, tail.bytes_read)
            tail.last_line = wanted
            if wholes:
                self._writer.note_copy(tail, tail.bytes_read, wholes[0].line_hash, wholes[0].at, tail.waiting_text)
            elif wanted == "rejected":
                self._reject(tail, tail.bytes_read, "truncated", tail.waiting_text)

    def _is_end_alike(self, tail: LedgerEntry, other: LedgerEntry) -> bool:
        """Whether a file ends in the same line as another, there or before."""
        if tail.file_id == other.file_id:
            return True
        own, others = self._lines.of(tail).hashes, self._lines.of(other).hashes
        is_after_same = len(own) > 0 and len(others) > 0 and own[-1] == others[-1]
        return is_after_same and other.waiting_text.startswith(tail.waiting_text)

    # What other files have whole.

    def _wholes_of_head(self, entry: LedgerEntry) -> list[_Whole]:
        lines, next_at = self._lines.of(entry), self._next_at(entry)
        timed = np.flatnonzero(lines.has_time & (lines.offsets > 0))
        after = lines.hashes[: timed[0] + 1][lines.offsets[: timed[0] + 1] > 0] if len(timed) else lines.hashes[:0]
        return self._wholes_of(entry, entry.first_text, after, -1, lambda at: _is_in_time(at, None, next_at))

    def _wholes_of_tail(self, entry: LedgerEntry) -> list[_Whole]:
        if entry.file_id not in self._tails_wholes:
            lines = self._lines.of(entry)
            timed = np.flatnonzero(lines.has_time)
            before = lines.hashes[timed[-1] :][::-1] if len(timed) else lines.hashes[:0]
            self._tails_wholes[entry.file_id] = self._wholes_of(
                entry, entry.waiting_text, before, 1, lambda at: _is_in_time(at, entry.last_at, None)
            )
        return self._tails_wholes[entry.file_id]

    def _wholes_of(
        self, entry: LedgerEntry, text: bytes, beside: Numbers, step: int, is_in_time: Callable[[datetime], bool]
    ) -> list[_Whole]:
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
        known = self._known(entry)
        if known is None:
            return []
        part = text.decode("utf-8", "backslashreplace")
        found: list[_Whole] = []
        for other in self._others(entry):
            lines = self._lines.of(other)
            numbers = list(lines.beside(beside, step))
            edge = [len(lines) - 1 if step < 0 else 0] if len(lines) else []
            for number in dict.fromkeys(numbers + edge):
                at = lines.instant_near(number)
                is_beside = number in numbers
                if at is None or not (is_beside or is_in_time(at)):
                    continue
                if self._is_whole(other, number, part, known, step, is_beside):
                    line_hash = int(lines.hashes[number])
                    # Between equal lines the same neighbour shows nothing.
                    found.append(_Whole(line_hash, at, is_beside and line_hash != beside[0]))
        return sorted(found, key=lambda whole: not whole.is_certain)

    def _is_whole(self, other: LedgerEntry, number: int, part: str, known: Format, step: int, is_beside: bool) -> bool:
        """Whether a line of a file can be the whole of a part."""
        lines, is_end = self._lines.of(other), step < 0
        line_hash = int(lines.hashes[number])
        if lines.offsets[number] == 0 and other.first_text:  # a part itself: of a longer one, shorter ones are part too
            head = other.first_text.decode("utf-8", "backslashreplace")
            return is_end and bool(other.continues_file_id) and len(head) > len(part) and head.endswith(part)
        broken = self._lines.broken_texts.get(line_hash)
        if broken is not None:
            is_long_enough = len(broken) + is_beside > len(part)
            return is_long_enough and (broken.endswith(part) if is_end else broken.startswith(part))
        at = lines.instant_near(number)
        rows = self._lines.requests_at(at, line_hash) if at is not None else []
        length = lines.length(number) if is_beside else None
        return bool(rows) and is_part(part, rows[0], known, length, is_end)

    # Which files can tell.

    def _others(self, entry: LedgerEntry) -> list[LedgerEntry]:
        return [other for other in self._files if other.file_id != entry.file_id and _is_near(entry, other)]

    def _tails(self, entry: LedgerEntry) -> list[LedgerEntry]:
        return [other for other in self._others(entry) if other.waiting_text]

    def _known(self, entry: LedgerEntry) -> Format | None:
        """A file's format; half a line is of none, it may be of that of the source's other files."""
        names = [entry.format, *(other.format for other in self._others(entry))]
        name = next((name for name in names if name), None)
        return format_as_read(name, entry.source, self._settings, entry.format_state)

    def _next_at(self, entry: LedgerEntry) -> datetime | None:
        """The instant of the first line after a file's first one."""
        lines = self._lines.of(entry)
        found = np.flatnonzero((lines.offsets > 0) & lines.has_time)
        return lines.instant_near(int(found[0])) if len(found) else None

    def _hash_of_first(self, entry: LedgerEntry) -> int | None:
        lines = self._lines.of(entry)
        return int(lines.hashes[0]) if len(lines) and lines.offsets[0] == 0 else None

    # Where a line is, and where it goes.

    def _reject(self, entry: LedgerEntry, offset: int, reason: str, text: bytes) -> None:
        entry.lines_read += 1
        self._writer.reject(entry, [RejectedLine(offset, reason, text, len(text))])

    def _note_copy(self, entry: LedgerEntry, whole: _Whole, text: bytes | None) -> None:
        """Note a first line as a copy, of which the file has a part."""
        entry.first_line, entry.first_line_date, entry.continues_file_id = "duplicate", None, None
        self._writer.note_copy(entry, 0, whole.line_hash, whole.at, text)

    def _add_joined(self, entry: LedgerEntry, tail: LedgerEntry, line: pa.Table) -> None:
        known = self._known(entry)
        entry.continues_file_id = tail.file_id
        entry.format = known.name if known is not None else None
        self._keep_first(entry, line)

    def _keep_first(self, entry: LedgerEntry, line: pa.Table) -> None:
        entry.lines_read += 1
        entry.first_line, entry.first_line_date = "kept", line["occurred_at"][0].as_py().date()
        self._writer.add(entry, line)
        self._writer.flush(entry)


def _is_in_time(at: datetime, last_at: datetime | None, next_at: datetime | None) -> bool:
    """Whether an instant may lie after that of a file's last line, and before that of another's next one."""
    is_after = last_at is None or last_at - _DISORDER <= at <= last_at + _NEAR
    return is_after and (next_at is None or next_at - _NEAR <= at <= next_at + _DISORDER)
