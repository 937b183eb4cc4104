"""A run: one writer's work on the warehouse, which becomes the state that later runs continue and readers see."""

from __future__ import annotations

import copy
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.places import check_places
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.tombstones import MARK, check_mark
from pipeline.warehouse.delta import DayFiles, DeltaFiles
from pipeline.warehouse.files import new_path, write_file
from pipeline.warehouse.lock import write_lock
from pipeline.warehouse.state import PUBLISHED, STAGED, State, forget, read_state, write_state
from pipeline.warehouse.sweep import sweep_locked
from pipeline.warehouse.views import create_views, open_connection

LOCK_TIMEOUT_S = 600.0
_LOG = logging.getLogger("trail")


@contextmanager
def open_run(settings: Settings, timeout_s: float = LOCK_TIMEOUT_S, is_erasing: bool = False) -> Iterator[Run]:
    """Begin a run where the last one staged; leaving the block without staging discards what was done since.

    From then on Arrow takes its memory from the system: for tables as large as a run's that is a tenth quicker.

    Args:
        settings: where the warehouse is.
        timeout_s: how long to wait for another run to end.
        is_erasing: whether this run makes up for erasures that the warehouse did not go through.

    Raises:
        LockTimeoutError: another run held the warehouse for longer than `timeout_s`.
        ErasedError: the warehouse did not go through an erasure, or the ledger of erasures is not the one it knows.
        PlaceError: a place lies where data may not be.
    """
    check_places(settings)
    pa.set_memory_pool(pa.system_memory_pool())
    settings.warehouse.mkdir(parents=True, exist_ok=True)
    with write_lock(settings.warehouse, timeout_s):
        if not is_erasing:
            check_mark(settings, read_state(settings.warehouse, STAGED).facts.get(MARK))
        yield Run(settings)


class Run:
    """One writer's view of the warehouse.

    Attributes:
        settings: where the warehouse is, and what else is configured.
        facts: what writers noted of the state; changed here, kept by `stage`.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        staged = read_state(settings.warehouse, STAGED)
        self.facts: dict[str, Any] = copy.deepcopy(staged.facts)
        self._tables: dict[str, DeltaFiles] = {}
        for name, table in TABLES.items():
            files = DeltaFiles(settings.warehouse / name, table, staged.versions.get(name))
            files.restore()
            if files.is_outgrown:
                files.begin_anew()
                forget(self.facts, name)
            elif files.is_narrower:
                _LOG.info("%s: adding the columns that this version of Trail has", name)
                files.widen()
            self._tables[name] = files

    def files(self, table: str, first: date | None = None, last: date | None = None) -> DayFiles:
        """Live files of a table by day, within a range of days; the key is None for a table that is not by day."""
        return self._tables[table].files(first, last)

    def new_path(self, table: str, day: date | None) -> Path:
        """Return the name of a data file for a writer of its own; it is checked when it is added."""
        return new_path(self.settings.warehouse / table, day)

    def write(self, table: str, day: date | None, data: pa.Table) -> Path:
        """Write rows to a file that is not live yet.

        Raises:
            SchemaError: the rows are not what the table's schema says.
        """
        return self.write_parts(table, day, [data])[0]

    def write_parts(self, table: str, day: date | None, parts: Iterable[pa.Table | pa.RecordBatch]) -> tuple[Path, int]:
        """Write rows that come in parts to a file that is not live yet; return it and how many rows it has.

        Raises:
            SchemaError: the rows are not what the table's schema says.
        """
        path = self.new_path(table, day)
        return path, write_file(path, TABLES[table], parts)

    def append(self, table: str, files: Mapping[date | None, Sequence[Path]]) -> None:
        """Make files live, in one transaction."""
        self._tables[table].commit(files, ())

    def replace(self, table: str, files: Mapping[date | None, Sequence[Path]]) -> None:
        """Make files the only live ones of their days (None: of the table), in one transaction; none empties a day."""
        self._tables[table].commit(files, list(files))

    def connect(
        self, first: date | None = None, last: date | None = None, tables: Collection[str] | None = None
    ) -> duckdb.DuckDBPyConnection:
        """Open DuckDB with tables as views in this run's own state.

        Args:
            first: the first day of tables by day that they have.
            last: the last day.
            tables: which; all where None. To name those that are asked is much quicker: each view opens a file.
        """
        connection = open_connection(self.settings)
        named = TABLES if tables is None else tables
        create_views(connection, {name: _flat(self._tables[name].files(first, last)) for name in named}, named)
        return connection

    def stage(self) -> None:
        """Make this the state that later runs go on from; readers don't see it yet."""
        write_state(self.settings.warehouse, STAGED, self._state())

    def publish(self) -> None:
        """Stage, and show the state to readers, all tables at once."""
        self.stage()
        erased = {name: fact for name, fact in self.facts.items() if name == MARK}
        write_state(self.settings.warehouse, PUBLISHED, State(self._state().versions, erased))

    def sweep(self) -> list[Path]:
        """Remove files that have not been needed for the grace period; only after staging or publishing."""
        return sweep_locked(self.settings)

    def _state(self) -> State:
        versions = {name: files.version for name, files in self._tables.items()}
        return State({name: number for name, number in versions.items() if number is not None}, self.facts)


def _flat(files: DayFiles) -> list[Path]:
    return [path for paths in files.values() for path in paths]
