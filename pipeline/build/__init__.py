"""Builds tables for days within a run, and knows which days are stale, as make does: by what they were built from.

What a row means is in `enrich` and `sql/`; which orchestrator calls this does not matter here.
"""

from pipeline.build.everything import bring_up_to_date
from pipeline.build.rederive import AskedDays, Rederivation, RederiveError, asked_days, open_rederivation
from pipeline.build.requests import build_requests
from pipeline.build.stale import INPUTS, Stale, find_stale, ranges_to_refresh, stale_days, stale_whole, why_stale
from pipeline.build.tables import BY_DAY, build_days, build_directory, build_whole

__all__ = [
    "BY_DAY",
    "INPUTS",
    "AskedDays",
    "Rederivation",
    "RederiveError",
    "Stale",
    "asked_days",
    "bring_up_to_date",
    "build_days",
    "build_directory",
    "build_requests",
    "build_whole",
    "find_stale",
    "open_rederivation",
    "ranges_to_refresh",
    "stale_days",
    "stale_whole",
    "why_stale",
]
