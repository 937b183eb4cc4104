"""How long the product team's tables and questions take on a year of a large service, beside DuckDB on acts alone.

Made are the days of each product table, which a daily run makes once, and the tables made whole, which it makes each
time; asked is what somebody waits for. The same three questions are asked of `clickstream` with no table in between, as
one would without Trail's. With `--folder` the year, which `support_year.py` makes, stays and is used again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import duckdb

import pipeline.product as product
from pipeline.build import build_days, build_whole
from pipeline.build.stale import WHOLE_INPUTS
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import connect, open_run
from tests.benchmarks.support_questions import MAKE
from tests.benchmarks.support_year import THINGS, peak_mb, settings_of

_FEATURE = """
[features.{thing}]
description = "{thing} of the made-up service"
owner = "Team"
effort = 4
strategy = "grow"
patterns = [{{ route = "/{thing}/**" }}, {{ route = "/api/{thing}/**" }}]
"""
_FUNNEL = """
[funnels.first-invoice]
description = "From a client to an invoice"
steps = ["clients", "bookings", "invoices"]
within = "7 days"
"""
_BY_DAY = ("user_days", "feature_days", "feature_usage", "friction", "page_steps", "paths", "funnel_acts")
_WHOLE = [name for name in WHOLE_INPUTS if TABLES[name].layer == "product"]
_PEERS = {
    "people of a feature by week": """
        select date_trunc('week', date), split_part(route, '/', 2), count(distinct user_id)
        from clickstream where not is_bot group by all""",
    "retention by week": """
        with weeks as (select distinct user_id, date_trunc('week', date) as week
            from clickstream where user_id is not null and not is_bot),
        cohorts as (select user_id, min(week) as cohort from weeks group by user_id)
        select cohort, date_diff('week', cohort, week), count(*)
        from weeks join cohorts using (user_id) group by all""",
    "path from a page to the next": """
        with pages as (
            select visit_id, user_id, route, lead(route) over (partition by visit_id order by visit_seq) as next
            from clickstream where kind = 'page' and not is_bot
        )
        select route, next, count(*), count(distinct user_id) from pages group by all""",
}


def _catalogue(folder: Path) -> Settings:
    """Settings with a feature for each thing of the made-up service, and a funnel."""
    features = folder / "features.toml"
    features.write_text("".join(_FEATURE.format(thing=thing) for thing in THINGS) + _FUNNEL, encoding="utf-8")
    return replace(settings_of(folder), features=features)


@contextmanager
def _told(what: str, by: int = 1) -> Iterator[None]:
    started = time.perf_counter()
    yield
    print(f"{what:<44}{(time.perf_counter() - started) / by:>10.2f} s{peak_mb():>10,.0f} MB", flush=True)


def build(settings: Settings, first: date, days: int) -> None:
    """Make the product tables, of a day each and whole, and print how long each took."""
    dates = [first + timedelta(number) for number in range(days)]
    with open_run(settings) as run:
        for name in _BY_DAY:
            with _told(f"a day of {name}", days):
                build_days(run, name, dates)
            run.publish()
        for name in _WHOLE:
            with _told(f"all of {name}"):
                build_whole(run, name)
            run.publish()


def ask(connection: duckdb.DuckDBPyConnection, settings: Settings, first: date, last: date) -> None:
    """Ask what people wait for, of a year and of its last four weeks."""
    month = last - timedelta(27)
    funnel = partial(product.funnel, connection, ["clients", "bookings", "invoices"], settings=settings)
    rare = partial(product.funnel, connection, ["tasks", "teams"], settings=settings)
    ((business,),) = connection.sql(
        "select business_id from user_days where business_id is not null group by all order by count(*) desc, 1 limit 1"
    ).fetchall()
    questions: dict[str, Callable[[], duckdb.DuckDBPyRelation]] = {
        "people of a feature by week": lambda: product.usage(connection, "week"),
        "the same of one Business": lambda: product.usage(connection, "week", business=business),
        "retention by week": lambda: product.retention(connection),
        "retention of a feature, of one Business": lambda: product.retention(connection, "week", "notes", business),
        "lifecycle by month": lambda: product.lifecycle(connection, "month"),
        "active users": lambda: product.active_users(connection),
        "friction of the last four weeks": lambda: product.friction(connection, first=month),
        "a declared funnel": lambda: connection.table("funnels"),
        "another funnel, of the last four weeks": lambda: funnel(first=month),
        "another funnel, of one Business": lambda: funnel(business=business),
        "another funnel, of the year": funnel,
        "a funnel of rarer features, of the year": rare,
        "path from a page to the next": lambda: product.paths(connection),
        "paths of the last four weeks": lambda: product.paths(connection, first=month),
        "segments by month": lambda: product.segments(connection, unit="month"),
        "scores, candidates, matrix": lambda: product.candidates(connection),
    }
    for name, question in questions.items():
        with _told(name):
            question().to_arrow_table()
        if name in _PEERS:
            with _told("  of acts alone, in DuckDB"):
                connection.sql(_PEERS[name]).to_arrow_table()


def main() -> None:
    """Make the year where it is not there, then the tables, and ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=100_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--folder", type=Path, help="keep the tables here, or use those that are here")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        if not (folder / "questions.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            sizes = map(str, (asked.users, asked.requests, asked.days, 2))
            subprocess.run([sys.executable, "-c", MAKE, str(folder), *sizes], check=True)
        settings = _catalogue(folder)
        with open_run(settings) as run:
            days = sorted(day for day in run.files("clickstream") if day is not None)
        print(f"{len(days):,} days; seconds, and the most memory so far")
        build(settings, days[0], len(days))
        with connect(settings) as connection:
            ask(connection, settings, days[0], days[-1])


if __name__ == "__main__":
    main()
