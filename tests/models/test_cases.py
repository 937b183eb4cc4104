"""Models by small cases: `tests/cases/<table>/<what it shows>/given_<input>.csv` and `expect.csv`, found by glob.

A case names only the columns that matter; the others are null. `expect.csv` says all rows, in any order. A catalogue of
features, where one matters, is `features.toml`.
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipeline.models import run_model
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse.views import create_views

CASES = sorted(path.parent for path in (Path(__file__).parents[1] / "cases").glob("*/*/expect.csv"))
FIRST, LAST = date(2026, 3, 2), date(2026, 3, 2)


def read(path: Path) -> list[dict[str, str | None]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: value or None for name, value in row.items()} for row in csv.DictReader(file)]


def give(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Make a case's input a table with all columns of its schema."""
    name = path.stem.removeprefix("given_")
    connection.execute(f"create table {name}_typed as from {name}")
    for row in read(path):
        unknown = set(row) - set(TABLES[name].schema.names)
        assert not unknown, f"{path}: {unknown}"
        columns = ", ".join(row)
        marks = ", ".join(f"${column}" for column in row)
        connection.execute(f"insert into {name}_typed ({columns}) values ({marks})", row)
    connection.execute(f"create or replace view {name} as from {name}_typed")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_case(case: Path) -> None:
    table = case.parent.name
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_views(connection, {})
        for path in sorted(case.glob("given_*.csv")):
            give(connection, path)
        first, last = (FIRST, LAST) if TABLES[table].is_by_day else (None, None)
        features = case / "features.toml"
        settings = Settings(features=features if features.exists() else None)
        found = run_model(connection, table, first, last, settings)
        connection.register("found", found)
        expected = read(case / "expect.csv")
        with (case / "expect.csv").open(encoding="utf-8") as file:
            names = file.readline().strip().split(",")
        rows = connection.execute(f"select {', '.join(f'{name}::varchar' for name in names)} from found").fetchall()
        key = ", ".join(TABLES[table].key)
        repeated = connection.execute(f"select {key} from found group by all having count(*) > 1").fetchall()
    assert sorted(rows, key=repr) == sorted((tuple(row[name] for name in names) for row in expected), key=repr)
    assert repeated == []


def test_every_model_of_a_table_has_a_case() -> None:
    made_by_sql = {path.stem for path in (Path(__file__).parents[2] / "sql").glob("*.sql")} & set(TABLES)
    assert {case.parent.name for case in CASES} == made_by_sql
