"""Days of `requests` derived again from their raw rows, with today's rules and databases, beside what is there.

What differs is found first and written beside the table; making it live is a step of its own, and touches nothing else.
How rows are compared is in `differences`; the tables above follow as after any run.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.build.differences import ColumnDifference, DayDifference, Differences
from pipeline.build.requests import derive_days, files_without_user_agents
from pipeline.build.stale import State, stale_days, today
from pipeline.enrich import enrichment_version, open_geo
from pipeline.schemas.use import REQUESTS
from pipeline.settings import Settings
from pipeline.warehouse import Run, StagedState
from pipeline.warehouse.files import sync, write_file
from pipeline.warehouse.views import open_connection

_TEXTS = [field.name for field in REQUESTS.schema if pa.types.is_dictionary(field.type)]
_VERSION = "enrichment_version"

Span = tuple[date, date]


class RederiveError(RuntimeError):
    """Days cannot be derived again; the message says why and what to do. Nothing was changed."""


@dataclass(frozen=True)
class AskedDays:
    """The days of a range, by what can be done with them.

    Attributes:
        ready: days whose requests were built of all their raw rows.
        unbuilt: days with raw rows that no run has built yet: the run that does will use today's rules anyway.
        without_rows: spans of days without raw rows.
    """

    ready: list[date]
    unbuilt: list[date]
    without_rows: list[Span]


def asked_days(state: State, first: date | None = None, last: date | None = None) -> AskedDays:
    """Find what can be done with the days of a range.

    Args:
        state: a run, or a look at the staged state.
        first: the first day; that of the first raw row by default.
        last: the last day; that of the last raw row, and at most today, by default.

    Raises:
        RederiveError: there are no raw rows in the range.
    """
    raw = sorted(day for day in state.files("raw_requests") if day is not None)
    if not raw:
        raise RederiveError("there are no raw rows to derive from; `trail run` reads logs")
    first, last = first or raw[0], last or min(raw[-1], today())
    inside = [day for day in raw if first <= day <= last]
    if not inside:
        raise RederiveError(f"there are no raw rows in the days asked for; there are from {raw[0]} to {raw[-1]}")
    built = state.files("requests").keys() - set(stale_days(state, "requests"))
    return AskedDays(
        [day for day in inside if day in built],
        [day for day in inside if day not in built],
        _spans_between(inside, first, last),
    )


def _spans_between(days: Sequence[date], first: date, last: date) -> list[Span]:
    """Find the spans of a range that hold none of some days, which are sorted."""
    one = timedelta(days=1)
    edges = [first - one, *days, last + one]
    return [(left + one, right - one) for left, right in pairwise(edges) if right - left > one]


@dataclass(frozen=True)
class _NewDay:
    """New files of a day, and the files that were there when they were made."""

    raw: list[Path]
    before: list[Path]
    files: list[Path]


@contextmanager
def open_rederivation(settings: Settings) -> Iterator[Rederivation]:
    """Begin to derive days again; what was made and not applied goes with the block.

    The warehouse is not locked meanwhile: looking takes as long as a rebuild, and a person may take longer to decide.

    Raises:
        RederiveError: the configured database of places cannot be read.
    """
    folder = settings.spill / f"rederive-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    try:
        with open_connection(settings) as connection:
            yield Rederivation(settings, Differences(connection), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Rederivation:
    """Days derived again, what differs in them, and the files that would replace those that are there.

    Attributes:
        version: what `enrichment_version` of a row that differs becomes.
        days: how each day compared differs, in the order of comparing.
    """

    def __init__(self, settings: Settings, differences: Differences, folder: Path) -> None:
        """Prepare; `open_rederivation` is the way to one.

        Args:
            settings: today's.
            differences: what compares.
            folder: of this object's own, on the warehouse's disk.
        """
        self._settings, self._differences, self._folder = settings, differences, folder
        self._geo = open_geo(settings)
        self._check_geo()
        self._new: dict[date, _NewDay] = {}
        self.version = enrichment_version(settings, self._geo)
        self.days: list[DayDifference] = []

    def compare(self, days: Sequence[date], keeps_new: bool, progress: Callable[[str], None] | None = None) -> None:
        """Derive days again and compare them with what the last run left.

        Args:
            days: days that are ready, by `asked_days`.
            keeps_new: whether to make the files that `apply` needs.
            progress: is told of each day in a sentence.

        Raises:
            RederiveError: the database of places broke.
        """
        state = StagedState(self._settings)
        raw, before = state.files("raw_requests"), state.files("requests")
        silent = files_without_user_agents(state, self._settings)
        derived = derive_days(self._settings, self._geo, silent, {day: raw[day] for day in days}, self._write)
        for day, files, _ in derived:
            self._check_geo()
            found = self._differences.compare(day, before[day], files)
            self.days.append(found)
            if found.rows_differing and keeps_new:
                self._new[day] = _NewDay(raw[day], before[day], [self._with_versions(path) for path in files])
            for path in files:
                path.unlink()
            if progress:
                of_days = f"day {len(self.days)} of {len(days)}"
                progress(f"{day}: {found.rows_differing:,} of {found.rows:,} rows differ ({of_days})")

    @property
    def rows_differing(self) -> int:
        """Rows of the days compared that are new, gone or changed."""
        return sum(day.rows_differing for day in self.days)

    def columns(self, most: int) -> list[ColumnDifference]:
        """List the columns in which rows differ, those with the most rows first, with their `most` frequent changes."""
        return self._differences.columns(most)

    def apply(self, run: Run) -> tuple[list[date], list[date]]:
        """Replace the days that differ in a run's view; the caller stages.

        Returns:
            The days replaced, and those left alone because a run has built them since they were compared.
        """
        raw, before = run.files("raw_requests"), run.files("requests")
        same = {day for day, new in self._new.items() if raw.get(day) == new.raw and before.get(day) == new.before}
        run.replace("requests", {day: [_moved(run, day, path) for path in self._new[day].files] for day in same})
        return sorted(same), sorted(self._new.keys() - same)

    def _check_geo(self) -> None:
        """Refuse to forget places because a database went bad."""
        if self._settings.geoip and (self._geo is None or self._geo.is_broken):
            raise RederiveError(
                f"geo database {self._settings.geoip} cannot be read, and every place would become unknown; "
                "put a whole one there, or unset geoip"
            )

    def _write(self, _day: date, parts: Iterable[pa.Table]) -> Path:
        path = self._new_path()
        write_file(path, REQUESTS, parts)
        return path

    def _with_versions(self, path: Path) -> Path:
        """Write a file of the day last compared again, with the version that each of its rows keeps or gets."""
        target = self._new_path()
        with pq.ParquetFile(path, read_dictionary=_TEXTS) as file:
            write_file(target, REQUESTS, _versioned(file, self._differences.versions(path)))
        return target

    def _new_path(self) -> Path:
        return self._folder / f"{uuid.uuid4().hex}.parquet"


def _versioned(file: pq.ParquetFile, versions: pa.Array) -> Iterator[pa.Table]:
    start = 0
    for number in range(file.num_row_groups):
        rows = file.read_row_group(number)
        column = versions.slice(start, rows.num_rows).dictionary_encode()
        yield rows.set_column(rows.schema.get_field_index(_VERSION), _VERSION, column)
        start += rows.num_rows


def _moved(run: Run, day: date, path: Path) -> Path:
    """Give a file its place in the table, under a name of its own."""
    target = path.replace(run.new_path("requests", day))
    sync(target)
    return target
