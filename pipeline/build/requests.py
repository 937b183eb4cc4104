"""Days of `requests`: raw rows in bounded chunks, enriched, named, and laid so that one person's lie together.

Files of a day are independent of each other, so that a day of any size takes the memory of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.build.request_ids import Keys, Names, line_keys
from pipeline.build.stale import State, fingerprint, how_built, note_built
from pipeline.enrich import RAW_COLUMNS, Enricher, GeoDatabase, Rows, UserAgentCache, open_geo
from pipeline.enrich.visitors import hex_texts
from pipeline.formats import format_as_read, has_place_for
from pipeline.schemas.raw import RAW_REQUESTS
from pipeline.settings import Settings
from pipeline.warehouse import Run
from pipeline.warehouse.files import ROW_GROUP_ROWS

PIECE_ROWS = 2 * ROW_GROUP_ROWS
_SORTED_ROWS = 4_000_000  # keys of a day that are sorted at once
FILE_ROWS = 4 * ROW_GROUP_ROWS
CACHE = "_cache"
_READ = ["line_hash", *RAW_COLUMNS]
_TEXTS = [field.name for field in RAW_REQUESTS.schema if pa.types.is_dictionary(field.type)]

Progress = Callable[[str], None]
Write = Callable[[date, Iterable[pa.Table]], Path]


def build_requests(
    run: Run, settings: Settings, days: Iterable[date], progress: Progress | None = None
) -> dict[date, int]:
    """Build days of `requests` from `raw_requests`.

    Args:
        run: an open run; days are replaced in its view.
        settings: what enrichment needs.
        days: the days; one without raw rows becomes empty.
        progress: is told of each day in a sentence.

    Returns:
        Rows by day.
    """
    rows: dict[date, int] = {}
    built: dict[date | None, list[Path]] = {}
    files = {"raw_requests": run.files("raw_requests")}
    raw = {day: files["raw_requests"].get(day, []) for day in days}
    silent = files_without_user_agents(run, settings)

    def write(day: date, parts: Iterable[pa.Table]) -> Path:
        return run.write_parts("requests", day, parts)[0]

    for day, paths, count in derive_days(settings, open_geo(settings), silent, raw, write):
        built[day], rows[day] = paths, count
        note_built(run, "requests", day, fingerprint(files, "requests", day, how_built(run, "requests")))
        if progress:
            progress(f"requests {day}: {rows[day]} rows")
    run.replace("requests", built)
    return rows


def files_without_user_agents(state: State, settings: Settings) -> set[str]:
    """Find the log files whose lines have no place for a user agent, so that none on a line tells nothing.

    Of a W3C log the last header counts.

    Args:
        state: a run, or a look at a state.
        settings: what formats need.

    Returns:
        Their `file_id`s.
    """
    names = ["file_id", "format", "source", "format_state"]
    paths = state.files("ingested_files").get(None, [])
    entries = [row for path in paths for row in pq.read_table(path, columns=names, partitioning=None).to_pylist()]

    @cache
    def is_silent(name: str | None, source: str, format_state: str | None) -> bool:
        known = format_as_read(name, source, settings, format_state)
        return known is not None and not has_place_for(known, "user_agent")

    return {row["file_id"] for row in entries if is_silent(row["format"], row["source"], row["format_state"])}


def derive_days(
    settings: Settings,
    geo: GeoDatabase | None,
    silent_files: Set[str],
    raw: Mapping[date, Sequence[Path]],
    write: Write,
) -> Iterator[tuple[date, list[Path], int]]:
    """Derive days of `requests` from their raw rows.

    Args:
        settings: what enrichment needs.
        geo: the database of places.
        silent_files: log files of `files_without_user_agents`.
        raw: files of `raw_requests` by day.
        write: puts rows of a day, which come in parts, into a file of its own; is called from several threads.

    Yields:
        Each day, its files in the order in which they were asked for, and how many rows they have.
    """
    user_agents = UserAgentCache(settings.warehouse / CACHE)
    enricher = Enricher(settings, geo, user_agents, silent_files)
    with (
        ThreadPoolExecutor(3, thread_name_prefix="read") as readers,
        ThreadPoolExecutor(settings.threads, thread_name_prefix="write") as writers,
    ):
        readers.submit(user_agents.prepare)
        for day, paths in raw.items():
            written = _Day(write, day, enricher, readers, writers, settings.threads)
            files = written.build(paths)
            yield day, files, written.rows
    user_agents.save()


class _Day:
    """One day's files in the making.

    Attributes:
        rows: how many were written.
    """

    def __init__(
        self,
        write: Write,
        day: date,
        enricher: Enricher,
        readers: ThreadPoolExecutor,
        writers: ThreadPoolExecutor,
        threads: int,
    ) -> None:
        self._put, self._day, self._enricher = write, day, enricher
        self._readers, self._writers, self._threads = readers, writers, threads
        self._writing: list[Future[Path]] = []
        self.rows = 0

    def build(self, paths: Sequence[Path]) -> list[Path]:
        """Enrich raw rows, name them, and have them written in chunks; return the files."""
        repeated = self._readers.submit(_repeated, paths)
        names: Names | None = None
        keys: list[Keys] = []
        for raw in _ahead(_raw(paths), self._readers):
            self._enricher.add(raw)
            names = names or Names(repeated.result())
            keys.append(names.keys(raw))
            if self._enricher.is_full:
                self._write(keys)
        if keys:
            self._write(keys)
        return [written.result() for written in self._writing]

    def _write(self, keys: list[Keys]) -> None:
        """Have the rows held written, one person's together, in as many files at a time as there are threads."""
        wait(self._writing)  # so that no more than two chunks are in memory: one is written while the next is read
        requests = self._enricher.take()
        order = _person_order(requests)
        self.rows += len(order)
        rounds = -(-len(order) // (FILE_ROWS * self._threads))
        named = np.concatenate(keys)
        keys.clear()
        for part in np.array_split(order, rounds * self._threads if len(order) > ROW_GROUP_ROWS else 1):
            self._writing.append(self._writers.submit(_write_file, self._put, self._day, requests, named, part))


def _write_file(write: Write, day: date, requests: Rows, keys: Keys, order: npt.NDArray[np.int64]) -> Path:
    """Lay out, name and write some rows of a chunk, a row group at a time."""
    parts = (order[start : start + ROW_GROUP_ROWS] for start in range(0, len(order), ROW_GROUP_ROWS))
    named = ((requests.table(rows), hex_texts(f"{day:%Y%m%d}-", keys[rows])) for rows in parts)
    return write(day, (table.append_column("request_id", names) for table, names in named))


def _ahead(pieces: Iterator[pa.Table], pool: ThreadPoolExecutor) -> Iterator[pa.Table]:
    """Have the next piece read while one is worked on."""
    upcoming = pool.submit(next, pieces, None)
    while (piece := upcoming.result()) is not None:
        upcoming = pool.submit(next, pieces, None)
        yield piece


def _raw(paths: Iterable[Path]) -> Iterator[pa.Table]:
    """Read files in pieces, in the order of the files and their lines; the row groups of a piece share dictionaries.

    The first pieces are small, so that work on them begins while the others are read.
    """
    held: list[pa.Table] = []
    count, wanted = 0, 1
    for path in paths:
        with pq.ParquetFile(path, read_dictionary=_TEXTS) as file:
            for group in range(file.num_row_groups):
                held.append(file.read_row_group(group, columns=_READ))
                count += held[-1].num_rows
                if count >= wanted:
                    yield pa.concat_tables(held).unify_dictionaries()
                    held, count, wanted = [], 0, min(2 * count, PIECE_ROWS)
    if held:
        yield pa.concat_tables(held).unify_dictionaries()


def _repeated(paths: Sequence[Path]) -> Keys:
    """Find the keys of lines that occur more than once in a day, which are few; in passes, if the day is large."""
    passes = -(-sum(pq.read_metadata(path).num_rows for path in paths) // _SORTED_ROWS)
    found = [np.zeros(0, dtype=np.uint64)]
    for number in range(passes):
        keys = np.concatenate(
            [_share(line_keys(part), number, passes) for path in paths for part in _line_hashes(path)]
        )
        keys.sort()
        found.append(np.unique(keys[1:][keys[1:] == keys[:-1]]))
    return np.sort(np.concatenate(found))


def _line_hashes(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path, read_dictionary=["source"]) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=["source", "line_hash"])


def _share(keys: Keys, number: int, passes: int) -> Keys:
    return keys if passes == 1 else keys[keys % np.uint64(passes) == number]


def _person_order(requests: Rows) -> npt.NDArray[np.int64]:
    """Order rows by user (unknown last), visitor and time."""
    instants = requests.plain["occurred_at"].cast(pa.int64()).to_numpy()
    return np.lexsort((instants, (requests.ranks("user_id") << 32) + requests.ranks("visitor_id")))
