"""Tables as DuckDB views over explicit lists of immutable files: what both readers and writers query."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.table import Table


def open_connection(settings: Settings) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with the settings' threads and memory, UTC, spilling to a folder of its own in the warehouse."""
    spill = settings.spill / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    with suppress(OSError):  # DuckDB makes the last folder only; who may only read the warehouse does without spilling
        spill.parent.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        config={
            "threads": str(settings.threads),
            "memory_limit": settings.memory_limit,
            "temp_directory": str(spill),
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    connection.execute("set TimeZone = 'UTC'")
    return connection


def create_views(
    connection: duckdb.DuckDBPyConnection, files: Mapping[str, Sequence[Path]], tables: Iterable[str] = TABLES
) -> None:
    """Make tables views.

    Args:
        connection: where.
        files: live data files by table; a table with none becomes an empty view with its columns and types.
        tables: which tables; all by default.
    """
    for name in tables:
        connection.execute(_view(TABLES[name], files.get(name, ())))


def _view(table: Table, files: Sequence[Path]) -> str:
    if not files:
        columns = ", ".join(f'null::{_sql_type(field.type)} as "{field.name}"' for field in table.schema)
        return f"create or replace view {table.name} as select {columns} where false"
    listed = ", ".join(_quoted(str(path)) for path in files)
    columns = ", ".join(f'"{name}"' for name in table.schema.names)
    hive = "hive_partitioning = true, hive_types = {date: date}" if table.is_by_day else "hive_partitioning = false"
    return f"create or replace view {table.name} as select {columns} from read_parquet([{listed}], {hive})"  # noqa: S608 paths are quoted


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_TYPES = {
    pa.string(): "varchar",
    pa.int64(): "bigint",
    pa.int32(): "integer",
    pa.int16(): "smallint",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.binary(): "blob",
    pa.timestamp("us", tz="UTC"): "timestamptz",
}


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _sql_type(kind.value_type)
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return f"struct({', '.join(f'{field.name} {_sql_type(field.type)}' for field in kind)})"
    return _TYPES[kind]


def lock_down(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Let a connection read the warehouse and nothing else, for queries that somebody typed; there is no way back."""
    connection.execute(f"set allowed_directories = [{_quoted(str(settings.warehouse))}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
