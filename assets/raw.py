"""What was read: the raw tables and the ledger, once per new byte; and the service's directory."""

import logging
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.partitions import DAILY
from assets.resources import OpenWarehouse
from pipeline.build import build_directory
from pipeline.ingest import ingest
from pipeline.schemas import TABLES

_LOG = logging.getLogger("trail")
RAW = ("raw_requests", "rejected_lines", "duplicate_lines", "blank_lines", "ingested_files", "landing_files")
DIRECTORY = ("users", "memberships", "businesses", "former_names")


def spec(name: str, **more: Any) -> dg.AssetSpec:
    """Describe a table as an asset: one row of what, in which layer, with its columns."""
    table = TABLES[name]
    columns = [
        dg.TableColumn(
            field.name, str(field.type), description=(field.metadata or {}).get(b"description", b"").decode()
        )
        for field in table.schema
    ]
    return dg.AssetSpec(
        name,
        group_name=table.layer,
        description=f"One row per {table.grain.removeprefix('a ').removeprefix('an ')}.",
        kinds={"parquet"},
        metadata={"dagster/column_schema": dg.TableSchema(columns)},
        **more,
    )


# Written by `trail link`, by corrections and by erasures, by no run.
WORDS = [
    *(spec("link_corrections"), spec("user_corrections"), spec("erased_owners")),
    spec("settled_acts", partitions_def=DAILY),
]


@dg.multi_asset(specs=[spec(name) for name in RAW], name="ingest")
def raw_tables(warehouse: dg.ResourceParam[OpenWarehouse]) -> Iterator[Any]:
    """Read what is new in the landing place."""
    with warehouse.step() as run:
        report = ingest(run, warehouse.settings, _LOG.info, warehouse.recent_only)
    counts = {f"lines_{name}": count for name, count in report.lines.items()}
    touched = ", ".join(day.isoformat() for day in report.days)
    more: dict[str, Any] = {"files": len(report.files), "days": touched, "unreadable": dict(report.unreadable)}
    for name in RAW:
        yield dg.MaterializeResult(asset_key=name, metadata={**counts, **more})


@dg.multi_asset(specs=[spec(name) for name in DIRECTORY], name="directory")
def directory(warehouse: dg.ResourceParam[OpenWarehouse]) -> Iterator[Any]:
    """Read users, memberships and Businesses from the service's own database."""
    with warehouse.step() as run:
        rows = build_directory(run, warehouse.settings)
    for name, count in rows.items():
        yield dg.MaterializeResult(asset_key=name, metadata={"dagster/row_count": count})
