"""The same assets from a terminal: everything that is to be done, in this process; progress goes to the log `trail`."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from assets.checks import CHECKS
from assets.derived import BY_DAY_ASSETS, WHOLE_ASSETS
from assets.jobs import range_tags
from assets.raw import directory, raw_tables
from assets.reports import REPORTS
from assets.resources import SWEEP, WarehouseResource
from pipeline.build import ranges_to_refresh, stale_whole
from pipeline.features import catalogue_of
from pipeline.privacy import erase_waiting
from pipeline.report import due_weeks
from pipeline.settings import Settings
from pipeline.warehouse import StagedState

_LOG = logging.getLogger("trail")
_MOST_ROUNDS = 10


class StepFailedError(RuntimeError):
    """A step of a run failed; the message names it and says why. Nothing of the run is kept."""


@dataclass
class RunSummary:
    """What a run did.

    Attributes:
        lines: lines read in this run, and where each ended.
        ranges: ranges of days that were looked at because something in them was stale.
        seconds: how long each step took.
        failed_checks: what a check found that should not be, a sentence each.
    """

    lines: dict[str, int] = field(default_factory=dict)
    ranges: list[tuple[date, date]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    failed_checks: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {
            "lines": self.lines,
            "ranges": [[first.isoformat(), last.isoformat()] for first, last in self.ranges],
            "failed_checks": self.failed_checks,
            "seconds": {step: round(seconds, 3) for step, seconds in self.seconds.items()},
        }


def run_everything(settings: Settings, config: Path | None = None) -> RunSummary:
    """Read new lines, rebuild what they make stale, publish, and erase whom it is asked of.

    Args:
        settings: where the warehouse is.
        config: the settings file they came from, for the assets.

    Returns:
        What was done.

    Raises:
        SettingError: the features' catalogue cannot be used.
        StepFailedError: a step failed, or days stay stale however often they are built.
        ErasureError: something of whom was erased is left.
    """
    catalogue_of(settings)
    summary = RunSummary()
    _materialize([raw_tables, directory], {SWEEP: "yes"}, config, summary)
    refresh(settings, config, summary)
    return refresh(settings, config, summary) if erase_waiting(settings, _LOG.info) else summary


def refresh(settings: Settings, config: Path | None = None, before: RunSummary | None = None) -> RunSummary:
    """Rebuild what is stale and publish, as `run_everything` does after it has read new lines.

    Args:
        settings: where the warehouse is.
        config: the settings file they came from, for the assets.
        before: what was done already; this is added to it.

    Returns:
        What was done.

    Raises:
        StepFailedError: a step failed, or days stay stale however often they are built.
    """
    summary = before or RunSummary()
    for _ in range(_MOST_ROUNDS):
        state = StagedState(settings)
        ranges = ranges_to_refresh(state)
        for first, last in ranges:
            _LOG.info("days %s to %s", first, last)
            _materialize([*BY_DAY_ASSETS, *WHOLE_ASSETS], range_tags(first, last), config, summary)
            summary.ranges.append((first, last))
        if not ranges and not stale_whole(state):
            if due_weeks(state):
                _materialize(REPORTS, {}, config, summary)
            return summary
        if not ranges:
            _materialize(WHOLE_ASSETS, {}, config, summary)
    raise StepFailedError("days stay stale after they were built")


def _materialize(
    assets: list[dg.AssetsDefinition], tags: dict[str, str], config: Path | None, summary: RunSummary
) -> None:
    keys = {key for asset in assets for key in asset.keys}
    checks = [check for check in CHECKS if {key.asset_key for key in check.check_keys} <= keys]
    with _instance() as instance:
        result = dg.materialize(
            [*assets, *checks],
            resources={"warehouse": WarehouseResource(config=str(config.resolve()) if config else "")},
            instance=instance,
            raise_on_error=False,
            tags=tags,
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )
    for event in result.all_events:
        if event.is_step_failure:
            raise StepFailedError(f"{event.step_key}: {_reason(event)}")
        if event.is_step_success:
            step = event.step_key or ""
            taken = event.step_success_data.duration_ms / 1000
            summary.seconds[step] = summary.seconds.get(step, 0.0) + taken
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            found_by = event.asset_check_evaluation_data
            if not found_by.passed:
                summary.failed_checks.append(f"{found_by.asset_key.to_user_string()}: {found_by.description}")
        if event.is_step_materialization and event.step_key == "ingest":
            found = event.step_materialization_data.materialization.metadata
            counts = {name: value.value for name, value in found.items() if name.startswith("lines_")}
            summary.lines = {name.removeprefix("lines_"): int(str(count)) for name, count in counts.items()}
    if not result.success:
        raise StepFailedError("the run failed before its first step; see the log")


def _reason(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "failed"


def _instance() -> dg.DagsterInstance:
    """The configured instance, so that runs show on Dagster's page; else one that leaves nothing behind."""
    logging.getLogger("alembic").setLevel(logging.ERROR)
    return dg.DagsterInstance.get() if os.environ.get("DAGSTER_HOME") else dg.DagsterInstance.ephemeral()
