"""The proof of an erasure: every store read again from end to end, no index asked, for the words that must be gone.

A data file is looked through as what it unpacks to, with its footer, and so is a packed log; every other file as it
lies: by chance, thousands of short words would be among the bytes of packed ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ingest.pieces import Damaged, find_compression, read_pieces
from pipeline.privacy.words import Words, may_hold_text
from pipeline.settings import Settings

RECORD, LOOKS = "record of requests", "log of who looked"
_PIECE = 8 << 20
_PARQUET = b"PAR1"
_FOOTER_END = 8  # its length, and the mark again


@dataclass
class Searched:
    """What was searched of a store, and where something was found.

    Attributes:
        store: what it is.
        files: how many files.
        bytes: as they lie on the disk.
        found: paths relative to the store, and of a data file its column, that hold a word.
    """

    store: str
    files: int = 0
    bytes: int = 0
    found: list[str] = field(default_factory=list)


def stores(settings: Settings) -> dict[str, Path]:
    """The folders that Trail writes to, by what they are."""
    named = {
        "warehouse": settings.warehouse,
        "reports": settings.reports_folder,
        LOOKS: settings.access_log,
        RECORD: settings.privacy,
    }
    if settings.landing_is_ours and isinstance(settings.landing, Path):
        named["landing"] = settings.landing
    if os.environ.get("TRAIL_STATE"):
        named["orchestrator"] = Path(os.environ["TRAIL_STATE"])
    return named


def search(
    settings: Settings,
    words: Words,
    without: Set[Path] = frozenset(),
    only: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Searched]:
    """Look for words in every file of every store.

    Args:
        settings: where the stores are.
        words: what must not be there.
        without: files and folders that are left out.
        only: the one store to look through; all where None.
        progress: told what is done.

    Returns:
        What was searched, store by store, and what was found.
    """
    done = []
    for store, folder in stores(settings).items():
        if only not in (None, store):
            continue
        searched = Searched(store)
        paths = list(_files(folder, without))
        with ThreadPoolExecutor(settings.threads) as pool:
            for path, looked in zip(paths, pool.map(partial(_look_through, words=words), paths), strict=True):
                if looked is not None:
                    searched.files += 1
                    searched.bytes += looked.bytes
                    searched.found += [f"{path.relative_to(folder)}{place}" for place in looked.found]
        done.append(searched)
        if progress:
            progress(f"searched {searched.files:,} files of the {store}, {searched.bytes / 1e6:,.1f} MB")
    return done


class _Looked(NamedTuple):
    """A file that was looked through."""

    bytes: int
    found: list[str]


def _look_through(path: Path, words: Words) -> _Looked | None:
    """Look through a file; None where another process wrote it for the moment and it is gone."""
    try:
        return _Looked(path.stat().st_size, list(_places(path, words)))
    except FileNotFoundError:
        return None


def _files(folder: Path, without: Set[Path]) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file() and not path.is_symlink() and without.isdisjoint({path, *path.parents}):
            yield path


def _places(path: Path, words: Words) -> Iterator[str]:
    """Where in a file a word stands: nothing for the file itself, a column's name for what it unpacks to."""
    with path.open("rb") as file:
        is_parquet = file.read(len(_PARQUET)) == _PARQUET
    if is_parquet:
        if words.are_in(_footer(path)):
            yield ": footer"
        yield from (f": {column}" for column in _columns(path, words))
        return
    compression = find_compression(path)
    rest = b""
    try:
        for piece in read_pieces(path, compression, piece_bytes=_PIECE):
            if words.are_in(rest + piece):
                yield "" if compression == "none" else ": unpacked"
                return
            rest = (rest + piece)[-words.longest :]
    except Damaged:
        return


def _footer(path: Path) -> bytes:
    """The bytes of a Parquet file's own description of itself, in which the least and greatest values stand."""
    with path.open("rb") as file:
        file.seek(-_FOOTER_END, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-_FOOTER_END - length, os.SEEK_END)
        return file.read(length)


def _columns(path: Path, words: Words) -> Iterator[str]:
    schema = pq.read_schema(path)
    texts = [one.name for one in schema if pa.types.is_string(one.type)]
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for name in (one.name for one in schema if may_hold_text(one.type)):
            groups = (
                file.read_row_group(number, columns=[name], use_threads=False) for number in range(file.num_row_groups)
            )
            if any(words.are_in_column(group[name]) for group in groups):
                yield name
