"""The published state, for those who read: every table as a view, and the list of a table's live files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb

from pipeline.schemas import TABLES
from pipeline.settings import Settings, load_settings
from pipeline.tombstones import MARK, check_mark
from pipeline.warehouse.delta import OUTGROWN, DayFiles, DeltaFiles
from pipeline.warehouse.files import SchemaError
from pipeline.warehouse.state import PUBLISHED, STAGED, State, forget, read_state
from pipeline.warehouse.views import create_views, open_connection


def connect(settings: Settings | None = None) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with every table of the published state as a view.

    The connection keeps to the state that was published when it was opened, and its files stay for the grace period.

    Args:
        settings: where the warehouse is; read from `trail.toml` and the environment by default.

    Raises:
        SchemaError: what is published was made by a version of Trail whose tables had other columns.
        ErasedError: what is published did not go through an erasure, or the ledger of erasures is not the one it knows.
    """
    settings = settings or load_settings()
    settings.warehouse.mkdir(parents=True, exist_ok=True)
    state = read_state(settings.warehouse, PUBLISHED)
    check_mark(settings, state.facts.get(MARK))
    connection = open_connection(settings)
    tables = {name: _at(settings, state, name) for name in TABLES}
    if outgrown := [name for name, files in tables.items() if files.is_outgrown or files.is_narrower]:
        raise SchemaError(f"{', '.join(outgrown)}: {OUTGROWN}; `trail run` makes them anew")
    create_views(connection, {name: _flat(files.files()) for name, files in tables.items()})
    return connection


def published_mark(settings: Settings) -> str:
    """A text that is another one whenever something else is published."""
    return str(sorted(read_state(settings.warehouse, PUBLISHED).versions.items()))


def live_files(settings: Settings, table: str) -> list[Path]:
    """List the data files of a table in the published state, sorted.

    Raises:
        KeyError: there is no such table.
    """
    return sorted(_flat(_at(settings, read_state(settings.warehouse, PUBLISHED), table).files()))


class StagedState:
    """The state that the next run goes on from, read without the lock: for those who decide whether there is work.

    Attributes:
        settings: where the warehouse is, and what else is configured.
        facts: what writers noted of it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._state = read_state(settings.warehouse, STAGED)
        self.facts = self._state.facts
        self._tables = {name: _at(settings, self._state, name) for name in TABLES}
        for name, files in self._tables.items():
            if files.is_outgrown:
                forget(self.facts, name)

    def files(self, table: str) -> DayFiles:
        """Live files of a table by day; none of a table whose columns were others, which the next run makes anew."""
        return self._tables[table].files()

    @property
    def exists(self) -> bool:
        """Whether anything was ever staged."""
        return bool(self._state.versions)

    @property
    def fingerprint(self) -> str:
        """What changes with the state."""
        return hashlib.sha256(json.dumps(self._state.versions, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def is_published(self) -> bool:
        """Whether readers see this state."""
        return read_state(self.settings.warehouse, PUBLISHED).versions == self._state.versions


def _flat(files: DayFiles) -> list[Path]:
    return [path for paths in files.values() for path in paths]


def _at(settings: Settings, state: State, name: str) -> DeltaFiles:
    return DeltaFiles(settings.warehouse / name, TABLES[name], state.versions.get(name))
