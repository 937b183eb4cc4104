"""Writes all that is held on a person in a Business: a folder of Parquet and JSON, and a page that says it in words.

Who may ask, and that it was asked, is noted elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.audit import access_key, read_entries, user_hash
from pipeline.lookup.rows import Row, rows
from pipeline.plain import json_line
from pipeline.privacy.held import MADE_ANEW, ROWS, Held
from pipeline.privacy.page import make_page
from pipeline.privacy.person import Person
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse.files import sync

PAGE, TABLES_FOLDER = "index.html", "tables"
LOOKS = "looks"
_ROWS_AT_ONCE = 20_000
_ON_PAGE = 100
# Not who looked and why: that is the staff's own data. A Business is told of it by `trail audit business`.
_LOOK = pa.schema([("at", pa.timestamp("us", tz="UTC")), ("role", pa.string()), ("action", pa.string())])


class ExportError(ValueError):
    """The folder cannot be used; the message names it."""


@dataclass(frozen=True)
class Told:
    """What of a table is told on the page.

    Attributes:
        name: the table's.
        grain: what one row is.
        columns: name and words of each.
        count: how many rows there are.
        first_rows: the first of them, as many as a page holds.
    """

    name: str
    grain: str
    columns: list[tuple[str, str]]
    count: int
    first_rows: list[Row]

    @property
    def filled(self) -> list[str]:
        """The columns that one of the first rows has something in."""
        return [name for name, _ in self.columns if any(row[name] not in (None, []) for row in self.first_rows)]


def export_person(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    person: Person,
    folder: Path,
    progress: Callable[[str], None] | None = None,
) -> dict[str, int]:
    """Write all that is held on a person in a Business.

    Args:
        connection: what `connect()` gives.
        settings: where the log of who looked is.
        person: who, and in which Business.
        folder: where to; it is made, or empty. Only its owner may read it.
        progress: told what is done.

    Returns:
        How many rows of each table were written, those of the log of who looked among them.

    Raises:
        ExportError: the folder has something in it, or is no folder.
    """
    _make(folder)
    held = Held(connection, [person])
    told = []
    for name in [*ROWS, *MADE_ANEW]:
        reader = held.rows(name).to_arrow_reader(_ROWS_AT_ONCE)
        told.append(_write(folder, name, reader))
        if progress:
            progress(f"{name}: {told[-1].count:,} rows")
    told.append(_write_looks(folder, settings, person))
    names = rows(connection, _NAMES, {"user": person.user_id, "business": person.business_id})[0]
    page = make_page(
        {
            "user_id": person.user_id,
            "business_id": person.business_id,
            **names,
            "made_at": datetime.now(UTC),
            "left_out": held.of_no_business(),
            "tables": [one for one in told if one.count],
            "empty": [one for one in told if not one.count],
            "on_page": _ON_PAGE,
        }
    )
    path = folder / PAGE
    path.write_text(page, encoding="utf-8")
    path.chmod(0o600)
    sync(path)
    return {one.name: one.count for one in told}


_NAMES = """
select
    (select name from users where user_id = $user) as name,
    (select name from businesses where business_id = $business) as business_name
"""


def check_folder(folder: Path) -> None:
    """Check that a folder can be written to: it is new, or empty.

    Raises:
        ExportError: it has something in it, or is no folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError(f"{folder}: there is something already; name a new or empty folder")


def _make(folder: Path) -> None:
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / TABLES_FOLDER).mkdir(mode=0o700)


def _write(folder: Path, name: str, batches: pa.RecordBatchReader) -> Told:
    """Write a table's rows as Parquet and as JSON; where there are none, no file."""
    table = TABLES[name]
    schema = table.file_schema
    words = [(column, described) for column, _, described in table.columns]
    first_rows, count = _write_files(folder / TABLES_FOLDER / name, schema, (batch.cast(schema) for batch in batches))
    return Told(name, table.grain, words, count, first_rows)


def write_table(folder: Path, name: str, rows: duckdb.DuckDBPyRelation) -> int:
    """Write rows of a table as Parquet and as JSON; where there are none, no file.

    Args:
        folder: which exists.
        name: of the table.
        rows: with its columns.

    Returns:
        How many there were.
    """
    schema = TABLES[name].file_schema
    batches = (batch.cast(schema) for batch in rows.to_arrow_reader(_ROWS_AT_ONCE))
    return _write_files(folder / name, schema, batches)[1]


def _write_looks(folder: Path, settings: Settings, person: Person) -> Told:
    """Write when somebody was looked at in the Business, as what, and what was done."""
    entries = read_entries(
        settings.access_log,
        business=person.business_id,
        user=user_hash(access_key(settings.secret), person.user_id),
    )
    looks = ({"at": one.at, "role": one.role, "action": one.action} for one in entries if one.outcome == "shown")
    batches = iter(lambda: list(islice(looks, _ROWS_AT_ONCE)), [])
    first_rows, count = _write_files(
        folder / TABLES_FOLDER / LOOKS, _LOOK, (pa.RecordBatch.from_pylist(some, schema=_LOOK) for some in batches)
    )
    words = [("at", "when"), ("role", "as what somebody looked"), ("action", "what at")]
    return Told(LOOKS, "look at this person by somebody who works with Trail", words, count, first_rows)


def _write_files(stem: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> tuple[list[Row], int]:
    """Write rows to two files; return the first rows, and how many there are."""
    filled = (batch for batch in batches if batch.num_rows)
    first = next(filled, None)
    if first is None:
        return [], 0
    parquet, text = stem.with_suffix(".parquet"), stem.with_suffix(".json")
    first_rows: list[Row] = []
    count = 0
    with pq.ParquetWriter(parquet, schema, compression="zstd") as writer, text.open("w", encoding="utf-8") as out:
        for batch in chain([first], filled):
            writer.write_batch(batch)
            found = batch.to_pylist()
            first_rows += found[: _ON_PAGE - len(first_rows)]
            for row in found:
                out.write("[\n" if count == 0 else ",\n")
                out.write(json_line(row))
                count += 1
        out.write("\n]\n")
    for path in (parquet, text):
        path.chmod(0o600)
        sync(path)
    return first_rows, count
