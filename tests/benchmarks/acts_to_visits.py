"""Acts a second from published `requests` to visits of known people, beside the same steps in pandas, in one run.

`make bench-visits` runs it. Thirty days of acts are made in a warehouse; then both link, cut and sum them, each in a
process of its own. Trail keeps DuckDB within `memory_limit`, builds day by day, and makes links and clickstream on its
way; pandas holds everything, and makes visits only. Both must find the same visits.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.build import build_days, build_whole, find_stale, stale_days
from pipeline.build.stale import fingerprint, note_built
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import connect, live_files, open_run
from tests.benchmarks.lines_to_requests import Measured, measure

DAYS = 30
_FIRST = date(2026, 3, 1)
_KINDS, _SHARES = ("page", "api", "download"), (0.6, 0.37, 0.03)
_GAP = pd.Timedelta(minutes=30)
_STEPS = ("identifier_days", "identifier_links", "acts", "same_visit_days", "clickstream", "visits")


def settings_of(folder: Path) -> Settings:
    """Settings as they are by default."""
    return Settings(landing=folder, warehouse=folder / "warehouse")


def make(folder: Path, acts: int) -> None:
    """Fill `requests` with acts of 100,000 visitors with cookies, a third of whom log in somewhere on their way."""
    chance = np.random.default_rng(7)
    with open_run(settings_of(folder)) as run:
        for number in range(DAYS):
            day = _FIRST + timedelta(days=number)
            path, _ = run.write_parts("requests", day, [_day_of(chance, day, acts // DAYS)])
            run.append("requests", {day: [path]})
        files = {"raw_requests": run.files("raw_requests")}
        for number in range(DAYS):
            day = _FIRST + timedelta(days=number)
            note_built(run, "requests", day, fingerprint(files, "requests", day, how=""))
        run.publish()


def _day_of(chance: np.random.Generator, day: date, count: int) -> pa.Table:
    sizes = chance.geometric(0.1, count // 8)
    sizes = sizes[: np.searchsorted(np.cumsum(sizes), count)]
    count = int(sizes.sum())
    visitor = np.repeat(chance.integers(0, 100_000, len(sizes)), sizes)
    begins = np.repeat(chance.uniform(0, 86_400, len(sizes)), sizes)
    steps = np.minimum(chance.lognormal(3, 1.5, count), 3600)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    passed = np.cumsum(steps)
    seconds = np.minimum(begins + passed - passed[first], 86_399.99)
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    micros = ((seconds + midnight) * 1e6).astype("int64")
    order = np.argsort(visitor, kind="stable")
    is_known = (visitor % 3 == 0) & (np.arange(count) - first >= 2)
    kinds = np.array(_KINDS)[chance.choice(3, count, p=_SHARES)]
    pages = chance.integers(0, 500, count)
    columns = {
        "request_id": pd.Series(chance.permutation(count)).map(f"{day:%Y%m%d}-{{:016x}}".format).to_numpy(),
        "source": np.full(count, "web"),
        "occurred_at": micros,
        "method": np.where(kinds == "api", "POST", "GET"),
        "path": pd.Series(pages).map("/clients/{}".format).to_numpy(),
        "status": np.where(chance.uniform(size=count) < 0.01, 500, 200),
        "user_agent": np.full(count, "Mozilla/5.0"),
        "user_id": np.where(is_known, pd.Series(visitor).map("u{}".format).to_numpy(), None),
        "business_id": np.where(is_known, pd.Series(visitor % 400).map("b{}".format).to_numpy(), None),
        "visitor_id": pd.Series(visitor).map("c-{}".format).to_numpy(),
        "kind": kinds,
        "route": np.full(count, "/clients/{id}"),
        "referrer_medium": np.full(count, "direct"),
        "is_bot": np.zeros(count, dtype=bool),
    }
    schema = pa.schema([field for field in TABLES["requests"].file_schema if field.name != "date"]).remove_metadata()
    arrays = [
        pa.array(columns[field.name][order]).cast(field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def by_trail(folder: Path) -> None:
    """Build everything up to visits; print how many acts and visits, and their seconds."""
    with open_run(settings_of(folder)) as run:
        while find_stale(run):
            for name in _STEPS:
                if name == "identifier_links":
                    build_whole(run, name)
                else:
                    build_days(run, name, stale_days(run, name))
            if not set(find_stale(run)) & set(_STEPS):
                break
        run.publish()
    with connect(settings_of(folder)) as connection:
        found = connection.execute("select sum(requests), count(*), round(sum(observed_s)) from visits").fetchone()
    print(*(int(number) for number in found or ()))


def by_pandas(folder: Path) -> None:
    """The same in pandas: whose acts are, visits, their lengths, counts and ends; print the same numbers."""
    columns = ["request_id", "occurred_at", "method", "path", "status", "visitor_id", "user_id", "business_id", "kind"]
    files = live_files(settings_of(folder), "requests")
    acts = pd.concat([pd.read_parquet(path, columns=columns) for path in files], ignore_index=True)
    acts = acts.sort_values(["visitor_id", "occurred_at", "request_id"], ignore_index=True)
    is_new = acts.visitor_id != acts.visitor_id.shift()
    acts["piece"] = (is_new | (acts.occurred_at.diff() > _GAP)).cumsum()
    known = acts[acts.user_id.notna()]
    for key, name in product(("piece", "visitor_id"), ("user_id", "business_id")):
        only = known.groupby(key)[name].agg(["nunique", "first"])
        acts[name] = acts[name].fillna(acts[key].map(only["first"].where(only["nunique"] == 1)))
    acts["actor"] = acts.business_id.fillna("") + "|" + acts.user_id.fillna("") + "|" + acts.visitor_id
    acts = acts.sort_values(["actor", "occurred_at", "request_id"], ignore_index=True)
    is_new = acts.actor != acts.actor.shift()
    acts["visit"] = (is_new | (acts.occurred_at.diff() > _GAP)).cumsum()
    acts["is_page"] = (acts.kind == "page") & (acts.status < 400)
    acts["is_error"] = acts.status >= 500
    acts["is_change"] = (acts.kind == "download") | ((acts.kind == "api") & (acts.method == "POST"))
    visits = acts.groupby("visit").agg(
        user_id=("user_id", "first"),
        business_id=("business_id", "first"),
        visitor_id=("visitor_id", "first"),
        started_at=("occurred_at", "min"),
        ended_at=("occurred_at", "max"),
        requests=("request_id", "size"),
        page_views=("is_page", "sum"),
        acts=("is_change", "sum"),
        server_errors=("is_error", "sum"),
        entry_path=("path", "first"),
        exit_path=("path", "last"),
    )
    visits["observed_s"] = (visits.ended_at - visits.started_at).dt.total_seconds()
    visits.to_parquet(folder / "visits.parquet", compression="zstd")
    print(visits.requests.sum(), len(visits), round(visits.observed_s.sum()))


_CALL = """
import sys
from pathlib import Path
from tests.benchmarks import acts_to_visits
acts_to_visits.{}(Path(sys.argv[1]), *map(int, sys.argv[2:]))
"""


def main() -> None:
    """Make the acts, let both work, print acts a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--acts", type=int, default=10_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", _CALL.format("make"), folder, str(asked.acts)], check=True)
        print(f"{asked.acts:,} acts over {DAYS} days, made in {time.perf_counter() - started:.0f} s")
        print(f"{'':<10}{'seconds':>9}{'acts/s':>12}{'peak MB':>9}")
        trail, pandas = (_measured(tool, folder, asked.acts) for tool in ("trail", "pandas"))
    if trail.printed != pandas.printed:
        raise SystemExit(f"Trail finds {trail.printed}, pandas {pandas.printed}")
    acts, visits, seconds = (float(number) for number in trail.printed.split())
    print(f"{acts:,.0f} acts are {visits:,.0f} visits of {seconds / visits:.1f} s on average")
    print(f"memory_limit is {Settings().memory_limit}; pandas takes {pandas.seconds / trail.seconds:.2f} times as long")


def _measured(tool: str, folder: str, acts: int) -> Measured:
    found = measure([sys.executable, "-c", _CALL.format(f"by_{tool}"), folder])
    found.printed = " ".join(found.printed.split()[-3:])  # DuckDB may have drawn a progress bar before
    print(f"{tool:<10}{found.seconds:>9.1f}{acts / found.seconds:>12,.0f}{found.memory_mb:>9,.0f}")
    return found


if __name__ == "__main__":
    main()
