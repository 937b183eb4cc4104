"""The numbers of a week, as plain data: who came, what they did, what Trail read; of features see `use`.

Nothing is defined here: tables and functions of `product` say what each number is. What is not known is None.
"""

from __future__ import annotations

from datetime import date, timedelta
from importlib.metadata import version
from typing import Any

import duckdb

from pipeline.features import Catalogue, catalogue_of
from pipeline.lookup.rows import Row, rows
from pipeline.report.use import features_of_week, routes_of_week
from pipeline.report.weeks import Week, log_days
from pipeline.settings import Settings

# Tables that a page is made of; it is due anew when their days up to its Sunday have changed.
READS = (
    *("raw_requests", "requests", "clickstream", "visits", "user_days", "feature_days"),
    *("active_users", "lifecycle", "retention", "ingested_files", "rejected_lines"),
)
_COHORTS = 8
_USERS = ("users", "new_users", "returning_users", "resurrected_users", "dormant_users")
_OF_THE_FIRST_WEEK = ("new_users", "returning_users", "resurrected_users", "dormant_users")


def gather(connection: duckdb.DuckDBPyConnection, settings: Settings, week: Week | None) -> Row:
    """Gather what a page says.

    Args:
        connection: with every table as a view.
        settings: which catalogue.
        week: which week; None where the log holds none from end to end.

    Returns:
        By section of the page: what it shows, with None for what is not known. Of a week that is not there only what
        Trail read.
    """
    log, catalogue = log_days(connection), catalogue_of(settings)
    known = {"week": week, "log": log, "reading": _reading(connection), "versions": _versions(catalogue)}
    if week is None or log is None:
        return known | {"week": None}
    before = week.before if week.before.is_in(log) else None
    return known | {
        "before": before,
        "absent": _absent_days(connection, week),
        "people": _people(connection, week, before),
        "daily": _daily(connection, week, before),
        "visits": _in_both(connection, _VISITS, week, before),
        "retention": _retention(connection, week),
        "requests": _in_both(connection, _REQUESTS, week, before),
        "rules": _rules(connection, week),
        "features": features_of_week(connection, settings, catalogue, week, before),
        "routes": routes_of_week(connection, week),
    }


def _in_both(connection: duckdb.DuckDBPyConnection, query: str, week: Week, before: Week | None) -> dict[str, Row]:
    """Ask the same of a week and of the week before; of one that the log does not hold whole, nothing is known."""
    now = rows(connection, query, {"first": week.first, "last": week.last})[0]
    then = rows(connection, query, {"first": before.first, "last": before.last})[0] if before else dict.fromkeys(now)
    return {"now": now, "before": then}


_VISITS = """
select
    count(*) filter (where not is_bot and opt_out is null) as visits,
    count(user_id) filter (where not is_bot and opt_out is null) as visits_of_users,
    count(length_s) filter (where not is_bot and opt_out is null) as known_lengths,
    avg(length_s) filter (where not is_bot and opt_out is null) as mean_s,
    median(length_s) filter (where not is_bot and opt_out is null) as median_s,
    count(*) filter (where is_bot) as visits_of_bots,
    count(*) filter (where not is_bot and opt_out is not null) as visits_opted_out,
from visits
where date between $first and $last
"""
_REQUESTS = "select count(*) as requests from raw_requests where date between $first and $last"


def _people(connection: duckdb.DuckDBPyConnection, week: Week, before: Week | None) -> Row:
    """Users of both weeks by what they are, and since when the log knows users; None where it knows none."""
    told = {row["period_at"]: row for row in rows(connection, _LIFECYCLE)}
    since = min(told, default=None)
    return {
        "since": since,
        "is_first": since == week.first,
        "now": _groups(connection, told, since, week),
        "before": _groups(connection, told, since, before),
    }


_LIFECYCLE = """
select *, new_users + returning_users + resurrected_users as users
from lifecycle
where unit = 'week' and scope = 'all' and feature is null
"""


def _groups(
    connection: duckdb.DuckDBPyConnection, told: dict[date, Row], since: date | None, week: Week | None
) -> dict[str, int | None]:
    groups: dict[str, int | None] = dict.fromkeys((*_USERS, "monthly_users"))
    if week is None or since is None or week.first < since:
        return groups
    groups |= {name: told[week.first][name] for name in _USERS} if week.first in told else {"users": 0}
    if week.first == since:  # everybody is new to a log that begins
        groups |= dict.fromkeys(_OF_THE_FIRST_WEEK)
    sunday = _active(connection, week.last, week.last).get(week.last)
    groups["monthly_users"] = sunday["monthly_users"] if sunday else None
    return groups


