"""Names that the directory no longer has are kept."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.build import build_directory
from pipeline.people.former_names import former_names
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import connect, open_run

FIRST, SECOND = date(2026, 3, 2), date(2026, 3, 9)


def users(**people: tuple[str | None, str | None]) -> pa.Table:
    listed = [{"user_id": user, "name": name, "email": email} for user, (name, email) in people.items()]
    return pa.Table.from_pylist(listed, schema=TABLES["users"].file_schema)


def none() -> pa.Table:
    return TABLES["former_names"].file_schema.empty_table()


@pytest.mark.parametrize(
    ("before", "after", "former"),
    [
        (users(u1=("Ann", "a@x.example")), users(u1=("Ann", "a@x.example")), []),
        (users(u1=("Ann", None)), users(u1=("Zoë", "z@x.example")), [("u1", "name", "Ann", FIRST)]),
        (users(u1=("Ann", "a@x.example")), users(u1=("Ann", None)), [("u1", "email", "a@x.example", FIRST)]),
        (users(u1=("Ann", "a@x.example")), users(u2=("Zoë", None)), []),
        (users(), users(u1=("Ann", None)), []),
    ],
)
def test_what_was_replaced_is_kept(before: pa.Table, after: pa.Table, former: list[tuple[str, str, str, date]]) -> None:
    found = former_names(none(), before, after, FIRST).to_pylist()
    assert [tuple(row.values()) for row in found] == former


def test_a_name_that_came_back_and_went_again_is_kept_once() -> None:
    known = former_names(none(), users(u1=("Ann", None)), users(u1=("Zoë", None)), FIRST)
    back = former_names(known, users(u1=("Zoë", None)), users(u1=("Ann", None)), FIRST)
    again = former_names(back, users(u1=("Ann", None)), users(u1=("Zoë", None)), SECOND)
    assert [tuple(row.values()) for row in again.to_pylist()] == [
        ("u1", "name", "Ann", SECOND),
        ("u1", "name", "Zoë", FIRST),
    ]


def test_runs_keep_what_the_directory_forgot(tmp_path: Path) -> None:
    folder = tmp_path / "users"
    folder.mkdir()
    settings = Settings(warehouse=tmp_path / "warehouse", users=str(folder))
    for name in ("Ann Example", "Ann Quinn", "Ann Quinn", "Ann Vega"):
        (folder / "users.csv").write_text(f"id,name,email\nu1,{name},ann@example.com\n", encoding="utf-8")
        with open_run(settings) as run:
            build_directory(run, settings)
            run.publish()
    with connect(settings) as connection:
        found = connection.execute("select field, value from former_names order by value").fetchall()
    assert found == [("name", "Ann Example"), ("name", "Ann Quinn")]
