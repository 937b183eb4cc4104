"""What was derived: requests and the tables of `sql/`, by day and whole, in the order of their inputs."""

import logging
from datetime import date
from typing import Any

import dagster as dg

from assets.partitions import AROUND, DAILY, SAME_AND_NEXT
from assets.raw import spec
from assets.resources import OpenWarehouse
from pipeline.build import BY_DAY, INPUTS, build_days, build_requests, build_whole
from pipeline.build.stale import WHOLE_INPUTS

_LOG = logging.getLogger("trail")
_MAPPINGS = {(-1, 0, 1): AROUND, (0, 1): SAME_AND_NEXT}


def _deps(name: str) -> list[dg.AssetDep]:
    by_day = [
        dg.AssetDep(table, partition_mapping=_MAPPINGS.get(days)) if days in _MAPPINGS else dg.AssetDep(table)
        for table, days in INPUTS.get(name, ())
    ]
    links = [dg.AssetDep("identifier_links")] if name == "acts" else []
    return [*by_day, *links, *(dg.AssetDep(table) for table in WHOLE_INPUTS.get(name, ()))]


def _partitioned(name: str) -> dict[str, Any]:
    return {"partitions_def": DAILY, "deps": _deps(name)}


def _report(
    context: dg.AssetExecutionContext, why: dict[date, str], rows: dict[date, int]
) -> dg.MaterializeResult[Any]:
    """Report rows by day and why it was built; of a range, each day gets its own count and no day that of the range."""
    for day, count in rows.items():
        told = {"dagster/partition_row_count": count, "why": why[day]}
        context.add_asset_metadata(told, partition_key=day.isoformat())
    return dg.MaterializeResult(metadata={"days_built": len(rows), "days": {day.isoformat(): why[day] for day in rows}})


@dg.multi_asset(
    specs=[spec("requests", **_partitioned("requests"))],
    name="requests",
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def requests(
    context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[OpenWarehouse]
) -> dg.MaterializeResult[Any]:
    """Enrich the raw requests of each day."""
    with warehouse.step() as run:
        days = warehouse.days(context, "requests")
        return _report(context, days, build_requests(run, warehouse.settings, days, _LOG.info))


def _by_day(name: str) -> dg.AssetsDefinition:
    @dg.multi_asset(specs=[spec(name, **_partitioned(name))], name=name, backfill_policy=dg.BackfillPolicy.single_run())
    def build(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[OpenWarehouse]
    ) -> dg.MaterializeResult[Any]:
        with warehouse.step() as run:
            days = warehouse.days(context, name)
            return _report(context, days, build_days(run, name, days, _LOG.info))

    return build


def _whole(name: str) -> dg.AssetsDefinition:
    @dg.multi_asset(specs=[spec(name, deps=_deps(name))], name=name)
    def build(warehouse: dg.ResourceParam[OpenWarehouse]) -> dg.MaterializeResult[Any]:
        with warehouse.step() as run:
            return dg.MaterializeResult(metadata={"dagster/row_count": build_whole(run, name)})

    return build


BY_DAY_ASSETS = [requests, *(_by_day(name) for name in BY_DAY)]
WHOLE_ASSETS = [_whole(name) for name in WHOLE_INPUTS]
