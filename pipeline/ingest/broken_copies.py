"""Rejected lines that another file has too: copies count once, though such a line tells no time.

It is the same line where its text is the same and so is the line before it, or the line after it. Copies of lines that
could be parsed do not belong here; those are `duplicates`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from pipeline.ingest.file_lines import FileLines, Files, LineReader, Numbers, text_hash
from pipeline.ingest.ledger import LedgerEntry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class BrokenLine:
    """A rejected line, or a copy of one.

    Attributes:
        entry: its file.
        offset: where it begins there.
        text_hash: of its text.
        near: the instant of the line before it or, where there is none, after it.
        is_rejected: whether it is in `rejected_lines`, not noted as a copy already.
    """

    entry: LedgerEntry
    offset: int
    text_hash: int
    near: datetime
    is_rejected: bool


def find_broken_copies(
    run: Files, rejected: Sequence[Mapping[str, Any]], files: Sequence[LedgerEntry], changed_ids: set[str]
) -> list[BrokenLine]:
    """Find the rejected lines that are copies of others.

    Args:
        run: where their neighbours are read.
        rejected: the files' rejected lines: file, offset and text.
        files: of one source.
        changed_ids: the files that got new lines.

    Returns:
        Lines to be counted as duplicates; one of each line that was really written stays rejected.
    """
    texts: dict[str, set[int]] = defaultdict(set)
    for row in rejected:
        texts[row["file_id"]].add(text_hash(row["text"]))
    wanted = [entry for entry in files if any(_may_share(entry, other, texts, changed_ids) for other in files)]
    if not wanted:
        return []
    reader = LineReader(run, wanted)
    all_texts = np.array(sorted(set().union(*texts.values())), dtype=np.int64)
    places = {(row["file_id"], row["line_offset"]) for row in rejected}
    groups = _Groups()
    for entry in wanted:
        for line, keys in _broken_lines(entry, reader.of(entry), all_texts, places):
            groups.add(line, keys)
    return [line for group in groups for line in _surplus(group, changed_ids)]


def _may_share(entry: LedgerEntry, other: LedgerEntry, texts: Mapping[str, set[int]], changed_ids: set[str]) -> bool:
    """Whether two files may have a broken line in common, of which one is new."""
    is_new = bool({entry.file_id, other.file_id} & changed_ids) and entry.file_id != other.file_id
    has_any = bool(texts.get(entry.file_id) or texts.get(other.file_id))
    return is_new and has_any and _overlap(entry, other)


def _overlap(entry: LedgerEntry, other: LedgerEntry) -> bool:
    return entry.first_at is not None and entry.last_at is not None and other.overlaps(entry.first_at, entry.last_at)


def _broken_lines(
    entry: LedgerEntry, lines: FileLines, texts: Numbers, rejected: set[tuple[str, int]]
) -> Iterator[tuple[BrokenLine, list[tuple[object, ...]]]]:
    """Give a file's rejected lines and copies of such, each with what makes it the same as another file's."""
    is_broken = np.isin(lines.hashes, texts)
    whole = np.flatnonzero(~is_broken)
    broken = np.flatnonzero(is_broken)
    place = np.searchsorted(whole, broken)
    seen: Counter[tuple[object, ...]] = Counter()
    found = []
    for number, at in zip(broken.tolist(), place.tolist(), strict=True):
        before = int(whole[at - 1]) if at else None
        after = int(whole[at]) if at < len(whole) else None
        near = before if before is not None else after
        if near is None:
            continue
        text = int(lines.hashes[number])
        offset = int(lines.offsets[number])
        instant = _EPOCH + timedelta(microseconds=int(lines.instants[near]))
        line = BrokenLine(entry, offset, text, instant, (entry.file_id, offset) in rejected)
        sides = [(side, text, int(lines.hashes[by])) for side, by in (("<", before), (">", after)) if by is not None]
        seen.update(sides)
        found.append((line, [(*side, seen[side]) for side in sides]))
    for line, keys in found:  # equal ones before the same line are counted from that line
        yield line, [key if key[0] == "<" else (*key[:3], seen[key[:3]] - int(str(key[3]))) for key in keys]


class _Groups:
    """Lines that are the same one, by keys of which one in common is enough."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[object, ...], list[BrokenLine]] = {}

    def add(self, line: BrokenLine, keys: Sequence[tuple[object, ...]]) -> None:
        """Put a line to those with which it shares a key."""
        group = [line]
        for key in keys:
            other = self._by_key.get(key)
            if other is not None and other is not group:
                other.extend(group)
                self._by_key |= {shared: other for shared, lines in self._by_key.items() if lines is group}
                group = other
            self._by_key[key] = group

    def __iter__(self) -> Iterator[list[BrokenLine]]:
        """Give each group once."""
        return iter({id(group): group for group in self._by_key.values()}.values())


def _surplus(group: list[BrokenLine], changed_ids: set[str]) -> list[BrokenLine]:
    """The rejected lines of a group beyond those that one file has; the new ones rather than the old."""
    true_number = max(Counter(line.entry.file_id for line in group).values())
    rejected = [line for line in group if line.is_rejected]
    rejected.sort(key=lambda line: (line.entry.file_id in changed_ids, line.entry.file_id, line.offset))
    return rejected[true_number:]
