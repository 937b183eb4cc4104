"""The ledger: every file ever read, by content, with counts that add up; and how a file is known again.

How lines are parsed or compared does not belong here.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, fields
from datetime import date, datetime
from operator import attrgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.schemas.raw import INGESTED_FILES

HEAD_BYTES = 1024
ERASED = "erased"  # what a file's first or last line is once somebody whose it was is erased


@dataclass(slots=True)
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
    lines_erased: int = 0
    values_masked: int = 0
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
        self._entries: dict[str, LedgerEntry] = {}
        self._by_head: dict[tuple[str, int], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for entry in entries:
            self.put(entry)

    @classmethod
    def from_files(cls, paths: Iterable[Path]) -> Ledger:
        """Read it from the table's live files."""
        return cls(entry for path in paths for entry in _entries(pq.read_table(path, partitioning=None)))

    def to_table(self) -> pa.Table:
        """Return all entries as rows of `ingested_files`, sorted by file_id."""
        entries = [self._entries[file_id] for file_id in sorted(self._entries)]
        columns = [
            pa.array(map(attrgetter(field.name), entries), field.type, size=len(entries))
            for field in INGESTED_FILES.schema
        ]
        return pa.table(columns, schema=INGESTED_FILES.schema)

    def __iter__(self) -> Iterator[LedgerEntry]:
        """Iterate over the entries."""
        return iter(self._entries.values())

    def __len__(self) -> int:
        """How many files."""
        return len(self._entries)

    @property
    def ids(self) -> Set[str]:
        """The file_id of every entry."""
        return self._entries.keys()

    def get(self, file_id: str) -> LedgerEntry | None:
        """Return the entry of a file."""
        return self._entries.get(file_id)

    def put(self, entry: LedgerEntry) -> None:
        """Add an entry, or replace the one of its file_id."""
        self._entries[entry.file_id] = entry
        self._by_head[entry.source, entry.head_bytes][entry.head_hash].add(entry.file_id)

    def drop(self, file_id: str) -> None:
        """Forget an entry."""
        entry = self._entries.pop(file_id, None)
        if entry is not None:
            self._by_head[entry.source, entry.head_bytes][entry.head_hash].discard(file_id)

    def of_source(self, source: str) -> list[LedgerEntry]:
        """The entries of one source."""
        return [entry for entry in self._entries.values() if entry.source == source]

    def candidates(self, source: str, head: bytes) -> list[LedgerEntry]:
        """Entries whose first bytes a file has too; the one read furthest first."""
        found = [
            self._entries[file_id]
            for (of_source, length), heads in self._by_head.items()
            if of_source == source and 0 < length <= len(head)
            for file_id in heads.get(content_hash(head[:length]), ())
        ]
        return sorted(found, key=lambda entry: (-entry.bytes_read, entry.file_id))


def _entries(table: pa.Table) -> Iterator[LedgerEntry]:
    names = [field.name for field in fields(LedgerEntry) if field.name in table.column_names]
    for values in zip(*(table[name].to_pylist() for name in names), strict=True):
        known = zip(names, values, strict=True)
        # Rows of a version that did not have a column yet have nothing in it.
        yield LedgerEntry(**{name: value for name, value in known if value is not None})


def content_hash(data: bytes) -> str:
    """Hash bytes of a file: SHA-256, as hex."""
    return hashlib.sha256(data).hexdigest()


def new_file_id(source: str, first_seen: str) -> str:
    """Name a file by its source and the hash of what it held when first read."""
    return hashlib.sha256(f"{source}\0{first_seen}".encode()).hexdigest()[:16]
