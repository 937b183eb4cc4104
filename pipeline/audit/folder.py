"""The log's folder: its lock, its files by month, and the head that names the last entry; no entry is judged here."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.audit.entries import AccessLogError, canonical
from pipeline.audit.keys import keyed
from pipeline.warehouse.files import replace_atomically

HEAD = "head.json"
LONGEST_LINE = 1 << 24


@dataclass(frozen=True)
class Head:
    """The last entry that was acknowledged.

    Attributes:
        seq: its number; 0 before the first.
        hash: its hash.
        file: the name of the file that it is in.
        offset: where its line began when it was written; a file whose texts were erased has it earlier.
    """

    seq: int = 0
    hash: str = ""
    file: str = ""
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True)
class Month:
    """A month's file, open, up to the size that it had under the lock."""

    name: str
    file: BinaryIO
    size: int

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Read its lines, numbered from 1; a longer one than the log ever writes comes in pieces without line end."""
        self.file.seek(0)
        left, number = self.size, 0
        while left > 0 and (raw := self.file.readline(min(left, LONGEST_LINE))):
            left -= len(raw)
            number += 1
            yield number, raw


@contextmanager
def locked(folder: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold the log's lock, which the kernel releases however the process ends.

    Args:
        folder: the log's folder, which exists.
        how: `LOCK_EX` to write, `LOCK_SH` to read.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


@contextmanager
def snapshot(folder: Path) -> Iterator[tuple[bytes | None, list[Month]]]:
    """Open the log as it is at one moment; what is appended or erased meanwhile does not show.

    Args:
        folder: the log's folder; one that does not exist is an empty log.

    Returns:
        The bytes of the head, None where there is none, and the files in order.
    """
    if not folder.is_dir():
        yield None, []
        return
    with ExitStack() as stack:
        with locked(folder, fcntl.LOCK_SH):
            head = head_bytes(folder)
            files = [(path.name, stack.enter_context(path.open("rb"))) for path in month_files(folder)]
            months = [Month(name, file, os.fstat(file.fileno()).st_size) for name, file in files]
        yield head, months


def month_files(folder: Path) -> list[Path]:
    """List the files of entries in order."""
    return sorted(folder.glob("*.jsonl"))


def month_name(month: str) -> str:
    """Name the file of a month such as 2026-11."""
    return f"{month}.jsonl"


def head_bytes(folder: Path) -> bytes | None:
    """Read the head as it stands; None where there is none."""
    try:
        return (folder / HEAD).read_bytes()
    except FileNotFoundError:
        return None


def to_head(key: bytes, raw: bytes) -> Head:
    """Prove a head.

    Args:
        key: the log's key.
        raw: the head as it stands.

    Raises:
        AccessLogError: it was not written with this key.
    """
    try:
        found = json.loads(raw)
        is_proved = canonical(found) == raw and found.pop("keyed") == keyed(key, "head", canonical(found))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        is_proved = False
    if not is_proved:
        raise AccessLogError(f"{HEAD} was changed, or the log was written with another secret")
    return Head(**found)


def write_head(folder: Path, key: bytes, head: Head) -> None:
    """Replace the head at once and durably."""
    fields = asdict(head)
    sealed = fields | {"keyed": keyed(key, "head", canonical(fields))}
    replace_atomically(folder / HEAD, canonical(sealed).decode())


def read_head(folder: Path, key: bytes) -> Head:
    """Return the last entry that was acknowledged; seq 0 of a log without entries.

    Args:
        folder: the log's folder.
        key: the log's key.

    Raises:
        AccessLogError: the head is missing though there are entries, or was changed.
    """
    raw = head_bytes(folder)
    if raw is not None:
        return to_head(key, raw)
    if any(path.stat().st_size for path in month_files(folder)):
        raise AccessLogError(f"{HEAD} is missing in {folder}, though there are entries")
    return Head()
