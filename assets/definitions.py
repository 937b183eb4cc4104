"""What Dagster loads: all assets, checks, jobs, the schedule and the sensors."""

import dagster as dg

from assets.checks import CHECKS
from assets.derived import BY_DAY_ASSETS, WHOLE_ASSETS
from assets.end_of_day import backups, erasures, newest_backup_restores
from assets.jobs import (
    daily_job,
    end_job,
    end_of_day,
    every_day,
    ingest_job,
    new_lines,
    refresh_job,
    stale_days,
    whole_job,
)
from assets.raw import WORDS, directory, raw_tables
from assets.reports import REPORTS
from assets.resources import WarehouseResource


@dg.definitions
def defs() -> dg.Definitions:
    """Put the code location together; nothing is read or opened here."""
    return dg.Definitions(
        assets=[raw_tables, directory, *WORDS, *BY_DAY_ASSETS, *WHOLE_ASSETS, *REPORTS, erasures, backups],
        asset_checks=[*CHECKS, newest_backup_restores],
        jobs=[ingest_job, refresh_job, whole_job, daily_job, end_job],
        schedules=[every_day, end_of_day],
        sensors=[new_lines, stale_days],
        resources={"warehouse": WarehouseResource()},
        executor=dg.in_process_executor,
    )
