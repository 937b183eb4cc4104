"""Days of `requests` before and after, compared row by row in DuckDB: how many rows differ, in which columns, and how.

Where the rows come from, and what becomes of them, does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schemas.use import REQUESTS

# By whom a row was derived is no difference: a row whose values stay the same keeps its version.
COMPARED = tuple(name for name in REQUESTS.schema.names if name not in ("date", "request_id", "enrichment_version"))

_SUMS = """
select count(*), sum(key), {sums}
from (select *, hash(request_id) as key from read_parquet($files, hive_partitioning = false))
"""
_ROWS_OF_A_DAY = """
create or replace temp table compared as
select
    after.filename as file,
    after.file_row_number as place,
    before.request_id is null as is_new,
    after.request_id is null as is_gone,
    before.enrichment_version as version_before,
    after.enrichment_version as version_after,
    {columns}
from read_parquet($before, hive_partitioning = false) as before
full join read_parquet($after, hive_partitioning = false) as after using (request_id)
"""
_COUNTS = """
select
    count(*) filter (where is_new),
    count(*) filter (where is_gone),
    count(*) filter (where not is_new and not is_gone and ({any_column})),
    {columns}
from compared
"""
_CHANGES_OF_A_COLUMN = """
insert into changes
select $column, before."{column}"::varchar, after."{column}"::varchar, count(*)
from read_parquet($before, hive_partitioning = false) as before
inner join read_parquet($after, hive_partitioning = false) as after using (request_id)
where before."{column}" is distinct from after."{column}"
group by all
"""
_VERSIONS = """
select place, case when is_new or ({any_column}) then version_after else version_before end as enrichment_version
from compared
where file = $file
"""
_MOST_FREQUENT = """
with merged as (
    select name, before, after, sum(n)::bigint as n from changes group by all
),
ranked as (
    select
        *,
        row_number() over (partition by name order by n desc, before nulls first, after nulls first) as place,
        count(*) over (partition by name) as distinct_changes,
        (sum(n) over (partition by name))::bigint as n_of_name
    from merged
)
select name, n_of_name, distinct_changes, before, after, n
from ranked
where place <= $most
order by n_of_name desc, name, place
"""


@dataclass(frozen=True)
class DayDifference:
    """How a day's rows after differ from those before.

    Attributes:
        rows: rows after.
        rows_new: those that were not there before.
        rows_gone: those before that are not there after.
        rows_changed: those of both that differ in a column.
        columns: rows that differ in a column, by column; those without any are left out.
    """

    day: date
    rows: int
    rows_new: int
    rows_gone: int
    rows_changed: int
    columns: dict[str, int]

    @property
    def rows_differing(self) -> int:
        """Rows that are new, gone or changed."""
        return self.rows_new + self.rows_gone + self.rows_changed


@dataclass(frozen=True)
class Change:
    """A value of a column before and after, as text, and how many rows it is of."""

    before: str | None
    after: str | None
    rows: int


@dataclass(frozen=True)
class ColumnDifference:
    """How a column's values after differ from those before, over all days.

    Attributes:
        rows: how many rows differ in it.
        distinct_changes: how many pairs of values there are.
        changes: the most frequent pairs, the most frequent first.
    """

    column: str
    rows: int
    distinct_changes: int
    changes: list[Change]


class Differences:
    """Compares day after day; what a day's rows take is DuckDB's, which spills what does not fit into its memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Prepare.

        Args:
            connection: for this comparison alone; it gets tables.
        """
        self._connection = connection
        self._columns: list[str] = []
        connection.execute("create temp table changes (name varchar, before varchar, after varchar, n bigint)")

    def compare(self, day: date, before: Sequence[Path], after: Sequence[Path]) -> DayDifference:
        """Compare a day's rows, by request_id, in every column that is derived or passed on.

        Args:
            day: of the rows.
            before: files of rows as they are.
            after: files of rows as they would be.
        """
        (rows, *sums), (rows_before, *sums_before) = self._sums(after), self._sums(before)
        if (rows, sums) == (rows_before, sums_before):
            return DayDifference(day, rows, 0, 0, 0, {})
        _, *by_column = zip(sums, sums_before, strict=True)
        self._columns = [name for name, (now, then) in zip(COMPARED, by_column, strict=True) if now != then]
        files = {"before": _texts(before), "after": _texts(after)}
        columns = [f'before."{name}" is distinct from after."{name}" as "{name}"' for name in self._columns]
        self._connection.execute(_ROWS_OF_A_DAY.format(columns=",\n    ".join(columns)), files)
        counts = [f'count(*) filter (where not is_new and not is_gone and "{name}")' for name in self._columns]
        any_column = _any(self._columns)
        (counted,) = self._fetch(_COUNTS.format(any_column=any_column, columns=",\n    ".join(counts)))
        rows_new, rows_gone, rows_changed, *by_name = counted
        differing = {name: count for name, count in zip(self._columns, by_name, strict=True) if count}
        for name in differing:
            self._connection.execute(_CHANGES_OF_A_COLUMN.format(column=name), {**files, "column": name})
        return DayDifference(day, rows, rows_new, rows_gone, rows_changed, differing)

    def versions(self, file: Path) -> pa.Array:
        """Name the version of each row, in its order, of a file after of the day last compared, which differs.

        A row that differs has been derived anew; one that does not keeps the version that gave it its values.
        """
        query = _VERSIONS.format(any_column=_any(self._columns))
        found: pa.Table = self._connection.sql(query, params={"file": str(file)}).to_arrow_table()
        # Put in order here: where insertion order is not preserved, an Arrow result may ignore an order by.
        return found["enrichment_version"].take(pc.sort_indices(found["place"])).combine_chunks()

    def columns(self, most: int) -> list[ColumnDifference]:
        """List the columns in which rows of the days compared differ, those with the most rows first.

        Args:
            most: how many changes to name of a column.
        """
        found: dict[str, ColumnDifference] = {}
        for name, rows, distinct_changes, before, after, count in self._fetch(_MOST_FREQUENT, {"most": most}):
            column = found.setdefault(name, ColumnDifference(name, rows, distinct_changes, []))
            column.changes.append(Change(before, after, count))
        return list(found.values())

    def _sums(self, files: Sequence[Path]) -> tuple[Any, ...]:
        """Count rows and sum up hashes of their ids, and of ids with each column's values: what equal rows share.

        Most days and columns are equal, and to join them would take ten times as long. The hashes have 64 bits.
        """
        sums = ", ".join(f'sum(hash(hash(key, "{name}")))' for name in COMPARED)
        (found,) = self._fetch(_SUMS.format(sums=sums), {"files": _texts(files)})
        return found

    def _fetch(self, query: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, parameters or {}).fetchall()


def _texts(paths: Sequence[Path]) -> list[str]:
    return [str(path) for path in paths]


def _any(columns: Sequence[str]) -> str:
    return " or ".join(f'"{name}"' for name in columns)
