"""Lines in the landing folder overwritten where they lie, byte for byte, so that every other line stays where it is.

A line that goes becomes as many carriage returns, which reads as a blank line; words in others become noughts. Whether
the folder is Trail's to write to is the setting `landing_is_ours`.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import os
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from pipeline.ingest.landing import KnownFiles
from pipeline.ingest.ledger import Ledger, LedgerEntry
from pipeline.ingest.pieces import Damaged, find_compression, read_pieces
from pipeline.privacy.words import Words
from pipeline.settings import Settings
from pipeline.warehouse import Run
from pipeline.warehouse.files import sync

_NEWLINE, _BLANK = b"\n", b"\r"
Offsets = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Scrubbed:
    """A file that is to be overwritten.

    Attributes:
        path: relative to the landing folder.
        file_id: as in `ingested_files`.
        lines: how many lines go.
    """

    path: str
    file_id: str
    lines: int


def plan_landing(run: Run, settings: Settings, ledger: Ledger, offsets: Offsets, words: Words) -> list[Scrubbed]:
    """Find the files that hold lines which go, or words; the ledger gets the hashes that they will have.

    Args:
        run: an open run.
        settings: where the landing folder is.
        ledger: every file read.
        offsets: where the lines begin that go, sorted, by file.
        words: masked in all other lines.

    Returns:
        The files; none where the landing place is no folder. A path that by now holds another file is left out.
    """
    if not isinstance(settings.landing, Path):
        return []
    planned = [
        one
        for path, _, file_id in KnownFiles(run.files("landing_files").get(None, [])).of_files(ledger.ids)
        if (entry := ledger.get(file_id)) and (one := _planned(settings.landing / path, path, entry, offsets, words))
    ]
    # Only now: a file may lie there under two names, and is told by the hash that it has had.
    for scrubbed, content_hash, head_hash in planned:
        entry = ledger.get(scrubbed.file_id)
        assert entry is not None
        entry.content_hash, entry.head_hash = content_hash, head_hash
    return [scrubbed for scrubbed, _, _ in planned]


def _planned(
    file: Path, path: str, entry: LedgerEntry, offsets: Offsets, words: Words
) -> tuple[Scrubbed, str, str] | None:
    """Tell whether a file is to be overwritten, and the hashes of its content and its head that it will have then."""
    own = offsets.get(entry.file_id, ())
    was, whole, head = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    left, left_of_head, is_changed = entry.bytes_read, entry.head_bytes, False
    try:
        for before, after in _overwritten(file, own, words):
            was.update(before[:left])
            whole.update(after[:left])
            head.update(after[:left_of_head])
            left -= min(left, len(before))
            left_of_head -= min(left_of_head, len(before))
            is_changed = is_changed or before != after
    except OSError:
        return None
    if left or not is_changed or was.hexdigest() != entry.content_hash:
        return None
    return Scrubbed(path, entry.file_id, len(own)), whole.hexdigest(), head.hexdigest()


def overwrite(settings: Settings, one: Scrubbed, offsets: Sequence[int], words: Words) -> None:
    """Overwrite a file; doing it again changes nothing.

    Args:
        settings: where the landing folder is.
        one: which file.
        offsets: where the lines begin that go, sorted.
        words: masked in all other lines.

    Raises:
        OSError: it cannot be written.
    """
    assert isinstance(settings.landing, Path)
    file = settings.landing / one.path
    if not file.is_file():
        return
    if find_compression(file) == "none":
        _overwrite_in_place(file, offsets, words)
    else:
        _overwrite_packed(file, offsets, words)


def _overwrite_in_place(file: Path, offsets: Sequence[int], words: Words) -> None:
    """Write over just what changes, so that a server may go on adding lines; it keeps its time, as it is not new."""
    status = file.stat()
    with file.open("r+b") as out:
        place = 0
        for before, after in _overwritten(file, offsets, words):
            if before != after:
                out.seek(place)
                out.write(after)
            place += len(after)
        out.flush()
        os.fsync(out.fileno())
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def _overwrite_packed(file: Path, offsets: Sequence[int], words: Words) -> None:
    fresh = file.with_name(f".{file.name}.tmp")
    with fresh.open("wb") as raw, _packed(find_compression(file), raw) as out:
        for _, after in _overwritten(file, offsets, words):
            out.write(after)
    fresh.chmod(file.stat().st_mode)
    sync(fresh)
    fresh.replace(file)
    sync(file)


def _packed(compression: str, raw: BinaryIO) -> BinaryIO:
    if compression == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0))
    if compression == "bzip2":
        return cast(BinaryIO, bz2.BZ2File(raw, "wb"))
    return cast(BinaryIO, zstandard.ZstdCompressor().stream_writer(raw, closefd=False))


def _overwritten(file: Path, offsets: Sequence[int], words: Words) -> Iterator[tuple[bytes, bytes]]:
    """Yield a file's bytes in whole lines, as they are and as they are to be; what lies after damage stays unread."""
    place, rest = 0, b""
    try:
        for piece in read_pieces(file, find_compression(file)):
            data = rest + piece
            cut = data.rfind(_NEWLINE) + 1
            if cut:
                yield data[:cut], _without(data[:cut], place, offsets, words)
            place, rest = place + cut, data[cut:]
    except Damaged:
        pass
    if rest:
        yield rest, _without(rest, place, offsets, words)


def _without(data: bytes, place: int, offsets: Sequence[int], words: Words) -> bytes:
    """Overwrite the lines of a piece, which begins at a place of the file, that go, and mask words in the others."""
    out = bytearray(data)
    for offset in offsets[bisect_left(offsets, place) : bisect_left(offsets, place + len(data))]:
        begin = offset - place
        end = data.find(_NEWLINE, begin)
        end = len(data) if end < 0 else end
        out[begin:end] = _BLANK * (end - begin)
    return words.masked(bytes(out))
