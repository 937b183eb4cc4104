"""Bytes of a file as blocks of whole lines: decompression, cutting at newlines, and finding the lines that need care.

What a line means does not belong here.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import zstandard

from pipeline.ingest.limits import Limit
from pipeline.ingest.stores import Readable

BLOCK_BYTES = 8 << 20
LONGEST_LINE = 64 << 10
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LARGEST_WINDOW = 128 << 20  # what `zstd --long` writes
_NEWLINE, _RETURN = 10, 13

Offsets = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}


class Damaged(ValueError):
    """A file that cannot, or may not, be read to its end; what came before has been given out."""


def find_compression(path: Readable) -> str:
    """Tell how a file is compressed by its first bytes: none, gzip, bzip2 or zstd."""
    with path.open("rb") as file:
        head = file.read(4)
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "none")


def read_pieces(
    path: Readable, compression: str, start: int = 0, piece_bytes: int = BLOCK_BYTES, limit: Limit | None = None
) -> Iterator[bytes]:
    """Yield a file's decompressed bytes from `start` on, in pieces of bounded size.

    Raises:
        Damaged: after the last good piece of a file whose compression breaks off or is broken, or that goes on at
            the limit.
    """
    with path.open("rb") as file:
        if compression == "none":
            file.seek(start)
            pieces = iter(lambda: file.read(piece_bytes), b"")
        else:
            pieces = _from(start, _gathered(_decompressed(file, compression, piece_bytes), piece_bytes))
        yield from pieces if limit is None else _until(limit, pieces, start)


def _from(start: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out what comes before a place."""
    skipped = 0
    for piece in pieces:
        if skipped < start:
            fresh = piece[max(0, start - skipped) :]
            skipped += len(piece)
            if fresh:
                yield fresh
        else:
            yield piece


def _until(limit: Limit, pieces: Iterator[bytes], position: int) -> Iterator[bytes]:
    """Pass pieces on, the first of which is at a position, up to a limit."""
    for piece in pieces:
        if position + len(piece) > limit.bytes:
            last = piece[: max(0, limit.bytes - position)]
            if last:
                yield last
            raise Damaged(limit.problem)
        position += len(piece)
        yield piece


def _gathered(pieces: Iterator[bytes], most: int) -> Iterator[bytes]:
    """Put small pieces together, to no more than `most` bytes."""
    held: list[bytes] = []
    size = 0
    damage: Damaged | None = None
    try:
        for piece in pieces:
            if held and size + len(piece) > most:
                yield b"".join(held)
                held, size = [], 0
            held.append(piece)
            size += len(piece)
    except Damaged as found:
        damage = found
    if held:
        yield b"".join(held)
    if damage is not None:
        raise damage


def _decompressed(file: BinaryIO, compression: str, piece_bytes: int) -> Iterator[bytes]:
    """Decompress a stream of one or more members; sizes of pieces are bounded whatever the ratio."""
    make = _maker(compression)
    member, is_inside = make(), False
    pending = b""
    while True:
        if not pending and not member.has_more:
            pending = file.read(member.step)
            if not pending:
                break
        if not is_inside and compression == "gzip" and not pending.strip(b"\0"):
            pending = b""
            continue
        try:
            piece, pending = member.feed(pending, piece_bytes)
        except (zlib.error, zstandard.ZstdError, OSError, ValueError) as error:
            raise Damaged(f"{compression}: broken: {error}") from error
        is_inside = True
        if piece:
            yield piece
        if member.is_finished:
            member, is_inside = make(), False
    if is_inside:
        raise Damaged(f"{compression}: ends too early")


class _GzipMember:
    """One member of a gzip file.

    Attributes:
        step: compressed bytes to take at a time. What a member leaves over is copied, so that a file of thousands of
            empty members would take square time with a large step.
    """

    step = 16 << 10

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes, limit: int) -> tuple[bytes, bytes]:
        """Return at most `limit` decompressed bytes, and the compressed bytes not used yet."""
        piece = self._inflate.decompress(data, limit)
        return piece, self._inflate.unconsumed_tail or self._inflate.unused_data

    @property
    def has_more(self) -> bool:
        """Whether more comes out without more going in: never, what is left over is handed back."""
        return False

    @property
    def is_finished(self) -> bool:
        """Whether the member has ended."""
        return self._inflate.eof


class _Bzip2Member:
    """One stream of a bzip2 file."""

    step = 16 << 10

    def __init__(self) -> None:
        self._expand = bz2.BZ2Decompressor()

    def feed(self, data: bytes, limit: int) -> tuple[bytes, bytes]:
        """Return at most `limit` decompressed bytes, and the compressed bytes not used yet."""
        piece = self._expand.decompress(data, limit)
        return piece, self._expand.unused_data if self._expand.eof else b""

    @property
    def has_more(self) -> bool:
        """Whether more comes out without more going in."""
        return not self._expand.eof and not self._expand.needs_input

    @property
    def is_finished(self) -> bool:
        """Whether the stream has ended."""
        return self._expand.eof


class _ZstdMember:
    """One frame of a zstd file.

    All that a step of compressed bytes holds comes out at once, and that is up to 128 KiB for every 4 bytes: 8 MiB.
    """

    step = 256

    def __init__(self, decompressor: zstandard.ZstdDecompressor) -> None:
        self._expand = decompressor.decompressobj()

    def feed(self, data: bytes, _limit: int) -> tuple[bytes, bytes]:
        """Return the decompressed bytes, whatever the limit, and the compressed bytes that are not of this frame."""
        return self._expand.decompress(data), self._expand.unused_data

    @property
    def has_more(self) -> bool:
        """Whether more comes out without more going in: never."""
        return False

    @property
    def is_finished(self) -> bool:
        """Whether the frame has ended."""
        return self._expand.eof


_Member = _GzipMember | _Bzip2Member | _ZstdMember


def _maker(compression: str) -> Callable[[], _Member]:
    """Say how the members of a file are begun."""
    if compression == "zstd":  # one for all frames: to make it takes far longer than to read an empty frame
        return partial(_ZstdMember, zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW))
    return _GzipMember if compression == "gzip" else _Bzip2Member


class HashedPieces:
    """Pieces of a file passed through, with the hash of all that passed and of all up to the last newline.

    Attributes:
        position: where the next byte is in the file.
    """

    def __init__(self, pieces: Iterator[bytes], hasher: hashlib._Hash, start: int) -> None:
        self._pieces = pieces
        self._whole = hasher
        self._lines = hasher.copy()
        self.position = start

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces."""
        for piece in self._pieces:
            cut = piece.rfind(b"\n") + 1
            if cut:
                view = memoryview(piece)
                self._whole.update(view[:cut])
                self._lines = self._whole.copy()
                self._whole.update(view[cut:])
            else:
                self._whole.update(piece)
            self.position += len(piece)
            yield piece

    def hash_until(self, offset: int) -> str:
        """Return the hash, as hex, of the file up to its end so far or its last newline, whichever `offset` is."""
        return (self._whole if offset == self.position else self._lines).hexdigest()


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
