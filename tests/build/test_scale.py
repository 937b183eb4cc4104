"""A day is built from its neighbours and the links, however long the history is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipeline.build.stale import INPUTS
from pipeline.build.tables import BY_DAY, build_days
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import Run, open_run
from pipeline.warehouse.files import new_path

YEARS = [date(2016, 1, 1) + timedelta(days=number) for number in range(3653)]
DAY = date(2024, 2, 29)
BY_DAY_INPUTS = {name for inputs in INPUTS.values() for name, _ in inputs} - {"raw_requests"}


def fill(run: Run, settings: Settings) -> None:
    """Give ten years a file a day: one file under many names, which only its name tells apart."""
    for name in sorted(BY_DAY_INPUTS):
        schema = pa.schema([field for field in TABLES[name].file_schema if field.name != "date"]).remove_metadata()
        row = pa.table([pa.nulls(1, field.type) for field in schema], schema=schema)
        paths: dict[date | None, list[Path]] = {YEARS[0]: [run.write(name, YEARS[0], row)]}
        for day in YEARS[1:]:
            path = new_path(settings.warehouse / name, day)
            os.link(paths[YEARS[0]][0], path)
            paths[day] = [path]
        run.append(name, paths)


@pytest.mark.parametrize("table", BY_DAY)
def test_a_day_is_built_from_its_neighbours_alone(tmp_path: Path, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(landing=tmp_path, warehouse=tmp_path / "warehouse")
    opened: list[str] = []
    connect = Run.connect

    @contextmanager
    def noting(run: Run, *asked: Any) -> Iterator[duckdb.DuckDBPyConnection]:
        with connect(run, *asked) as connection:
            connection.execute("call enable_logging('FileSystem')")
            yield connection
            rows = connection.execute("select distinct path from duckdb_logs_parsed('FileSystem')").fetchall()
            opened.extend(path for (path,) in rows)

    monkeypatch.setattr(Run, "connect", noting)
    with open_run(settings) as run:
        fill(run, settings)
        build_days(run, table, [DAY])
    read = [Path(path).parent.name.removeprefix("date=") for path in opened if path.endswith(".parquet")]
    assert read
    near = {(DAY + timedelta(days=offset)).isoformat() for offset in (-1, 0, 1)}
    assert set(read) <= near
    assert len(read) <= 2 * len(near)
