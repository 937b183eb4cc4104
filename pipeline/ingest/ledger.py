"""The ledger: every file ever read, by content, with counts that add up; and how a file is known again.

How lines are parsed or compared does not belong here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.schemas import INGESTED_FILES

HEAD_BYTES = 1024


@dataclass
class LedgerEntry:
    """One row of `ingested_files`; attributes are its columns."""

    file_id: str
    source: str
    path: str
    format: str | None = None
    format_state: str | None = None
    compression: str = "none"
    state: str = "complete"
    problem: str | None = None
    bytes_read: int = 0
    bytes_waiting: int = 0
    lines_read: int = 0
    lines_kept: int = 0
    lines_rejected: int = 0
    lines_duplicate: int = 0
    lines_ambiguous: int = 0
    lines_blank: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    first_line: str | None = None
    first_line_date: date | None = None
    first_text: bytes = b""
    last_line: str | None = None
    continues_file_id: str | None = None
    content_hash: str = ""
    head_hash: str = ""
    head_bytes: int = 0
    waiting_text: bytes = b""
    read_at: datetime | None = None

    def saw(self, first: datetime, last: datetime) -> None:
        """Widen the span of instants."""
        self.first_at = first if self.first_at is None else min(self.first_at, first)
        self.last_at = last if self.last_at is None else max(self.last_at, last)

    def overlaps(self, first: datetime, last: datetime) -> bool:
        """Whether some instant of this file may lie in a span."""
        return (
            self.first_at is not None and self.last_at is not None and self.first_at <= last and first <= self.last_at
        )


class Ledger:
    """The entries of `ingested_files`, in memory: one for a file, so thousands a year."""

    def __init__(self, entries: Iterable[LedgerEntry]) -> None:
        self._entries = {entry.file_id: entry for entry in entries}

    @classmethod
    def from_files(cls, paths: Iterable[Path]) -> Ledger:
        """Read it from the table's live files."""
        names = {field.name for field in fields(LedgerEntry)}
        rows = [row for path in paths for row in pq.read_table(path, partitioning=None).to_pylist()]
        return cls(LedgerEntry(**{name: row[name] for name in names & set(row)}) for row in rows)

    def to_table(self) -> pa.Table:
        """Return all entries as rows of `ingested_files`, sorted by file_id."""
        rows: list[dict[str, Any]] = [asdict(self._entries[key]) for key in sorted(self._entries)]
        return pa.Table.from_pylist(rows, schema=INGESTED_FILES.schema)

    def __iter__(self) -> Iterator[LedgerEntry]:
        """Iterate over the entries."""
        return iter(self._entries.values())

    def __len__(self) -> int:
        """How many files."""
        return len(self._entries)

    def get(self, file_id: str) -> LedgerEntry | None:
        """Return the entry of a file."""
        return self._entries.get(file_id)

    def put(self, entry: LedgerEntry) -> None:
        """Add an entry, or replace the one of its file_id."""
        self._entries[entry.file_id] = entry

    def drop(self, file_id: str) -> None:
        """Forget an entry."""
        self._entries.pop(file_id, None)

    def of_source(self, source: str) -> list[LedgerEntry]:
        """The entries of one source."""
        return [entry for entry in self._entries.values() if entry.source == source]

    def candidates(self, source: str, head: bytes) -> list[LedgerEntry]:
        """Entries whose first bytes a file has too; the one read furthest first."""
        hashes: dict[int, str] = {}
        found = []
        for entry in self._entries.values():
            if entry.source != source or not 0 < entry.head_bytes <= len(head):
                continue
            if entry.head_bytes not in hashes:
                hashes[entry.head_bytes] = content_hash(head[: entry.head_bytes])
            if hashes[entry.head_bytes] == entry.head_hash:
                found.append(entry)
        return sorted(found, key=lambda entry: (-entry.bytes_read, entry.file_id))


def content_hash(data: bytes) -> str:
    """Hash bytes of a file: SHA-256, as hex."""
    return hashlib.sha256(data).hexdigest()


def new_file_id(source: str, first_seen: str) -> str:
    """Name a file by its source and the hash of what it held when first read."""
    return hashlib.sha256(f"{source}\0{first_seen}".encode()).hexdigest()[:16]
