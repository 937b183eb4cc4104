"""Days of `requests`: raw rows in bounded chunks, enriched, named, and laid so that one person's lie together.

Files of a day are independent of each other, so that a day of any size takes the memory of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.build.stale import fingerprint, note_built
from pipeline.enrich import RAW_COLUMNS, Enricher, Rows, UserAgentCache, open_geo
from pipeline.formats.text import codes_and_values
from pipeline.ingest.line_hash import hash_texts, mix
from pipeline.schemas import RAW_REQUESTS
from pipeline.settings import Settings
from pipeline.warehouse import Run

CHUNK_ROWS = 250_000
CACHE = "_cache"
_STEP = np.uint64(0xD6E8FEB86659FD93)
_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint8).reshape(256, 2)
_READ = ["line_hash", *RAW_COLUMNS]
_TEXTS = [field.name for field in RAW_REQUESTS.schema if pa.types.is_dictionary(field.type)]

Keys = npt.NDArray[np.uint64]
Progress = Callable[[str], None]


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
    user_agents = UserAgentCache(settings.warehouse / CACHE)
    enricher = Enricher(settings, open_geo(settings), user_agents)
    rows: dict[date, int] = {}
    built: dict[date | None, list[Path]] = {}
    with run.connect() as connection, ThreadPoolExecutor(settings.threads + 1, thread_name_prefix="build") as pool:
        for day in days:
            files = {"raw_requests": run.files("raw_requests", day, day)}
            names = _Names(_repeated(connection, day))
            writing: list[Future[Path]] = []
            rows[day] = 0
            for raw in _ahead(_chunks(files["raw_requests"].get(day, [])), pool):
                if len(writing) >= settings.threads:
                    writing[-settings.threads].result()  # no more chunks wait than there are threads
                writing.append(pool.submit(_write_chunk, run, day, enricher.enrich(raw), names.keys(raw)))
                rows[day] += raw.num_rows
            built[day] = [written.result() for written in writing]
            note_built(run, "requests", day, fingerprint(files, "requests", day))
            if progress:
                progress(f"requests {day}: {rows[day]} rows")
    run.replace("requests", built)
    user_agents.save()
    return rows


def _write_chunk(run: Run, day: date, requests: Rows, keys: Keys) -> Path:
    """Lay one person's rows together, name them, write them."""
    order = _person_order(requests)
    table = requests.table(order)
    return run.write("requests", day, table.append_column("request_id", request_ids(day, keys[order])))


def _ahead(chunks: Iterator[pa.Table], pool: ThreadPoolExecutor) -> Iterator[pa.Table]:
    """Have the next chunk read while one is worked on."""
    upcoming = pool.submit(next, chunks, None)
    while (chunk := upcoming.result()) is not None:
        upcoming = pool.submit(next, chunks, None)
        yield chunk


def _chunks(paths: Iterable[Path]) -> Iterator[pa.Table]:
    """Read files in chunks; small ones are put together. Order is that of the files and their lines."""
    held: list[pa.Table] = []
    count = 0
    for path in paths:
        with pq.ParquetFile(path, read_dictionary=_TEXTS) as file:
            for group in range(file.num_row_groups):
                held.append(file.read_row_group(group, columns=_READ))
                count += held[-1].num_rows
                if count >= CHUNK_ROWS:
                    yield pa.concat_tables(held).unify_dictionaries()
                    held, count = [], 0
    if held:
        yield pa.concat_tables(held).unify_dictionaries()


def _repeated(connection: duckdb.DuckDBPyConnection, day: date) -> Keys:
    """Find the keys of lines that occur more than once in a day, which are few."""
    found = connection.sql(
        """
        select source, line_hash
        from raw_requests
        where date = $day
        group by source, line_hash
        having count(*) > 1
        """,
        params={"day": day},
    ).to_arrow_table()
    return np.sort(line_keys(found))


def line_keys(raw: pa.Table) -> Keys:
    """Make a key of each row's source and line hash: what equal lines of a source share."""
    column = raw["source"] if pa.types.is_dictionary(raw["source"].type) else raw["source"].dictionary_encode()
    codes, sources = codes_and_values(column)
    salted = hash_texts(sources)[codes] if len(sources) else np.zeros(0, dtype=np.uint64)
    return mix(raw["line_hash"].to_numpy().view(np.uint64) + salted)


class _Names:
    """Numbers equal lines of a day 0, 1, 2 …, so that each has a key of its own whichever file it came in."""

    def __init__(self, repeated: Keys) -> None:
        self._repeated = repeated
        self._counts = np.zeros(len(repeated), dtype=np.int64)

    def keys(self, raw: pa.Table) -> Keys:
        """Return a key a row, distinct within the day."""
        keys = line_keys(raw)
        if not len(self._repeated):
            return keys
        place = np.minimum(np.searchsorted(self._repeated, keys), len(self._repeated) - 1)
        rows = np.flatnonzero(self._repeated[place] == keys)
        places = pd.Series(place[rows])
        number = places.groupby(places).cumcount().to_numpy() + self._counts[place[rows]]
        np.add.at(self._counts, place[rows], 1)
        keys[rows] = np.where(number > 0, mix(keys[rows] + number.astype(np.uint64) * _STEP), keys[rows])
        return keys


def request_ids(day: date, keys: Keys) -> pa.StringArray:
    """Write ids: the UTC day, a hyphen and 16 hex digits."""
    prefix = np.frombuffer(f"{day:%Y%m%d}-".encode(), dtype=np.uint8)
    width = len(prefix) + 16
    chars = np.empty((len(keys), width), dtype=np.uint8)
    chars[:, : len(prefix)] = prefix
    chars[:, len(prefix) :] = _HEX[keys.astype(">u8").view(np.uint8)].reshape(len(keys), 16)
    offsets = np.arange(0, (len(keys) + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(len(keys), pa.py_buffer(offsets), pa.py_buffer(chars))


def _person_order(requests: Rows) -> npt.NDArray[np.int64]:
    """Order rows by user (unknown last), visitor and time."""
    instants = requests.plain["occurred_at"].cast(pa.int64()).to_numpy()
    return np.lexsort((instants, requests.ranks("visitor_id"), requests.ranks("user_id")))
