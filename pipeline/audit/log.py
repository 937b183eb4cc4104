"""Append to the log of who looked, durably and one at a time, and erase a reason; reading it does not belong here.

An entry is acknowledged once the head names it. A process that ends in between leaves, after the head, a whole entry or
a torn line: the next append adopts the one and cuts off the other, whose page was never sent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.audit.entries import ERASED_TEXT, AccessLogError, Line, View, read_line, to_line
from pipeline.audit.folder import LONGEST_LINE, Head, head_bytes, locked, month_files, month_name, read_head, write_head
from pipeline.warehouse.files import sync

_SEQ = re.compile(rb'"seq":(\d{1,18}),')  # no text can hold these bytes: its quotes are escaped


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class AccessLog:
    """The log that several processes append to.

    Attributes:
        folder: where it is; made by the first append.
        key: what hashes are made with, from `access_key`.
        clock: what time it is.
    """

    folder: Path
    key: bytes
    clock: Callable[[], datetime] = _now

    def append(self, view: View) -> int:
        """Note a look; it is on the disk when this returns, and nothing may be shown where it raises.

        Args:
            view: the look, or the attempt.

        Returns:
            The entry's seq.

        Raises:
            AccessLogError: the log's end is not as the last append left it, or was written with another secret.
            OSError: it could not be written.
        """
        self._make_folder()
        with locked(self.folder):
            return self._write(self._healed_head(), view)

    def erase_why(self, seqs: Iterable[int], actor: str, role: str, why: str | None = None) -> int:
        """Erase the reasons of entries, whose other fields stay, and note who did.

        The note comes first: an erasure that was broken off is found by `verify` and is finished by doing it again.

        Args:
            seqs: the entries.
            actor: who erases.
            role: as what.
            why: the reason for the erasure.

        Returns:
            The seq of the entry that says so.

        Raises:
            ValueError: there is no such entry.
            AccessLogError: as for `append`.
        """
        wanted = sorted(set(seqs))
        self._make_folder()
        with locked(self.folder):
            head = self._healed_head()
            if not wanted or wanted[0] < 1 or wanted[-1] > head.seq:
                raise ValueError(f"the log has entries 1 to {head.seq}; asked were {wanted[:1]} to {wanted[-1:]}")
            seq = self._write(head, View(actor, role, ERASED_TEXT, why=why), erased=wanted)
            for left in self.folder.glob("*.jsonl.tmp"):
                left.unlink()
            for path in month_files(self.folder):
                _erase(path, set(wanted))
        return seq

    def _make_folder(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            sync(self.folder)

    def _write(self, head: Head, view: View, erased: Sequence[int] = ()) -> int:
        now = self.clock().astimezone(UTC)
        line = to_line(self.key, view, head.seq + 1, now, head.hash, erased)
        raw = line.to_bytes()
        if len(raw) > LONGEST_LINE:
            raise ValueError(f"an entry of {len(raw):,} bytes is too long; at most {LONGEST_LINE:,} are kept")
        name = max(head.file, month_name(f"{now:%Y-%m}"))  # a clock that went back must not break the order of files
        with (self.folder / name).open("ab") as file:
            offset = file.tell()
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        write_head(self.folder, self.key, Head(line.seq, line.hash, name, offset))
        return line.seq

    def _healed_head(self) -> Head:
        """Return the last whole entry after what a crash left was adopted or cut off."""
        head = read_head(self.folder, self.key)
        if head_bytes(self.folder) is None:
            write_head(self.folder, self.key, head)  # so that a head that is missing later was removed
        last_file = head.file
        if last_file:
            head = self._adopt(self.folder / last_file, head, self._end_of(head))
        for path in month_files(self.folder):
            if path.name > last_file:
                head = self._adopt(path, head, 0)
        return head

    def _end_of(self, head: Head) -> int:
        """Find where the head's line ends: from where it was written or, after an erasure, from the beginning."""
        path = self.folder / head.file
        for start in (head.offset, 0) if path.is_file() else ():
            with path.open("rb") as file:
                file.seek(start)
                offset = start
                for raw in file:
                    offset += len(raw)
                    if head.hash.encode() in raw and (line := read_line(raw)) and line.hash == head.hash:
                        return offset
        raise AccessLogError(f"{path}: entry {head.seq}, which was the last, is gone; `trail audit verify` says more")

    def _adopt(self, path: Path, head: Head, offset: int) -> Head:
        size = path.stat().st_size
        if offset == size:
            return head
        with path.open("r+b") as file:
            file.seek(offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    file.truncate(offset)
                    break
                line = read_line(raw)
                if line is None or line.seq != head.seq + 1 or not line.follows(self.key, head.hash):
                    raise AccessLogError(
                        f"{path}: what follows entry {head.seq} is not this log's; `trail audit verify` says more"
                    )
                head = Head(line.seq, line.hash, path.name, offset)
                offset += len(raw)
        sync(path)
        return head


def _erase(path: Path, seqs: set[int]) -> None:
    """Write a file again without some reasons, if it has any of them."""
    with path.open("rb") as file:
        if not any(_without_why(raw, seqs) != raw for raw in file):
            return
        file.seek(0)
        fresh = path.with_name(f"{path.name}.tmp")
        with fresh.open("wb") as out:
            out.writelines(_without_why(raw, seqs) for raw in file)
    sync(fresh)
    fresh.replace(path)
    sync(path)


def _without_why(raw: bytes, seqs: set[int]) -> bytes:
    said = _SEQ.search(raw)
    line = read_line(raw) if said and int(said[1]) in seqs else None
    return Line(line.entry, line.hash, None).to_bytes() if line else raw
