"""One table's Delta log: which data files are live, at which version; files are added and removed in one transaction.

The log holds row counts and paths only: statistics of columns would outlive an erasure.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema
from deltalake.transaction import AddAction, RemoveAction

from pipeline.table import Table
from pipeline.warehouse.files import SchemaError, check_file, lay_tripwire, new_path, write_file

DayFiles = dict[date | None, list[Path]]
_FILE = re.compile(r"(?:date=(\d{4}-\d\d-\d\d)/)?[0-9a-f]{32}\.parquet$", re.ASCII)
OUTGROWN = "made by another version of Trail, with other columns"
_CONFIGURATION: dict[str, str | None] = {
    "delta.dataSkippingNumIndexedCols": "0",
    "delta.enableExpiredLogCleanup": "false",  # pinned versions must stay readable, and the log holds nothing personal
}


def _with_nulls(rows: pa.Table, missing: Sequence[pa.Field]) -> pa.Table:
    """Add columns of nulls."""
    for field in missing:
        rows = rows.append_column(field.name, pa.nulls(len(rows), field.type))
    return rows


class DeltaFiles:
    """The live files of one table at one version, and commits on top of it."""

    def __init__(self, folder: Path, table: Table, version: int | None) -> None:
        """Open a table.

        Args:
            folder: the table's own.
            table: its schema.
            version: what counts as its state; None where it has none yet.

        Raises:
            SchemaError: it cannot be made again, and has columns that are not declared today, or are of another type.
        """
        self._folder = folder
        self._table = table
        self._log = DeltaTable(folder.as_uri(), version=version) if version is not None else None
        self._live = self._list() if self._log and not self.is_outgrown else {}
        if self.is_outgrown and table.is_original:
            raise SchemaError(f"{table.name}: {OUTGROWN}; make a warehouse anew from the logs, or use that version")

    @property
    def version(self) -> int | None:
        """The version that holds this state; None where nothing was ever committed."""
        return self._log.version() if self._log else None

    @property
    def is_outgrown(self) -> bool:
        """Whether its files were written under another schema than the one declared today: none of them counts."""
        return self._log is not None and self._log.schema() != self._declared and not self.is_narrower

    @property
    def is_narrower(self) -> bool:
        """Whether it cannot be made again and lacks columns declared since, which are null in what it holds."""
        if self._log is None or not self._table.is_original:
            return False
        held, declared = (
            {field.name: field.type for field in schema.fields} for schema in (self._log.schema(), self._declared)
        )
        return held.items() < declared.items()

    @property
    def _declared(self) -> Schema:
        return Schema.from_arrow(self._table.file_schema.remove_metadata())

    def begin_anew(self) -> None:
        """Make the table empty, with the schema declared today; versions before stay readable."""
        self._log = self._create("overwrite")
        self._live = {}

    def widen(self) -> None:
        """Write its files again with the columns declared since, null in every row; other values stay as they are."""
        wider = {day: [self._wider(path, day) for path in paths] for day, paths in self._live.items()}
        self.begin_anew()
        self.commit(wider, ())

    def _wider(self, path: Path, day: date | None) -> Path:
        file = pq.ParquetFile(path)
        missing = [field for field in self._table.row_schema if field.name not in file.schema_arrow.names]
        fresh = new_path(self._folder, day)
        groups = (file.read_row_group(number) for number in range(file.num_row_groups))
        write_file(fresh, self._table, (_with_nulls(group, missing) for group in groups))
        return fresh

    def _list(self) -> DayFiles:
        assert self._log is not None
        live: DayFiles = defaultdict(list)
        for uri in sorted(self._log.file_uris()):
            found = _FILE.search(uri)  # our own names, free of what the folders above may hold
            assert found is not None
            live[date.fromisoformat(found[1]) if found[1] else None].append(self._folder / found[0])
        return dict(live)

    def files(self, first: date | None = None, last: date | None = None) -> DayFiles:
        """Live files by day (None for a table that is not by day), within a range of days."""
        return {
            day: list(paths)
            for day, paths in sorted(self._live.items(), key=lambda item: item[0] or date.min)
            if day is None or ((first is None or day >= first) and (last is None or day <= last))
        }

    def restore(self) -> None:
        """Undo, in the log's head, what was committed after this state, so that commits go on from it."""
        if not (self._folder / "_delta_log").is_dir():
            return
        head = DeltaTable(self._folder.as_uri())
        kept = self.version or 0
        if head.version() > kept:
            head.restore(kept)
            self._log = DeltaTable(self._folder.as_uri())
        elif self._log is None:
            self._log = head

    def commit(self, added: Mapping[date | None, Sequence[Path]], replaced: Sequence[date | None]) -> None:
        """Add files and remove those of some days, in one transaction.

        Raises:
            SchemaError: a file's columns are not the table's.
        """
        self._make()
        assert self._log is not None
        now_ms = int(time.time() * 1000)
        adds = [self._add(path, day, now_ms) for day, paths in added.items() for path in paths]
        new = {path for paths in added.values() for path in paths}
        removes = [
            RemoveAction(self._relative(path), True, now_ms, partition_values=self._partition(day))
            for day in replaced
            for path in self._live.get(day, [])
            if path not in new
        ]
        staying = {path for day in replaced for path in self._live.get(day, [])} & new
        adds = [action for action in adds if self._folder / action.path not in staying]
        if not adds and not removes:
            return
        self._log.create_write_transaction(
            [*adds, *removes], mode="append", schema=self._log.schema(), partition_by=self._partition_columns
        )
        self._log = DeltaTable(self._folder.as_uri())
        live: DayFiles = {day: [] if day in replaced else list(paths) for day, paths in self._live.items()}
        for day, paths in added.items():
            live[day] = [*live.get(day, []), *paths]
        self._live = {day: sorted(paths) for day, paths in live.items() if paths}

    @property
    def _partition_columns(self) -> list[str]:
        return ["date"] if self._table.is_by_day else []

    def _partition(self, day: date | None) -> dict[str, str | None]:
        return {"date": day.isoformat()} if day else {}

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _add(self, path: Path, day: date | None, now_ms: int) -> AddAction:
        rows = check_file(path, self._table)
        stats = json.dumps({"numRecords": rows})
        return AddAction(self._relative(path), path.stat().st_size, self._partition(day), now_ms, True, stats)

    def _make(self) -> None:
        if self._log is not None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._log = self._create("error")
        lay_tripwire(self._folder, self._table.name)

    def _create(self, mode: Literal["error", "overwrite"]) -> DeltaTable:
        return DeltaTable.create(
            self._folder.as_uri(),
            schema=self._declared,
            mode=mode,
            partition_by=self._partition_columns,
            name=self._table.name,
            description=self._table.grain,
            configuration=_CONFIGURATION,
        )
