"""Data files: written once under a name of their own, checked against the schema, on the disk before they are named.

Which files are live does not belong here.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dictionaries import codes_and_values, from_codes
from pipeline.table import Table

ROW_GROUP_ROWS = 65_536
_SKIPPED_BY = {
    "user_id",
    "visitor_id",
    "request_id",
    "visit_id",
    "occurred_at",
    "identifier",
    "actor",
    "source",
    "file_id",
}
_DATA_FILE = re.compile(r"[0-9a-f]{32}\.parquet", re.ASCII)
_TRIPWIRE = "read-me-not-this-folder.parquet"
_TRIPWIRE_TEXT = """This is not a Parquet file; it is here so that reading this folder as bare Parquet fails.

For a while the folder also holds files that a later run has replaced, and a bare reader would count rows twice.
Read the table through its Delta log (deltalake, polars.read_delta, Spark, DuckDB's delta_scan), through
`from pipeline import connect`, or from the files that `trail files {name}` prints.
"""


class SchemaError(ValueError):
    """Data is not what the table's schema says; the message names the table and the column."""


def new_path(folder: Path, day: date | None) -> Path:
    """Return a fresh name for a data file of a table, its day's folder made."""
    name = f"{uuid.uuid4().hex}.parquet"
    target = folder / f"date={day.isoformat()}" / name if day else folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def lay_tripwire(folder: Path, name: str) -> None:
    """Make bare readers of a table's folder fail with a name that says why."""
    path = folder / _TRIPWIRE
    if not path.exists():
        path.write_text(_TRIPWIRE_TEXT.format(name=name), encoding="utf-8")


def is_data_file(path: Path) -> bool:
    """Tell a data file, by the name that `new_path` gives, from the tripwire and the log's own Parquet files."""
    return _DATA_FILE.fullmatch(path.name) is not None


def write_file(
    path: Path, table: Table, parts: Iterable[pa.Table | pa.RecordBatch], row_group_rows: int = ROW_GROUP_ROWS
) -> int:
    """Write rows as zstd Parquet and sync them to the disk.

    Args:
        path: from `new_path`.
        table: whose schema the rows must have, in any order of columns; `date` is left out.
        parts: the rows, in their order; dictionary columns are stored as dictionary pages of plain text. All parts have
            their columns encoded alike, though not with the same texts.
        row_group_rows: the most rows of a row group, the unit that readers skip. Parts share one only where they are
            less than half of that.

    Returns:
        How many rows there were.

    Raises:
        SchemaError: a column is missing, unknown, or of a type that cannot be cast without loss.
    """
    groups = _row_groups(table, parts, row_group_rows)
    first = next(groups, None)
    schema = _stored(table) if first is None else first.schema
    rows = 0
    with pq.ParquetWriter(path, schema, **_options(schema)) as writer:
        for group in chain([] if first is None else [first], groups):
            writer.write_table(group, row_group_size=row_group_rows)
            rows += group.num_rows
    sync(path)
    return rows


def _row_groups(table: Table, parts: Iterable[pa.Table | pa.RecordBatch], row_group_rows: int) -> Iterator[pa.Table]:
    for part in _put_together(parts, row_group_rows // 2):
        fitted = fit(table, part)
        for start in range(0, fitted.num_rows, row_group_rows):
            group = fitted.slice(start, row_group_rows)
            yield pa.table([_without_unused(column) for column in group.columns], schema=fitted.schema)


def _put_together(parts: Iterable[pa.Table | pa.RecordBatch], least: int) -> Iterator[pa.Table]:
    """Put parts together until they have some rows; one that has them stays as it is."""
    held: list[pa.Table] = []
    count = 0
    for part in parts:
        held.append(pa.Table.from_batches([part]) if isinstance(part, pa.RecordBatch) else part)
        count += part.num_rows
        if count >= least:
            yield _joined(held)
            held, count = [], 0
    if held:
        yield _joined(held)


def _joined(parts: list[pa.Table]) -> pa.Table:
    return parts[0] if len(parts) == 1 else pa.concat_tables(parts).unify_dictionaries()


def _without_unused(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Leave out dictionary values that no row of a row group has.

    Each group would store the whole dictionary, and the file texts of lines that are elsewhere, or were erased.
    """
    if not pa.types.is_dictionary(column.type):
        return column
    codes, values = codes_and_values(column)
    is_used = np.zeros(len(values) + 1, dtype=np.bool_)
    is_used[codes] = True
    is_used = is_used[:-1]
    if is_used.all():
        return column
    places = np.append(np.cumsum(is_used, dtype=np.int32) - np.int32(1), np.int32(-1))[codes]
    used = values.filter(pa.array(is_used))
    return pa.chunked_array([from_codes(places, used)])


def _stored(table: Table) -> pa.Schema:
    """The columns of a table's files: all but the partition."""
    fields = [field for field in table.file_schema if not (table.is_by_day and field.name == "date")]
    return pa.schema(fields).remove_metadata()


def _options(schema: pa.Schema) -> dict[str, Any]:
    """How a file is written: dictionary pages where values recur, statistics for columns that readers skip by."""
    once = {"request_id", "visit_id", "line_hash", "text"}
    numbers = {"line_offset", "bytes_sent", "occurred_at"} & set(schema.names)
    return {
        "compression": "zstd",
        "store_schema": False,
        "coerce_timestamps": "us",
        "use_dictionary": [name for name in schema.names if name not in once | numbers],
        "column_encoding": dict.fromkeys(sorted(numbers), "DELTA_BINARY_PACKED"),
        "write_statistics": [name for name in schema.names if name in _SKIPPED_BY],
    }


def fit(table: Table, data: pa.Table) -> pa.Table:
    """Bring rows into a table's columns, order and types; dictionaries stay encoded.

    Raises:
        SchemaError: as `write_file`.
    """
    wanted = [field for field in table.schema if not (table.is_by_day and field.name == "date")]
    names = set(data.schema.names) - ({"date"} if table.is_by_day else set())
    missing = [field.name for field in wanted if field.name not in names]
    unknown = sorted(names - {field.name for field in wanted})
    if missing or unknown:
        raise SchemaError(f"{table.name}: missing columns {missing}, unknown columns {unknown}")
    return pa.table([_fit_column(table.name, field, data[field.name]) for field in wanted], [f.name for f in wanted])


def _fit_column(table: str, field: pa.Field, column: pa.ChunkedArray) -> pa.ChunkedArray:
    plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    kind = pa.dictionary(pa.int32(), plain) if pa.types.is_dictionary(column.type) else plain
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(f"{table}.{field.name}: {column.type} cannot be {plain}: {error}") from error


def check_file(path: Path, table: Table) -> int:
    """Check a file that another writer made, by its footer; return how many rows it holds.

    Raises:
        SchemaError: its columns are not the table's.
    """
    footer = pq.read_metadata(path)
    found = set(footer.schema.to_arrow_schema().names)
    wanted = {name for name in table.schema.names if not (table.is_by_day and name == "date")}
    if found != wanted:
        raise SchemaError(
            f"{table.name}: {path.name}: missing columns {sorted(wanted - found)}, "
            f"unknown columns {sorted(found - wanted)}"
        )
    return int(footer.num_rows)


def sync(path: Path) -> None:
    """Put a file and its name on the disk."""
    for target in (path, path.parent):
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def replace_atomically(path: Path, text: str) -> None:
    """Replace a small file so that a reader sees the old text or the new one, and neither is lost by a kill."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    temporary.write_text(text, encoding="utf-8")
    sync(temporary)
    temporary.replace(path)
    sync(path)
