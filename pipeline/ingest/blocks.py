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
from functools import cached_property
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import zstandard

from pipeline.ingest.stores import Readable

BLOCK_BYTES = 8 << 20
LONGEST_LINE = 64 << 10
_NEWLINE, _RETURN = 10, 13

Offsets = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}


class Damaged(ValueError):
    """A compressed file that cannot be read to its end; what came before the damage has been given out."""


def find_compression(path: Readable) -> str:
    """Tell how a file is compressed by its first bytes: none, gzip, bzip2 or zstd."""
    with path.open("rb") as file:
        head = file.read(4)
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "none")


def read_pieces(path: Readable, compression: str, start: int = 0, piece_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield a file's decompressed bytes from `start` on, in pieces of bounded size.

    Raises:
        Damaged: after the last good piece of a file whose compression breaks off or is broken.
    """
    with path.open("rb") as file:
        if compression == "none":
            file.seek(start)
            while piece := file.read(piece_bytes):
                yield piece
            return
        skipped = 0
        for piece in _decompressed(file, compression, piece_bytes):
            if skipped < start:
                fresh = piece[max(0, start - skipped) :]
                skipped += len(piece)
                if fresh:
                    yield fresh
            else:
                yield piece


def _decompressed(file: BinaryIO, compression: str, piece_bytes: int) -> Iterator[bytes]:
    """Decompress a stream of one or more members; sizes of pieces are bounded whatever the ratio."""
    if compression == "zstd":
        yield from _zstd_pieces(file, piece_bytes)
        return
    make: Callable[[], _Member] = _GzipMember if compression == "gzip" else _Bzip2Member
    member, is_inside = make(), False
    pending = b""
    while True:
        if not pending and not member.has_more:
            pending = file.read(1 << 20)
            if not pending:
                break
        if not is_inside and compression == "gzip" and not pending.strip(b"\0"):
            pending = b""
            continue
        try:
            piece, pending = member.feed(pending, piece_bytes)
        except (zlib.error, OSError, ValueError) as error:
            raise Damaged(f"{compression}: broken: {error}") from error
        is_inside = True
        if piece:
            yield piece
        if member.is_finished:
            member, is_inside = make(), False
    if is_inside:
        raise Damaged(f"{compression}: ends too early")


class _GzipMember:
    """One member of a gzip file."""

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


_Member = _GzipMember | _Bzip2Member


def _zstd_pieces(file: BinaryIO, piece_bytes: int) -> Iterator[bytes]:
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
        file, read_across_frames=True, read_size=1 << 20
    )
    with reader:
        while True:
            try:
                piece = reader.read(piece_bytes)
            except zstandard.ZstdError as error:
                raise Damaged(f"zstd: broken: {error}") from error
            if not piece:
                return
            yield piece


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
        return np.flatnonzero(np.frombuffer(self.data, dtype=np.uint8) == _NEWLINE).astype(np.int64)

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

    def blank(self) -> Mask:
        """Which lines are empty."""
        return self.ends <= self.starts

    def needing_care(self) -> Mask:
        """Which lines only the exact path may read: with a NUL or a stray return, not UTF-8, or too long."""
        lengths = self.ends - self.starts
        care = (lengths > LONGEST_LINE) | self.holding(b"\0")
        if b"\r" in self.data:
            care |= self.holding(b"\r", inside_only=True)
        try:
            self.data.decode("utf-8")
        except UnicodeDecodeError:
            care |= self._not_utf8()
        return care

    def starting_with(self, char: bytes) -> Mask:
        """Which lines begin with a byte."""
        first = np.frombuffer(self.data, dtype=np.uint8)[self.starts]
        return np.logical_and(first == char[0], self.ends > self.starts)

    def holding(self, text: bytes, inside_only: bool = False) -> Mask:
        """Which lines hold one or two bytes; on demand not just before their newline."""
        held = np.zeros(len(self), dtype=np.bool_)
        if text not in self.data:
            return held
        chars = np.frombuffer(self.data, dtype=np.uint8)
        places = np.flatnonzero(chars == text[0])
        if len(text) > 1:
            places = places[chars[np.minimum(places + 1, len(chars) - 1)] == text[1]]
        lines = np.searchsorted(self.starts, places, side="right") - 1
        if inside_only:
            lines = lines[places < self.ends[lines]]
        held[lines] = True
        return held

    def _not_utf8(self) -> Mask:
        chars = np.frombuffer(self.data, dtype=np.uint8)
        lines = np.unique(np.searchsorted(self.starts, np.flatnonzero(chars >= 0x80), side="right") - 1)
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
    """The bytes after the last newline, and what broke the file off there, if anything did."""

    offset: int
    text: bytes
    problem: str | None = None


_HELD_BYTES = 4 << 20


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
                block = Block(b"".join((rest, memoryview(piece)[:cut])), offset)
                yield block
                offset += len(block.data)
                rest.clear()
            rest += piece[cut:]
            if len(rest) > _HELD_BYTES:
                dropped = len(rest) - LONGEST_LINE
                del rest[LONGEST_LINE:]
    except (Damaged, OSError) as damage:
        problem = str(damage)
    if dropped:
        yield Overlong(offset, bytes(rest), len(rest) + dropped)
        offset += len(rest) + dropped
        rest.clear()
    yield Tail(offset, bytes(rest), problem)
