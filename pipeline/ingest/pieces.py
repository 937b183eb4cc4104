"""A file's decompressed bytes, in pieces of bounded size, and their hash.

Where lines begin does not belong here.
"""

from __future__ import annotations

import bz2
import hashlib
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO

import zstandard

from pipeline.ingest.limits import Limit
from pipeline.ingest.stores import Readable

_PIECE_BYTES = 8 << 20
_LARGEST_WINDOW = 128 << 20  # what `zstd --long` writes
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}


class Damaged(ValueError):
    """A file that cannot, or may not, be read to its end; what came before has been given out."""


def find_compression(path: Readable) -> str:
    """Tell how a file is compressed by its first bytes: none, gzip, bzip2 or zstd."""
    with path.open("rb") as file:
        head = file.read(4)
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "none")


def read_pieces(
    path: Readable, compression: str, start: int = 0, piece_bytes: int = _PIECE_BYTES, limit: Limit | None = None
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
