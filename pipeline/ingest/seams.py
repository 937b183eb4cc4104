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

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from pipeline.ingest.broken_copies import find_broken_copies
from pipeline.ingest.columns import RejectedLine
from pipeline.ingest.day_files import DayWriter, Run
from pipeline.ingest.edges import Edges, Joined, Whole, is_in_time, is_near, is_overlapping
from pipeline.ingest.ledger import ERASED, Ledger, LedgerEntry
from pipeline.ingest.parts import first_field, is_client, is_end_but_for_client, read_whole, why_rejected
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
        looked_at = [entry for entry in files if any(is_near(entry, other) for other in new)]
        if len(looked_at) > 1:
            near = [entry for entry in files if any(is_near(entry, other) for other in looked_at)]
            _Seams(run, settings, looked_at, near, changed_ids, writer).mend()


_TailKey = tuple[bytes, datetime | None]


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
        self._edges = Edges(run, settings, files)
        self._zone = settings.source(files[0].source).time_zone
        self._is_moved = False

    def mend(self) -> None:
        """Put right what can be."""
        self._end_lines()
        self._look_anew()
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
            self._edges = Edges(self._run, self._settings, self._files)
            self._is_moved = False

    def _take_back(self, entry: LedgerEntry, offset: int) -> dict[str, Any] | None:
        self._is_moved = True
        return self._writer.take_back(entry, offset)

    def _leave_out_broken_copies(self) -> None:
        for line in find_broken_copies(self._run, self._edges.lines.rejected, self._files, self._changed_ids):
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
            nearby = [entry for entry in starts if entry is not tail and is_near(entry, tail)]
            if not nearby or tail.last_line is not None or tail.state == "damaged":
                continue
            row = read_whole(tail.waiting_text, self._edges.known(tail))
            if row is None:
                continue
            line = single_line(row, tail.bytes_read, self._zone)
            at = line["occurred_at"][0].as_py()
            last_at = self._edges.last_at(tail)
            if any(is_in_time(at, last_at, self._edges.next_at(entry)) for entry in nearby):
                self._is_moved = True
                tail.last_line = "kept"
                tail.lines_read += 1
                self._writer.add(tail, line)
                self._writer.flush(tail)

    def _doubt_client(self, entry: LedgerEntry) -> None:
        """Look whether a kept first line may have been cut within its first field: only there what is left is a line.

        Where it may, its text is noted, and it is looked at as one that was rejected is.
        """
        known = self._edges.known(entry)
        first = first_field(known) if known is not None else None
        if known is None or first is None or entry.first_line_date is None:
            return
        others = [other for other in self._edges.others(entry) if {entry.file_id, other.file_id} & self._changed_ids]
        tails = [tail for tail in others if tail.waiting_text and b" " not in tail.waiting_text]
        if not tails and not any(is_overlapping(entry, other) for other in others):
            return
        at, line_hash = self._edges.lines.first_line(entry, entry.first_line_date) or (None, None)
        rows = self._edges.lines.requests_at(at) if at is not None else []
        row = next((row for row in rows if row["line_hash"] == line_hash), None)
        if row is None:
            return
        wholes = [other for other in rows if is_end_but_for_client(row, other, known)]
        clients = {tail.file_id: f"{tail.waiting_text.decode('utf-8', 'replace')}{row[first]}" for tail in tails}
        if wholes or any(is_client(client, first) for client in clients.values()):
            entry.first_text = written_line(row, known) or b""

    # First lines that were rejected.

    def _mend_heads(self) -> None:
        """Find for each what it is a part of: the likeliest first, and a last line goes with one text only."""
        likely: list[tuple[tuple[bool, timedelta, int, timedelta, str], LedgerEntry, Whole | Joined]] = []
        done: set[str] = set()
        heads = [entry for entry in self._looked_at if entry.first_text]
        for entry in heads:
            wholes, next_at = self._edges.wholes_of_head(entry), self._edges.next_at(entry)
            certain = [whole for whole in wholes if whole.is_certain]
            if certain:
                self._take_as_copy(entry, certain)
                done.add(entry.file_id)
                continue
            for whole in wholes:
                rank = (True, _distance(whole.at, next_at), 1, timedelta(), entry.file_id)
                likely.append((rank, entry, whole))
            for joined in self._edges.joins(entry, next_at, {whole.line_hash for whole in wholes}):
                last_at = self._edges.last_at(joined.tail)
                before = _distance(joined.at, last_at)
                if last_at is not None and last_at > joined.at:
                    before += _NEAR
                rank = (not joined.is_known, _distance(joined.at, next_at), 0, before, entry.file_id)
                likely.append((rank, entry, joined))
        texts = self._texts_taken(heads)
        for _, entry, found in sorted(likely, key=lambda item: item[0]):
            if entry.file_id in done:
                continue
            if isinstance(found, Whole) or found.is_known:
                self._take_as_copy(entry, [Whole(found.line_hash, found.at, True)])
            elif texts.setdefault(self._tail_key(found.tail), entry.first_text) == entry.first_text:
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
            self._tail_key(by_id[entry.continues_file_id]): entry.first_text
            for entry in others
            if entry.continues_file_id in by_id
        }

    def _join(self, entry: LedgerEntry, joined: Joined) -> None:
        if entry.first_line == "rejected" or self._edges.hash_of_first(entry) != joined.line_hash:
            self._take_back(entry, 0)
            self._add_joined(entry, joined.tail, joined.line)
        entry.continues_file_id = joined.tail.file_id

    def _take_as_copy(self, entry: LedgerEntry, wholes: Sequence[Whole]) -> None:
        hashes = {whole.line_hash for whole in wholes}
        if entry.first_line == "rejected" or self._edges.hash_of_first(entry) not in hashes:
            self._take_back(entry, 0)
            self._note_copy(entry, wholes[0], entry.first_text)

    def _separate(self, entry: LedgerEntry) -> None:
        """Take a first line as it was read again, where what it was put together with turned out to be another's."""
        line_hash, others = self._edges.hash_of_first(entry), self._edges.others(entry)
        if line_hash is None or any(self._edges.lines.of(other).places(line_hash) for other in others):
            return
        self._take_back(entry, 0)
        entry.continues_file_id = None
        known = self._edges.known(entry)
        row = read_whole(entry.first_text, known)
        if row is not None:
            self._keep_first(entry, single_line(row, 0, self._zone))
            return
        entry.first_line, entry.first_line_date = "rejected", self._writer.read_day
        self._reject(entry, 0, why_rejected(entry.first_text, known), entry.first_text)

    # Last lines of files that are finished.

    def _mend_tails(self) -> None:
        """Put right what was said of last lines that are no whole lines: that the file was truncated there."""
        continued = {entry.continues_file_id for entry in self._files}
        joined = [entry for entry in self._files if entry.file_id in continued]
        for tail in self._looked_at:
            if tail.last_line in (None, "kept", ERASED):
                continue
            is_joined = any(self._is_end_alike(tail, other) for other in joined)
            wholes = [] if is_joined else self._edges.wholes_of_tail(tail) or self._edges.wholes_with_heads(tail)
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
        own, others = self._edges.lines.of(tail).hashes, self._edges.lines.of(other).hashes
        is_after_same = len(own) > 0 and len(others) > 0 and own[-1] == others[-1]
        return is_after_same and other.waiting_text.startswith(tail.waiting_text)

    def _tail_key(self, tail: LedgerEntry) -> _TailKey:
        """What is the same for copies of one unfinished last line."""
        return tail.waiting_text, self._edges.last_at(tail)

    # Where a line goes.

    def _reject(self, entry: LedgerEntry, offset: int, reason: str, text: bytes) -> None:
        entry.lines_read += 1
        self._writer.reject(entry, [RejectedLine(offset, reason, text, len(text))])

    def _note_copy(self, entry: LedgerEntry, whole: Whole, text: bytes | None) -> None:
        """Note a first line as a copy, of which the file has a part."""
        entry.first_line, entry.first_line_date, entry.continues_file_id = "duplicate", None, None
        self._writer.note_copy(entry, 0, whole.line_hash, whole.at, text)

    def _add_joined(self, entry: LedgerEntry, tail: LedgerEntry, line: pa.Table) -> None:
        known = self._edges.known(entry)
        entry.continues_file_id = tail.file_id
        entry.format = known.name if known is not None else None
        self._keep_first(entry, line)

    def _keep_first(self, entry: LedgerEntry, line: pa.Table) -> None:
        entry.lines_read += 1
        entry.first_line, entry.first_line_date = "kept", line["occurred_at"][0].as_py().date()
        self._writer.add(entry, line)
        self._writer.flush(entry)
