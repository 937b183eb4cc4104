"""The one partitioning that every table by day shares: UTC days, today among them."""

import dagster as dg

FIRST_DAY = "1995-01-01"  # the earliest time that a log line may have

DAILY = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1)
AROUND = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=1, allow_nonexistent_upstream_partitions=True)
SAME_AND_NEXT = dg.TimeWindowPartitionMapping(start_offset=0, end_offset=1, allow_nonexistent_upstream_partitions=True)
