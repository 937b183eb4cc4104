"""The warehouse as a resource whose life is the run's: locked at its start, staged or published at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from pipeline.build import find_stale, stale_whole, why_stale
from pipeline.features import catalogue_of
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import Run, open_run

ONLY_STALE = "trail/only_stale"
SWEEP = "trail/sweep"
RECENT_ONLY = "trail/recent_only"


@dataclass
class OpenWarehouse:
    """A run on the warehouse, as assets and checks see it."""

    run: Run
    settings: Settings
    recent_only: bool = False
    has_failed: bool = False

    @contextmanager
    def step(self) -> Iterator[Run]:
        """Do a step of the run; one that fails makes the whole run leave no trace."""
        try:
            yield self.run
        except BaseException:
            self.has_failed = True
            raise

    def days(self, context: dg.AssetExecutionContext, table: str) -> dict[date, str]:
        """The days of the partition range to build, with why: all with data, or stale ones where the run says so."""
        window = context.partition_time_window
        first, last = window.start.date(), window.end.date() - timedelta(days=1)
        stale = {day: why for day, why in sorted(why_stale(self.run, table).items()) if first <= day <= last}
        if context.run.tags.get(ONLY_STALE):
            return stale
        known = {day for name in ("raw_requests", table) for day in self.run.files(name, first, last)}
        wanted = {day for day in known if day is not None} | stale.keys()
        return {day: stale.get(day, "asked for") for day in sorted(wanted)}

    def finish(self, tags: Mapping[str, str]) -> None:
        """Stage what was done; publish it when nothing is stale any more, so that readers only see whole states."""
        if self.has_failed:
            return
        if find_stale(self.run) or stale_whole(self.run):
            self.run.stage()
        else:
            self.run.publish()
        if tags.get(SWEEP):
            self.run.sweep()


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens the configured warehouse for the length of a run."""

    config: str = ""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[OpenWarehouse]:
        """Hold the warehouse's lock from here to the run's end."""
        settings = load_settings(Path(self.config) if self.config else None)
        catalogue_of(settings)  # a wrong one is said before anything is read, not when its tables are made
        tags = context.run.tags if context.run else {}
        with open_run(settings) as run:
            warehouse = OpenWarehouse(run, settings, recent_only=RECENT_ONLY in tags)
            yield warehouse
            warehouse.finish(tags)
