"""The Dagster code location: thin assets, checks, schedules, sensors; the only place that imports dagster."""

import warnings

import dagster as dg

# Single-run backfills and mappings to days that do not exist are marked beta; both were tried on the pinned version,
# and a person who types `trail run` can do nothing about the warning.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