def _daily(connection: duckdb.DuckDBPyConnection, week: Week, before: Week | None) -> list[Row]:
    """Users of each day and of the same day a week before; None for a day of which the log holds nothing."""
    told = _active(connection, week.before.first, week.last)
    logged = {row["date"] for row in rows(connection, _LOGGED, {"first": week.before.first, "last": week.last})}

    def users(day: date) -> int | None:
        if day in told:
            return int(told[day]["daily_users"])
        return 0 if day in logged and told else None

    earlier = [users(day) if before else None for day in week.before.days]
    return [{"day": day, "now": users(day), "before": was} for day, was in zip(week.days, earlier, strict=True)]


_LOGGED = "select distinct date from visits where date between $first and $last"


def _active(connection: duckdb.DuckDBPyConnection, first: date, last: date) -> dict[date, Row]:
    found = rows(connection, _ACTIVE, {"first": first, "last": last})
    return {row["date"]: row for row in found}


_ACTIVE = """
from active_users
where scope = 'all' and feature is null and date between $first and $last
"""


def _absent_days(connection: duckdb.DuckDBPyConnection, week: Week) -> list[date]:
    """Days of a week of which the log holds nothing at all."""
    logged = {row["date"] for row in rows(connection, _LOGGED, {"first": week.first, "last": week.last})}
    return [day for day in week.days if day not in logged]


def _retention(connection: duckdb.DuckDBPyConnection, week: Week) -> list[Row]:
    """The last cohorts of users by their first week, with how many came again in each week up to this one."""
    asked = {"first": week.first - timedelta(weeks=_COHORTS), "last": week.first}
    cohorts: dict[date, Row] = {}
    for row in rows(connection, _RETENTION, asked):
        cohort = cohorts.setdefault(row["cohort_at"], {"week": Week(row["cohort_at"]), "again": []})
        cohort["users"] = row["cohort_users"]
        cohort["again"].append(row["recurring_users"])
    return [cohort for cohort in cohorts.values() if cohort["again"]]


_RETENTION = """
select cohort_at, later, cohort_users, recurring_users
from retention
where unit = 'week' and scope = 'all' and feature is null and later > 0
    and cohort_at between $first and $last and cohort_at + 7 * later::integer <= $last
order by cohort_at, later
"""


def _reading(connection: duckdb.DuckDBPyConnection) -> Row:
    """What became of every line that Trail ever read."""
    return rows(connection, _LEDGER)[0] | {"rejected_for": rows(connection, _REJECTED)}


_LEDGER = """
select
    count(*) as files,
    count(*) filter (where state = 'damaged') as files_damaged,
    count(*) filter (where format is null and lines_read > 0) as files_unknown,
    coalesce(sum(lines_read), 0)::bigint as lines_read,
    coalesce(sum(lines_kept), 0)::bigint as lines_kept,
    coalesce(sum(lines_rejected), 0)::bigint as lines_rejected,
    coalesce(sum(lines_duplicate), 0)::bigint as lines_duplicate,
    coalesce(sum(lines_blank), 0)::bigint as lines_blank,
    coalesce(sum(lines_erased), 0)::bigint as lines_erased,
    max(read_at) as read_at,
    max(last_at) as last_at,
from ingested_files
"""
_REJECTED = "select reason, count(*) as lines from rejected_lines group by reason order by lines desc, reason"


def _rules(connection: duckdb.DuckDBPyConnection, week: Week) -> list[str]:
    """What derived the requests of a week: rules, settings and databases."""
    found = rows(connection, _DERIVED_BY, {"first": week.first, "last": week.last})
    return [row["enrichment_version"] for row in found]


_DERIVED_BY = """
select distinct enrichment_version from requests where date between $first and $last order by enrichment_version
"""


def _versions(catalogue: Catalogue) -> dict[str, Any]:
    counts = {"features": len(catalogue.features), "funnels": len(catalogue.funnels)}
    return {"trail": version("trail"), "catalogue": catalogue.version if catalogue.features else None} | counts
