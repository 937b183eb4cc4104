"""Jobs, and what starts them: a daily schedule, a sensor on the landing place, and one on stale days."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import dagster as dg

from assets.raw import RAW
from assets.reports import REPORTS
from assets.resources import ONLY_STALE, RECENT_ONLY, SWEEP
from pipeline.build import ranges_to_refresh, stale_whole
from pipeline.build.stale import WHOLE_INPUTS
from pipeline.ingest.landing import KnownFiles, changed_files, reopened
from pipeline.ingest.limits import limit_of
from pipeline.ingest.stores import open_place
from pipeline.settings import load_settings
from pipeline.warehouse import StagedState

INGEST = dg.AssetSelection.assets(*RAW)
END = dg.AssetSelection.assets("erasures", "backups")  # they open the warehouse themselves
TABLES = dg.AssetSelection.all() - END
WHOLE = dg.AssetSelection.assets(*WHOLE_INPUTS, *REPORTS)

ingest_job = dg.define_asset_job("ingest_new_lines", INGEST, description="Read what is new in the landing place.")
refresh_job = dg.define_asset_job(
    "refresh_days",
    TABLES - INGEST,
    description="Rebuild stale days of the derived tables, and publish when none is left.",
)
whole_job = dg.define_asset_job(
    "refresh_people", WHOLE, description="Rebuild the tables that are not by day, and publish."
)
daily_job = dg.define_asset_job("daily", TABLES, description="Everything, for the day that ended.")
end_job = dg.define_asset_job("end_of_day", END, description="Erase whom it waits for, as one; then back up.")


def range_tags(first: date, last: date) -> dict[str, str]:
    """Tags of one run over a range of days that builds what is stale in it."""
    start, end = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    return {start: first.isoformat(), end: last.isoformat(), ONLY_STALE: "yes"}


@dg.schedule(
    cron_schedule="20 0 * * *",
    job=daily_job,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def every_day(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Do everything for yesterday, whether or not lines arrived, and sweep what is superseded."""
    day = context.scheduled_execution_time.date() - timedelta(days=1)
    return dg.RunRequest(partition_key=day.isoformat(), tags={ONLY_STALE: "yes", SWEEP: "yes"})


@dg.schedule(
    cron_schedule="50 0 * * *",
    job=end_job,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def end_of_day(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Erase what waits and back up; runs queue, so that it waits for the day's to end."""
    return dg.RunRequest()


@dg.sensor(job=ingest_job, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def new_lines() -> dg.RunRequest | dg.SkipReason:
    """Read the landing place when something recent in it changed: a listing, no file is opened."""
    settings = load_settings()
    state = StagedState(settings)
    known = KnownFiles(state.files("landing_files").get(None, []))
    again = reopened(known, state.files("ingested_files").get(None, []), settings)
    try:
        changed = changed_files(open_place(settings), known, again, recent_only=True)
    except OSError as error:
        return dg.SkipReason(str(error))
    if not changed:
        return dg.SkipReason(f"nothing changed in {settings.landing}")
    limits = [limit_of(file.size, settings).bytes for file in changed]
    seen = "\n".join(f"{tuple(file.listed)!r} {limit}" for file, limit in zip(changed, limits, strict=True))
    return dg.RunRequest(run_key=sha256(seen.encode()).hexdigest(), tags={RECENT_ONLY: "yes"})


@dg.sensor(jobs=[refresh_job, whole_job], minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def stale_days() -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Rebuild just the days that new lines or links made stale, however old; what fails is tried again each hour."""
    state = StagedState(load_settings())
    key = f"{state.fingerprint} {datetime.now(UTC):%Y%m%d%H}"
    ranges = ranges_to_refresh(state)
    for first, last in ranges:
        yield dg.RunRequest(job_name=refresh_job.name, run_key=f"{key} {first} {last}", tags=range_tags(first, last))
    if ranges:
        return
    if state.exists and stale_whole(state):
        yield dg.RunRequest(job_name=whole_job.name, run_key=f"{key} people")
    else:
        yield dg.SkipReason("nothing is stale")
