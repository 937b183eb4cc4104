"""Rows before and after, counted by DuckDB as one would by hand."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.build.differences import Change, Differences
from pipeline.schemas.use import REQUESTS
from pipeline.settings import Settings
from pipeline.warehouse.files import write_file
from pipeline.warehouse.views import open_connection

DAY = date(2026, 3, 2)
Row = dict[str, Any]


def write(path: Path, rows: Sequence[Row], version: str) -> Path:
    """Write rows of requests that have few values."""
    columns = {
        field.name: pa.array([row.get(field.name) for row in rows], field.type)
        for field in REQUESTS.file_schema
        if field.name not in ("date", "enrichment_version")
    }
    columns["enrichment_version"] = pa.array([version] * len(rows), pa.string())
    write_file(path, REQUESTS, [pa.table(columns)])
    return path


ROWS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.fixed_dictionaries(
        {
            "city": st.sampled_from([None, "", "Bonn", "null"]),
            "is_bot": st.sampled_from([None, False, True]),
            "status": st.sampled_from([None, 0, 200]),
            "duration_ms": st.sampled_from([None, 0.0, 0.5, float("nan")]),
        }
    ),
    min_size=1,
)


@settings(max_examples=40, deadline=None)
@given(before=ROWS, after=ROWS)
def test_rows_are_counted_as_by_hand(before: dict[str, Row], after: dict[str, Row]) -> None:
    both = before.keys() & after.keys()
    pairs = Counter(
        (name, _text(before[key][name]), _text(after[key][name]))
        for key in both
        for name in ("city", "is_bot", "status", "duration_ms")
        if _text(before[key][name]) != _text(after[key][name])
    )
    changed = {key for key in both if any(_text(before[key][n]) != _text(after[key][n]) for n in after[key])}
    with tempfile.TemporaryDirectory() as folder, open_connection(Settings(warehouse=Path(folder))) as connection:
        files = [
            write(Path(folder) / f"{version}.parquet", [{"request_id": k, **row} for k, row in rows.items()], version)
            for version, rows in (("then", before), ("now", after))
        ]
        compared = Differences(connection)
        found = compared.compare(DAY, files[:1], files[1:])
        assert found.rows == len(after)
        assert (found.rows_new, found.rows_gone) == (len(after.keys() - both), len(before.keys() - both))
        assert found.rows_changed == len(changed)
        columns = Counter(name for name, _, _ in pairs.elements())
        assert found.columns == columns
        listed = {(c.column, one.before, one.after): one.rows for c in compared.columns(99) for one in c.changes}
        assert listed == pairs
        if found.rows_differing:
            wanted = ["now" if key in changed or key not in before else "then" for key in after]
            assert compared.versions(files[1]).to_pylist() == wanted


def _text(value: Any) -> str | None:
    """Write a value as DuckDB does."""
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def test_the_most_frequent_changes_are_named_and_the_others_counted(tmp_path: Path) -> None:
    cities = ["A"] * 3 + ["B"] * 2 + ["C", "D"]
    before = [{"request_id": str(n), "city": None} for n in range(7)]
    after = [{"request_id": str(n), "city": city} for n, city in enumerate(cities)]
    with open_connection(Settings(warehouse=tmp_path)) as connection:
        compared = Differences(connection)
        for _ in range(2):  # two days with the same changes
            then = write(tmp_path / "then.parquet", before, "then")
            compared.compare(DAY, [then], [write(tmp_path / "now.parquet", after, "now")])
        (column,) = compared.columns(2)
    assert (column.column, column.rows, column.distinct_changes) == ("city", 14, 4)
    assert column.changes == [Change(None, "A", 6), Change(None, "B", 4)]


def test_versions_are_in_the_order_of_the_rows_however_many_there_are(tmp_path: Path) -> None:
    rows = 300_000
    schema = [field for field in REQUESTS.file_schema if field.name not in ("date", "request_id", "city")]
    same = {field.name: pa.nulls(rows, field.type) for field in schema}
    ids = pa.array([f"{n * 7919 % rows:06}" for n in range(rows)])
    files = []
    for name, moves in (("then", 10**9), ("now", 3)):
        columns = {
            **same,
            "request_id": ids,
            "city": pa.array(["Bonn" if n % moves else "Köln" for n in range(rows)]),
            "enrichment_version": pa.array([name] * rows),
        }
        files.append(tmp_path / f"{name}.parquet")
        write_file(files[-1], REQUESTS, [pa.table(columns)])
    with open_connection(Settings(warehouse=tmp_path, threads=4)) as connection:
        compared = Differences(connection)
        assert compared.compare(DAY, files[:1], files[1:]).rows_changed == 99_999
        versions = compared.versions(files[1]).to_pylist()
    assert versions == ["now" if n % 3 == 0 and n else "then" for n in range(rows)]
