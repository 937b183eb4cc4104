"""Pages made of the tables, for people: the only assets that are no tables."""

from typing import Any

import dagster as dg

from assets.resources import OpenWarehouse
from pipeline.report import write_due
from pipeline.schemas import TABLES


# After every table, not only those that it reads: no page is due while one of them is stale.
@dg.asset(deps=[dg.AssetDep(table) for table in TABLES], group_name="reports", kinds={"html"})
def weekly_report(warehouse: dg.ResourceParam[OpenWarehouse]) -> dg.MaterializeResult[Any]:
    """Pages of the last whole weeks, those that are absent or were made of other rows."""
    # No step of the warehouse: a page that cannot be written fails alone, and the tables are published all the same.
    pages = write_due(warehouse.run)
    return dg.MaterializeResult(metadata={"pages": [str(path) for path in pages]})


REPORTS = [weekly_report]
