"""Readers see whole states only, killed writers lose nothing, and the log keeps no personal value."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import deltalake
import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.schemas import TABLES
from pipeline.settings import SettingError, Settings, load_settings
from pipeline.table import Table
from pipeline.warehouse import (
    LockTimeoutError,
    SchemaError,
    connect,
    live_files,
    lock_down,
    open_run,
    sweep,
)

DAY = date(2026, 3, 2)
_VALUES = {pa.string(): "a", pa.int64(): 1, pa.int32(): 1, pa.int16(): 1, pa.float64(): 0.5, pa.bool_(): True}


def house(folder: Path, grace_hours: int = 24) -> Settings:
    return Settings(landing=folder, warehouse=folder / "warehouse", grace_hours=grace_hours)


def one_row(table: Table, marker: str = "a") -> pa.Table:
    """A row of a table, `marker` in every text."""
    columns = {}
    for field in table.file_schema:
        if field.name == "date" and table.is_by_day:
            continue
        columns[field.name] = pa.array([value_of(field.type, marker)], field.type)
    return pa.table(columns)


def value_of(kind: pa.DataType, marker: str) -> object:
    """A value of a type, `marker` in every text."""
    if pa.types.is_string(kind):
        return marker
    if pa.types.is_timestamp(kind):
        return datetime(2026, 3, 2, 10, tzinfo=UTC)
    if pa.types.is_date(kind):
        return DAY
    if pa.types.is_list(kind):
        return [value_of(kind.value_type, marker)]
    if pa.types.is_struct(kind):
        return {field.name: value_of(field.type, marker) for field in kind}
    return b"a" if pa.types.is_binary(kind) else _VALUES.get(kind)


@pytest.mark.parametrize("table", list(TABLES.values()), ids=list(TABLES))
def test_every_table_comes_back_as_it_is_declared(tmp_path: Path, table: Table) -> None:
    settings = house(tmp_path)
    with connect(settings) as connection:
        assert connection.table(table.name).to_arrow_table().num_rows == 0
        empty = connection.table(table.name).to_arrow_table().schema
    day = DAY if table.is_by_day else None
    with open_run(settings) as run:
        run.replace(table.name, {day: [run.write(table.name, day, one_row(table))]})
        run.publish()
    with connect(settings) as connection:
        found = connection.table(table.name).to_arrow_table()
    assert found.schema == empty
    assert found.schema.names == table.schema.names
    assert found.num_rows == 1
    assert not any(column.null_count for column in found.columns)
    frame = deltalake.DeltaTable(str(settings.warehouse / table.name)).to_pandas()
    assert len(frame) == 1
    assert set(frame.columns) == set(table.schema.names)


def test_staged_is_not_seen_and_unstaged_is_gone(tmp_path: Path) -> None:
    settings = house(tmp_path)
    users = TABLES["users"]
    with open_run(settings) as run:
        run.replace("users", {None: [run.write("users", None, one_row(users, "first"))]})
        run.stage()
        run.replace("users", {None: [run.write("users", None, one_row(users, "second"))]})
    with connect(settings) as connection:
        assert connection.execute("from users").fetchall() == []
    with open_run(settings) as run:
        with run.connect() as connection:
            assert connection.execute("select name from users").fetchall() == [("first",)]
        run.publish()
    with connect(settings) as connection:
        assert connection.execute("select name from users").fetchall() == [("first",)]


def test_replacing_with_nothing_empties_a_day_and_appending_adds(tmp_path: Path) -> None:
    settings = house(tmp_path)
    rows = one_row(TABLES["visits"])
    with open_run(settings) as run:
        run.append("visits", {DAY: [run.write("visits", DAY, rows)]})
        run.append("visits", {DAY: [run.write("visits", DAY, rows)]})
        with run.connect() as connection:
            assert connection.execute("select count(*) from visits").fetchone() == (2,)
        run.replace("visits", {DAY: []})
        run.publish()
    assert live_files(settings, "visits") == []


_WRITER = """
import sys
from datetime import date
from pathlib import Path
from pipeline.schemas import TABLES
from pipeline.warehouse import open_run
from tests.warehouse.test_publishing import DAY, house, one_row
settings = house(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    with open_run(settings) as run:
        marker = f"{sys.argv[3]}-{number}"
        for name in ("visits", "user_days"):
            run.replace(name, {DAY: [run.write(name, DAY, one_row(TABLES[name], marker))]})
        run.publish()
        print(marker, flush=True)
"""


def start_writer(folder: Path, count: int, name: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", _WRITER, str(folder), str(count), name]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def markers(settings: Settings) -> list[tuple[str, str]]:
    with connect(settings) as connection:
        query = "select v.user_id, u.user_id from visits v full join user_days u on true"
        return connection.execute(query).fetchall()


def test_killed_writers_leave_whole_states(tmp_path: Path) -> None:
    """Twenty writers killed at random moments, counted from their first publishing on."""
    settings = house(tmp_path)
    moments = random.Random(20)
    last = None
    for number in range(20):
        with start_writer(tmp_path, 1000, f"w{number}") as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(moments.random() * 0.15)
            writer.send_signal(signal.SIGKILL)
            printed = [line.strip() for line in writer.stdout.readlines()]
        ((visit, day),) = markers(settings)
        assert visit == day
        assert visit.startswith(f"w{number}-")
        if printed:
            assert int(visit.partition("-")[2]) >= int(printed[-1].partition("-")[2])
        last = visit
    with open_run(settings) as run, run.connect() as connection:
        assert connection.execute("select user_id from visits").fetchone() == (last,)
    sweep(house(tmp_path, grace_hours=0))
    left = [path for name in ("visits", "user_days") for path in (settings.warehouse / name).rglob("date=*/*")]
    assert sorted(left) == sorted([*live_files(settings, "visits"), *live_files(settings, "user_days")])


def test_reader_in_a_loop_sees_whole_states_only(tmp_path: Path) -> None:
    settings = house(tmp_path)
    seen = set()
    with start_writer(tmp_path, 60, "w") as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        while writer.poll() is None:
            found = markers(settings)
            assert len(found) == 1
            assert found[0][0] == found[0][1]
            seen.add(found[0][0])
    assert markers(settings) == [("w-59", "w-59")]
    assert len(seen) > 5


def test_second_writer_waits_and_says_for_what(tmp_path: Path) -> None:
    settings = house(tmp_path)
    with open_run(settings), pytest.raises(LockTimeoutError, match="_lock"), open_run(settings, timeout_s=0.2):
        pass


def test_log_keeps_no_value_of_a_row(tmp_path: Path) -> None:
    settings = house(tmp_path)
    with open_run(settings) as run:
        for name in ("users", "visits"):
            day = DAY if TABLES[name].is_by_day else None
            run.replace(name, {day: [run.write(name, day, one_row(TABLES[name], "ann@example.com"))]})
        run.publish()
    logs = list(settings.warehouse.rglob("_delta_log/*"))
    assert logs
    for path in logs:
        assert b"ann@example.com" not in path.read_bytes()


def test_wrong_columns_are_refused_by_name(tmp_path: Path) -> None:
    rows = one_row(TABLES["users"])
    with open_run(house(tmp_path)) as run:
        with pytest.raises(SchemaError, match=r"users.*email"):
            run.write("users", None, rows.drop_columns(["email"]))
        with pytest.raises(SchemaError, match=r"users.*age"):
            run.write("users", None, rows.append_column("age", pa.array([1])))
        with pytest.raises(SchemaError, match=r"users\.date_of_birth"):
            run.write("users", None, rows.set_column(3, "date_of_birth", pa.array(["long ago"])))


def test_bare_readers_of_a_folder_fail_rather_than_count_twice(tmp_path: Path) -> None:
    settings = house(tmp_path)
    with open_run(settings) as run:
        run.replace("visits", {DAY: [run.write("visits", DAY, one_row(TABLES["visits"]))]})
        run.publish()
    with pytest.raises(duckdb.Error, match="read-me-not"):
        duckdb.execute(f"from read_parquet('{settings.warehouse}/visits/**/*.parquet')").fetchall()
    with pytest.raises(pa.ArrowInvalid):
        pd.read_parquet(settings.warehouse / "visits")
    paths = [str(path) for path in live_files(settings, "visits")]
    assert len(pd.read_parquet(paths)) == 1


def test_sweep_keeps_what_readers_need_for_the_grace_period(tmp_path: Path) -> None:
    settings = house(tmp_path)
    for marker in ("first", "second"):
        with open_run(settings) as run:
            run.replace("users", {None: [run.write("users", None, one_row(TABLES["users"], marker))]})
            run.publish()
    assert sweep(settings) == []
    with open_run(settings) as run:
        run.publish()  # publishing again does not begin the grace period anew
    notes = settings.warehouse / "_unneeded.json"
    (path, since), *others = json.loads(notes.read_text()).items()
    assert others == []
    notes.write_text(json.dumps({path: since - 23 * 3600}))
    assert sweep(settings) == []
    notes.write_text(json.dumps({path: since - 25 * 3600}))
    assert [str(file.relative_to(settings.warehouse)) for file in sweep(settings)] == [path]
    with connect(settings) as connection:
        assert connection.execute("select name from users").fetchall() == [("second",)]


def test_a_table_of_more_versions_than_a_checkpoint_takes_is_read_after_a_sweep(tmp_path: Path) -> None:
    settings = house(tmp_path, grace_hours=0)
    rows = one_row(TABLES["users"])
    with open_run(settings) as run:
        for _ in range(101):
            run.replace("users", {None: [run.write("users", None, rows)]})
        run.publish()
    assert list((settings.warehouse / "users" / "_delta_log").glob("*.checkpoint.parquet"))
    assert len(sweep(settings)) == 100
    with connect(settings) as connection:
        assert connection.execute("select name from users").fetchall() == [("a",)]
    with open_run(settings) as run:
        run.replace("users", {None: []})
        run.publish()
    assert live_files(settings, "users") == []


def test_locked_down_connection_reads_the_tables_and_nothing_else(tmp_path: Path) -> None:
    settings = house(tmp_path)
    with open_run(settings) as run:
        run.replace("users", {None: [run.write("users", None, one_row(TABLES["users"]))]})
        run.publish()
    with connect(settings) as connection:
        lock_down(connection, settings)
        assert connection.execute("select count(*) from users").fetchone() == (1,)
        for query in (
            "from read_text('/etc/hostname')",
            f"copy (select 1) to '{tmp_path}/out.csv'",
            f"attach '{tmp_path}/other.duckdb'",
            "set enable_external_access = true",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(query)


@pytest.mark.parametrize("name", ["a b", "é'\"", "#?&", "[*]{x}", "100%"])
def test_a_warehouse_may_lie_under_any_name(tmp_path: Path, name: str) -> None:
    settings = Settings(warehouse=tmp_path / name)
    with open_run(settings) as run:
        run.replace("visits", {DAY: [run.write("visits", DAY, one_row(TABLES["visits"]))]})
        run.publish()
    with open_run(settings) as run:
        assert [path.parent.parent for path in run.files("visits")[DAY]] == [settings.warehouse / "visits"]
    assert connect(settings).execute("select count(*) from visits").fetchone() == (1,)


def test_but_not_under_one_that_the_log_would_misread(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"TRAIL_WAREHOUSE is .*percent escapes"):
        load_settings(environment={"TRAIL_WAREHOUSE": str(tmp_path / "a%20b")})


def test_a_query_larger_than_the_memory_spills_in_a_warehouse_that_is_new(tmp_path: Path) -> None:
    settings = Settings(landing=tmp_path, warehouse=tmp_path / "warehouse", memory_limit="40MB")
    with connect(settings) as connection:
        connection.execute(
            "create temp table large as select hash(range) as a, uuid() as b from range(2000000) order by a"
        )
        assert list((settings.warehouse / "_spill").glob("*/*"))
        assert connection.execute("select count(*) from large").fetchall() == [(2_000_000,)]
