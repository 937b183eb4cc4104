"""The Dagster code location: thin assets, checks, schedules, sensors; the only place that imports dagster."""
