"""What must hold of the tables, as questions that can be asked at any time: each has an answer with its numbers.

What must never be published is refused where it is written; here is what should be watched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import duckdb

from pipeline.schemas import TABLES

REJECTED_SHARE_LIMIT = 0.05
SMALL_DAY_SHARE = 0.25
_WEEKS = 4


@dataclass(frozen=True)
class CheckResult:
    """The answer to a check.

    Attributes:
        passed: whether what should hold does.
        description: what was found, in a sentence.
        numbers: what was counted.
    """

    passed: bool
    description: str
    numbers: dict[str, int | float | str] = field(default_factory=dict)


def ledger_adds_up(connection: duckdb.DuckDBPyConnection) -> CheckResult:
    """Whether each file's lines are kept, rejected, duplicate, blank or erased, and the raw tables hold just those."""
    wrong = connection.execute(
        """
        with kept as (select file_id, count(*) as lines from raw_requests group by file_id),
        rejected as (select file_id, count(*) as lines from rejected_lines group by file_id),
        duplicate as (select file_id, count(*) as lines from duplicate_lines group by file_id),
        blank as (select file_id, count(*) as lines from blank_lines group by file_id)
        select ingested_files.path
        from ingested_files
        full join kept using (file_id)
        full join rejected using (file_id)
        full join duplicate using (file_id)
        full join blank using (file_id)
        where lines_read is distinct from
                lines_kept + lines_rejected + lines_duplicate + lines_blank + coalesce(lines_erased, 0)
            or lines_kept is distinct from coalesce(kept.lines, 0)
            or lines_rejected is distinct from coalesce(rejected.lines, 0)
            or lines_duplicate is distinct from coalesce(duplicate.lines, 0)
            or lines_blank is distinct from coalesce(blank.lines, 0)
        order by path
        """
    ).fetchall()
    files = _number(connection, "select count(*) from ingested_files")
    if wrong:
        said = f"{len(wrong)} of {files} files do not add up, first {wrong[0][0]}"
        return CheckResult(False, said, {"files": files, "wrong": len(wrong)})
    return CheckResult(True, f"all {files} files add up", {"files": files, "wrong": 0})


def keys_are_unique(
    connection: duckdb.DuckDBPyConnection, table: str, first: date | None = None, last: date | None = None
) -> CheckResult:
    """Whether a table's key is unique, within a range of days for a table by day."""
    declared = TABLES[table]
    key = ", ".join(declared.key)
    where = "where date between $first and $last" if declared.is_by_day and first is not None else ""
    counts = f"select count(*) as n from {table} {where} group by {key}"  # noqa: S608 names are our own
    counted = connection.execute(
        f"select coalesce(sum(n - 1), 0), coalesce(sum(n), 0) from ({counts})",  # noqa: S608 names are our own
        {"first": first, "last": last} if where else {},
    ).fetchone()
    repeated, rows = (int(value) for value in counted or (0, 0))
    return CheckResult(
        repeated == 0, f"{repeated} of {rows} rows of {table} repeat a key", {"repeated": repeated, "rows": rows}
    )


def days_are_not_small(
    connection: duckdb.DuckDBPyConnection, first: date, last: date, share: float = SMALL_DAY_SHARE
) -> CheckResult:
    """Whether no day of `requests` is empty between others, or much smaller than its weekday was before."""
    rows = dict(
        connection.execute(
            "select date, count(*) from requests where date between $first and $last group by date",
            {"first": first - timedelta(weeks=_WEEKS), "last": last},
        ).fetchall()
    )
    if not rows:
        return CheckResult(True, "there are no requests yet", {"small_days": 0})
    small = [day for day in _days(max(first, min(rows)), min(last, max(rows))) if _is_small(rows, day, share)]
    if small:
        named = ", ".join(day.isoformat() for day in small[:5])
        return CheckResult(False, f"{len(small)} days are empty or small: {named}", {"small_days": len(small)})
    return CheckResult(True, "no day is empty or small", {"small_days": 0})


def _is_small(rows: dict[date, int], day: date, share: float) -> bool:
    before = sorted(rows[past] for week in range(1, _WEEKS + 1) if (past := day - timedelta(weeks=week)) in rows)
    usual = before[len(before) // 2] if before else 0
    count = rows.get(day, 0)
    return count == 0 or count < share * usual


def _days(first: date, last: date) -> Sequence[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def few_lines_are_rejected(connection: duckdb.DuckDBPyConnection, limit: float = REJECTED_SHARE_LIMIT) -> CheckResult:
    """Whether, of the files last read, no more than a share of the lines was rejected."""
    found = connection.execute(
        """
        select coalesce(sum(lines_rejected), 0), coalesce(sum(lines_read), 0)
        from ingested_files
        where read_at = (select max(read_at) from ingested_files)
        """
    ).fetchone()
    rejected, read = (int(value) for value in found or (0, 0))
    share = rejected / read if read else 0.0
    return CheckResult(
        share <= limit,
        f"{rejected} of {read} lines of the files last read were rejected ({share:.2%}; limit {limit:.0%})",
        {"rejected": rejected, "read": read, "share": share},
    )


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    found = connection.execute(query).fetchone()
    return int(found[0]) if found else 0
