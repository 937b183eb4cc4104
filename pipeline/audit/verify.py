"""Prove that the log of who looked is whole, or say where it is not; mending it does not belong here.

It finds every line that was changed, deleted, inserted, doubled or moved, a tail or file that is gone, a reason that
was changed or taken out, and a head that is missing or changed. It cannot find these:

- Whoever holds the key (made of the setting `secret`) can write a log anew that proves whole.
- Whoever sets the log and its head back together, to how both once were, leaves a log that proves whole.
- One entry after the head, or a torn line there, is what a crash leaves: it may be there or not.

A head that a person keeps elsewhere finds the first two, for all entries up to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline.audit.entries import AccessLogError, Line, read_line, reason_hash
from pipeline.audit.folder import HEAD, Month, snapshot, to_head

MOST_PROBLEMS = 1000
_KEPT = re.compile(r"(\d{1,18}):([0-9a-f]{64}|)", re.ASCII)


@dataclass(frozen=True)
class Problem:
    """What is wrong, and where.

    Attributes:
        file: the file's name.
        line: the line's number from 1; None for a whole file.
        seq: the number that the entry claims; None where it cannot be read.
        what: what is wrong, as the end of a sentence.
    """

    file: str
    line: int | None
    seq: int | None
    what: str

    def __str__(self) -> str:
        at = f", line {self.line}" if self.line is not None else ""
        return f"{self.file}{at}{f', seq {self.seq}' if self.seq is not None else ''}: {self.what}"


@dataclass(frozen=True)
class _Mark:
    """An entry that must be there, and who says so."""

    said_by: str
    seq: int
    hash: str


def verify(folder: Path, key: bytes, head: str | None = None) -> list[Problem]:
    """Read the whole log and its head, a line at a time.

    Args:
        folder: the log's folder; one that does not exist is an empty log.
        key: the log's key.
        head: `SEQ:HASH` as it was kept elsewhere.

    Returns:
        The problems in the order of the log, at most `MOST_PROBLEMS`; none where it is whole.

    Raises:
        ValueError: `head` is no such text.
    """
    marks = []
    if head is not None:
        found = _KEPT.fullmatch(head.strip())
        if found is None:
            raise ValueError(f"{head!r} is no head such as 12:0123…, SEQ:HASH with a hash of 64 digits")
        marks.append(_Mark("the head kept elsewhere", int(found[1]), found[2]))
    return list(islice(_problems(folder, key, marks), MOST_PROBLEMS))


def _problems(folder: Path, key: bytes, marks: list[_Mark]) -> Iterator[Problem]:
    with snapshot(folder) as (raw_head, months):
        acknowledged = None
        if raw_head is not None:
            try:
                head = to_head(key, raw_head)
            except AccessLogError as error:
                yield Problem(HEAD, None, None, str(error))
            else:
                acknowledged = head.seq
                marks = [*marks, _Mark(HEAD, head.seq, head.hash)]
        elif any(month.size for month in months):
            yield Problem(HEAD, None, None, "is missing, though there are entries")
        seq, digest = 0, ""
        unseen = {mark for mark in marks if (mark.seq, mark.hash) != (seq, digest)}
        erased = _erased(months)
        for month in months:
            for number, raw in month.lines():
                line = read_line(raw)
                if line is None:
                    is_torn = month is months[-1] and not raw.endswith(b"\n")
                    if not is_torn:  # a torn end that the head knows is missed below
                        yield Problem(month.name, number, None, "is no line of this log")
                    continue
                if wrong := "; ".join(_wrong(line, key, seq, digest, erased)):
                    yield Problem(month.name, number, line.seq, wrong)
                seq, digest = line.seq, line.hash
                unseen = {mark for mark in unseen if (mark.seq, mark.hash) != (seq, digest)}
    for mark in sorted(unseen, key=lambda mark: mark.said_by):
        is_short = mark.seq > seq
        what = (
            f"the log ends with {seq}: its end is gone, or it was set back" if is_short else "the log has another one"
        )
        yield Problem(mark.said_by, None, mark.seq, what)
    if acknowledged is not None and seq > acknowledged + 1:
        yield Problem(HEAD, None, acknowledged, f"the log goes on to {seq}: the head was set back")


def _wrong(line: Line, key: bytes, seq: int, digest: str, erased: set[int]) -> Iterator[str]:
    """Say what is wrong with a line after the entry with this seq and hash."""
    if line.seq != seq + 1:
        yield f"seq {seq + 1} was due"
    if not line.follows(key, digest):
        yield "it was changed, or does not follow the line before it"
    if line.why is None:
        if line.entry.get("why") is not None and line.seq not in erased:
            yield "its reason is missing, and no entry says that it was erased"
    elif line.seq in erased:
        yield "its reason was to be erased and still stands; erase it again"
    elif reason_hash(key, line.why) != line.entry.get("why"):
        yield "its reason was changed"


def _erased(months: list[Month]) -> set[int]:
    """Collect the seqs whose reason some entry says to be erased; that entry itself is proved like all others."""
    found: set[int] = set()
    for month in months:
        for _, raw in month.lines():
            # No text can hold these bytes, as its quotes are escaped.
            if b'"erased":[' in raw and (line := read_line(raw)) and isinstance(line.entry.get("erased"), list):
                found.update(seq for seq in line.entry["erased"] if isinstance(seq, int))
    return found
