"""Bytes of a file as blocks of whole lines: cutting at newlines, and finding the lines that need care.

What a line means does not belong here.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.ingest.pieces import Damaged

LONGEST_LINE = 64 << 10
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NEWLINE, _RETURN = 10, 13

Offsets = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass
class Block:
    """Whole lines.

    Attributes:
        data: the bytes, each line with its newline.
        offset: where the block begins in the file's decompressed bytes.
    """

    data: bytes
    offset: int

    @cached_property
    def _newlines(self) -> Offsets:
        return self.places(_NEWLINE)

    def places(self, char: int) -> Offsets:
        """Where a byte is."""
        return np.flatnonzero(np.frombuffer(self.data, dtype=np.uint8) == char)

    @cached_property
    def starts(self) -> Offsets:
        """Where each line begins in `data`; found when first asked, so that it is a worker's work."""
        return np.concatenate((np.zeros(1, dtype=np.int64), self._newlines[:-1] + 1))

    @cached_property
    def ends(self) -> Offsets:
        """Where each line ends in `data`, without `\\n` or `\\r\\n`."""
        ends = self._newlines
        if b"\r" not in self.data:
            return ends
        chars = np.frombuffer(self.data, dtype=np.uint8)
        return ends - ((ends > self.starts) & (chars[np.maximum(ends - 1, 0)] == _RETURN))

    def __len__(self) -> int:
        """How many lines."""
        return len(self.starts)

    def line(self, number: int) -> bytes:
        """Return one line without its newline."""
        return self.data[self.starts[number] : self.ends[number]]

    def lines(self, numbers: Offsets, chosen: Mask) -> pa.Array:
        """Return some lines without their newlines, as binary; null for those not chosen."""
        marked = zip(numbers.tolist(), chosen.tolist(), strict=True)
        return pa.array([self.line(number) if is_chosen else None for number, is_chosen in marked], pa.binary())

    def blank(self) -> Mask:
        """Which lines are empty."""
        return self.ends <= self.starts

    def needing_care(self) -> Mask:
        """Which lines only the exact path may read: with a NUL, a stray return or a BOM, not UTF-8, or too long."""
        lengths = self.ends - self.starts
        care = (lengths > LONGEST_LINE) | self.holding(b"\0")
        if BYTE_ORDER_MARK[:1] in self.data:
            care |= self.starting_with(BYTE_ORDER_MARK)
        if b"\r" in self.data:
            care |= self.holding(b"\r", inside_only=True)
        try:
            self.data.decode("utf-8")
        except UnicodeDecodeError:
            care |= self._not_utf8()
        return care

    def starting_with(self, char: bytes) -> Mask:
        """Which lines begin with a byte, the first of those given."""
        first = np.frombuffer(self.data, dtype=np.uint8)[self.starts]
        return np.logical_and(first == char[0], self.ends > self.starts)

    def holding(self, text: bytes, inside_only: bool = False) -> Mask:
        """Which lines hold one or two bytes; on demand not just before their newline."""
        holding = np.zeros(len(self), dtype=np.bool_)
        if text[:1] not in self.data:  # far quicker than to look for two
            return holding
        places = self.places(text[0])
        if len(text) > 1:
            places = places[np.frombuffer(self.data, dtype=np.uint8)[places + 1] == text[1]]
        lines = np.searchsorted(self._newlines, places)
        if inside_only:
            lines = lines[places < self.ends[lines]]
        holding[lines] = True
        return holding

    def _not_utf8(self) -> Mask:
        chars = np.frombuffer(self.data, dtype=np.uint8)
        lines = np.flatnonzero(np.logical_or.reduceat(chars >= 0x80, self.starts))
        bad = np.zeros(len(self), dtype=np.bool_)
        for number in lines.tolist():
            try:
                self.line(number).decode("utf-8")
            except UnicodeDecodeError:
                bad[number] = True
        return bad

    def without(self, care: Mask) -> bytes:
        """Return the bytes of the lines that are not in `care`."""
        if not care.any():
            return self.data
        kept = io.BytesIO()
        edges = np.flatnonzero(np.diff(np.concatenate(([True], care, [True])).astype(np.int8)))
        bounds = np.append(self.starts, len(self.data))
        for first, last in edges.reshape(-1, 2).tolist():
            kept.write(self.data[bounds[first] : bounds[last]])
        return kept.getvalue()


@dataclass(frozen=True)
class Overlong:
    """A line too long to be held: where it begins, its first bytes, and its length without the newline."""

    offset: int
    head: bytes
    length: int


@dataclass(frozen=True)
class Tail:
    """The bytes after the last newline, and what broke the file off there, if anything did.

    Attributes:
        unheld: how many bytes there are after `text`, where they are too many to be held.
    """

    offset: int
    text: bytes
    problem: str | None = None
    unheld: int = 0

    @property
    def length(self) -> int:
        """How many bytes there are after the last newline."""
        return len(self.text) + self.unheld


_HELD_BYTES = 4 << 20
_MOST_LINES = 1 << 17


def _blocks(data: bytes, offset: int) -> Iterator[Block]:
    """Make whole lines a block, or several where they are so short that they are very many."""
    if np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == _NEWLINE) <= _MOST_LINES:  # quicker than to count
        yield Block(data, offset)
        return
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == _NEWLINE)[_MOST_LINES - 1 :: _MOST_LINES] + 1
    for start, end in pairwise([0, *ends.tolist(), len(data)]):
        if start < end:
            yield Block(data[start:end], offset + start)


def cut_blocks(pieces: Iterable[bytes], start: int) -> Iterator[Block | Overlong | Tail]:
    """Cut pieces of a file into blocks of whole lines; what is held at a time is bounded whatever the lines.

    Args:
        pieces: decompressed bytes.
        start: where they begin in the file.

    Yields:
        Blocks and over-long lines in order, and last a Tail.
    """
    rest = bytearray()
    offset, dropped = start, 0
    problem = None
    try:
        for piece in pieces:
            first_end = piece.find(b"\n") + 1
            if dropped and first_end:
                yield Overlong(offset, bytes(rest[:LONGEST_LINE]), len(rest) + dropped + first_end - 1)
                offset += len(rest) + dropped + first_end
                rest.clear()
                dropped = 0
                piece = piece[first_end:]
            elif dropped:
                dropped += len(piece)
                continue
            cut = piece.rfind(b"\n") + 1
            if cut:
                lines = b"".join((rest, memoryview(piece)[:cut]))
                yield from _blocks(lines, offset)
                offset += len(lines)
                rest.clear()
            rest += piece[cut:]
            if len(rest) > _HELD_BYTES:
                dropped = len(rest) - LONGEST_LINE
                del rest[LONGEST_LINE:]
    except (Damaged, OSError) as damage:
        problem = str(damage)
    yield Tail(offset, bytes(rest), problem, dropped)
