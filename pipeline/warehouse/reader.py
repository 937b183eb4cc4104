"""The published state, for those who read: every table as a view, and the list of a table's live files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb

from pipeline.schemas import TABLES
from pipeline.settings import Settings, load_settings
from pipeline.warehouse.delta import DayFiles, DeltaFiles
from pipeline.warehouse.state import PUBLISHED, STAGED, State, read_state
from pipeline.warehouse.views import create_views, open_connection


def connect(settings: Settings | None = None) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with every table of the published state as a view.

    The connection keeps to the state that was published when it was opened, and its files stay for the grace period.

    Args:
        settings: where the warehouse is; read from `trail.toml` and the environment by default.
    """
    settings = settings or load_settings()
    settings.warehouse.mkdir(parents=True, exist_ok=True)
    state = read_state(settings.warehouse, PUBLISHED)
    connection = open_connection(settings)
    create_views(connection, {name: _flat(_files_at(settings, state, name)) for name in TABLES})
    return connection


def live_files(settings: Settings, table: str) -> list[Path]:
    """List the data files of a table in the published state, sorted.

    Raises:
        KeyError: there is no such table.
    """
    return sorted(_flat(_files_at(settings, read_state(settings.warehouse, PUBLISHED), table)))


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

    def files(self, table: str) -> DayFiles:
        """Live files of a table by day."""
        return _files_at(self.settings, self._state, table)

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


def _files_at(settings: Settings, state: State, name: str) -> DayFiles:
    table = TABLES[name]
    return DeltaFiles(settings.warehouse / name, table, state.versions.get(name)).files()
