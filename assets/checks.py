"""Asset checks: what should be watched of the tables, asked of the run's own state."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import dagster as dg
import duckdb

from assets.resources import OpenWarehouse
from pipeline.checks import CheckResult, days_are_not_small, few_lines_are_rejected, keys_are_unique, ledger_adds_up
from pipeline.privacy import addresses_hold_nothing_personal
from pipeline.schemas import TABLES


def _answer(result: CheckResult, severity: dg.AssetCheckSeverity) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=result.passed, description=result.description, metadata=dict(result.numbers), severity=severity
    )


def _whole_check(
    asset: str, ask: Callable[[duckdb.DuckDBPyConnection], CheckResult], severity: dg.AssetCheckSeverity
) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset, name=ask.__name__, description=ask.__doc__)
    def check(warehouse: dg.ResourceParam[OpenWarehouse]) -> dg.AssetCheckResult:
        with warehouse.step() as run, run.connect() as connection:
            return _answer(ask(connection), severity)

    return check


def _unique(table: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=table, name="keys_are_unique", description=f"Whether {', '.join(TABLES[table].key)} is unique."
    )
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[OpenWarehouse]
    ) -> dg.AssetCheckResult:
        with warehouse.step() as run, run.connect(tables=(table,)) as connection:
            result = keys_are_unique(connection, table, *_window(context))
            return _answer(result, dg.AssetCheckSeverity.ERROR)

    return check


@dg.asset_check(asset="requests", description="Whether no day is empty or suddenly small.")
def no_day_is_small(
    context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[OpenWarehouse]
) -> dg.AssetCheckResult:
    """Compare each day with the same weekday of the weeks before."""
    first, last = _window(context)
    with warehouse.step() as run, run.connect() as connection:
        known = [day for day in run.files("requests") if day is not None]
        if first is None or last is None:
            first, last = (min(known), max(known)) if known else (None, None)
        if first is None or last is None:
            return _answer(CheckResult(True, "there are no requests yet"), dg.AssetCheckSeverity.WARN)
        return _answer(days_are_not_small(connection, first, last), dg.AssetCheckSeverity.WARN)


def _window(context: dg.AssetCheckExecutionContext) -> tuple[Any, Any]:
    """First and last day of the run's partition range; none for a run without one."""
    if not context.has_partition_key and not context.has_partition_key_range:
        return None, None
    window = context.partition_time_window
    return window.start.date(), window.end.date() - timedelta(days=1)


@dg.asset_check(asset="requests", description=addresses_hold_nothing_personal.__doc__)
def nothing_personal_in_addresses(
    context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[OpenWarehouse]
) -> dg.AssetCheckResult:
    """Look at the addresses of the run's days."""
    with warehouse.step() as run, run.connect(*_window(context)) as connection:
        return _answer(addresses_hold_nothing_personal(connection), dg.AssetCheckSeverity.WARN)


CHECKS = [
    _whole_check("ingested_files", ledger_adds_up, dg.AssetCheckSeverity.ERROR),
    _whole_check("rejected_lines", few_lines_are_rejected, dg.AssetCheckSeverity.WARN),
    no_day_is_small,
    nothing_personal_in_addresses,
    *(
        _unique(name)
        for name in (
            *("requests", "identifier_links", "acts", "clickstream", "visits"),
            *("user_days", "user_links", "user_lookup"),
            *("feature_days", "feature_usage", "feature_adoption"),
            *("active_users", "lifecycle", "stickiness", "retention"),
            *("funnel_acts", "funnels"),
            *("friction", "page_steps", "paths", "segments"),
            *("feature_measures", "feature_staying", "feature_scores"),
        )
    ),
]
