"""A warehouse of another version of Trail: what follows from originals is made anew, originals are never lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import models
from pipeline.build import find_stale, why_stale
from pipeline.build.stale import stale_whole
from pipeline.channels import channel_rules
from pipeline.enrich import Rows
from pipeline.schemas import TABLES
from pipeline.table import Table
from pipeline.warehouse import SchemaError, StagedState, open_run
from pipeline.warehouse.delta import DeltaFiles
from pipeline.warehouse.files import new_path, write_file
from tests.build.test_building import line
from tests.ingest.deliveries import House

LINES = b"".join((line("02T10:00:00", "k1"), line("02T10:05:00", "k1", "u1"), line("04T09:00:00", "k2")))


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "kept", builds_all=True)
    house.deliver("web/a.log", LINES)
    return house


def without(table: str, column: str) -> pa.Schema:
    return pa.schema([field for field in TABLES[table].schema if field.name != column])


def older(patch: pytest.MonkeyPatch, table: str, column: str) -> None:
    """Make a table what it was before it had a column."""
    patch.setitem(TABLES, table, replace(TABLES[table], schema=without(table, column)))
    if table == "requests":
        laid_out = Rows.table
        patch.setattr(Rows, "table", lambda rows, order=None: laid_out(rows, order).drop_columns(column))


@pytest.mark.parametrize(
    ("table", "column"), [("visits", "engaged_s"), ("requests", "protocol"), ("user_links", "evidence")]
)
def test_a_table_with_other_columns_is_made_anew(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, column: str
) -> None:
    with monkeypatch.context() as before:
        older(before, table, column)
        house.run()
    with pytest.raises(SchemaError, match=f"{table}: made by another version of Trail.*`trail run` makes them anew"):
        house.rows("from visits")
    state = StagedState(house.settings)
    assert find_stale(state) or stale_whole(state)
    house.run()
    fresh = House(tmp_path / "fresh", builds_all=True)
    fresh.deliver("web/a.log", LINES)
    fresh.run()
    assert house.tables() == fresh.tables()


def test_a_run_that_fails_leaves_what_was_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        older(before, "visits", "engaged_s")
        house.run()
        rows = house.rows("from visits order by all")
    with open_run(house.settings) as run:
        assert run.files("visits") == {}
    with monkeypatch.context() as before:
        older(before, "visits", "engaged_s")
        assert house.rows("from visits order by all") == rows
        house.run()
        assert house.rows("from visits order by all") == rows


ORIGINALS = (("raw_requests", "ident"), ("rejected_lines", "line"), ("ingested_files", "problem"))


def write_as(house: House, table: Table) -> None:
    """Make a table what another version of Trail had written, with fewer columns or more."""
    with open_run(house.settings) as run:
        folder = house.settings.warehouse / table.name
        others = DeltaFiles(folder, replace(table, is_original=False), run._tables[table.name].version)
        written = {}
        for day, paths in run.files(table.name).items():
            rows = pa.concat_tables([pq.read_table(path, partitioning=None) for path in paths])
            for field in table.row_schema:
                if field.name not in rows.schema.names:
                    rows = rows.append_column(field.name, pa.nulls(len(rows), field.type))
            written[day] = [new_path(folder, day)]
            write_file(written[day][0], table, [rows.select(table.row_schema.names)])
        others.begin_anew()
        others.commit(written, ())
        run._tables[table.name] = others
        run.publish()


@pytest.mark.parametrize("table", [name for name, _ in ORIGINALS])
def test_originals_of_a_version_to_come_are_refused_and_kept(house: House, table: str) -> None:
    house.deliver("web/b.log", b"no line\n")
    house.run()
    more = TABLES[table].schema.append(pa.field("later", pa.string(), metadata={"description": "a later column"}))
    write_as(house, replace(TABLES[table], schema=more))
    for ask in (house.run, lambda: house.rows("from visits")):
        with pytest.raises(SchemaError, match=f"{table}: made by another version of Trail"):
            ask()
    with pytest.MonkeyPatch.context() as later:
        later.setitem(TABLES, table, replace(TABLES[table], schema=more))
        assert house.rows("select count(*) from raw_requests") == [(3,)]


@pytest.mark.parametrize(("table", "column"), ORIGINALS)
def test_originals_get_the_columns_of_this_version(house: House, table: str, column: str) -> None:
    house.deliver("web/b.log", b"no line\n")
    house.run()
    held, at_first = house.tables(), house.rows(f"select * exclude ({column}) from {table} order by all")
    write_as(house, replace(TABLES[table], schema=without(table, column)))
    with pytest.raises(SchemaError, match=f"{table}: made by another version of Trail.*`trail run`"):
        house.rows(f"from {table}")
    assert StagedState(house.settings).files(table), "whoever looks whether there is work finds what there is"
    with open_run(house.settings):
        pass  # a run that fails
    with pytest.raises(SchemaError, match=table):
        house.rows(f"from {table}")
    house.run()
    assert house.rows(f"select * exclude ({column}) from {table} order by all") == at_first
    assert house.rows(f"select count(*), count({column}) from {table}") == [(len(at_first), 0)]
    assert house.tables() == held
    house.assert_adds_up()


def test_another_definition_makes_its_days_stale_and_no_others(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.run()
    true = models.load_model("visits")
    load = models.load_model

    def changed(sql: str) -> None:
        broken = replace(true, sql=sql)
        monkeypatch.setattr(models, "load_model", lambda name: broken if name == "visits" else load(name))

    changed(true.sql + "\n-- a word more")
    assert find_stale(StagedState(house.settings)) == {}
    changed(true.sql.replace("'observed'", "'seen'"))
    state = StagedState(house.settings)
    assert set(find_stale(state)) == {"visits"}
    assert set(why_stale(state, "visits").values()) == {"another definition"}
    house.run()
    assert ("seen",) in house.rows("select distinct length_basis from visits")
    assert find_stale(StagedState(house.settings)) == {}


def test_another_rule_of_channels_is_another_definition(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.run()
    rules = channel_rules()
    monkeypatch.setitem(models.REFERENCES, "channel_rules", lambda _: rules.slice(1))
    assert set(find_stale(StagedState(house.settings))) == {"visits"}


def test_another_setting_of_a_model_makes_it_stale(house: House) -> None:
    house.run()
    assert stale_whole(StagedState(house.settings)) == []
    settings = replace(house.settings, shared_users=1)
    assert stale_whole(StagedState(settings)) == ["identifier_links"]
