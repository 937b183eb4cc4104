"""A row group stores the texts of its own rows only, so that a file in one person's order is as small as it can be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.schemas import TABLES
from pipeline.warehouse.files import write_file

ROWS, PEOPLE, GROUP = 40_000, 4_000, 10_000


def test_a_row_group_holds_no_text_of_other_groups(tmp_path: Path) -> None:
    table = TABLES["rejected_lines"]
    texts = pa.array([f"person-{number}" for number in range(PEOPLE)])
    codes = np.repeat(np.arange(PEOPLE), ROWS // PEOPLE)
    people = pa.DictionaryArray.from_arrays(pa.array(codes, mask=np.arange(ROWS) % 7 == 0), texts)
    columns: dict[str, object] = {
        field.name: pa.nulls(ROWS, field.type) for field in table.schema if field.name != "date"
    }
    read_at = datetime(2026, 3, 2, tzinfo=UTC)
    for field in table.schema:
        if pa.types.is_timestamp(field.type):
            columns[field.name] = pa.array([read_at] * ROWS, field.type)
    columns["source"] = people
    path = tmp_path / "rows.parquet"

    write_file(path, table, [pa.table(columns)], row_group_rows=GROUP)

    with pq.ParquetFile(path, read_dictionary=["source"]) as file:
        assert file.num_row_groups == ROWS // GROUP
        for number in range(file.num_row_groups):
            stored = file.read_row_group(number, columns=["source"])["source"].chunk(0).dictionary.to_pylist()
            assert stored == [f"person-{n}" for n in range(number * 1000, (number + 1) * 1000)]
    assert pq.read_table(path, partitioning=None)["source"].to_pylist() == people.to_pylist()
