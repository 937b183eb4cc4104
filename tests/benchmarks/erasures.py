"""What erasing costs: one user, ten, a hundred, a thousand at once, beside building all derived tables anew.

A month of a made-up service is read once; each erasure is made in a copy of it, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from pipeline.build import bring_up_to_date, build_directory
from pipeline.ingest import ingest
from pipeline.privacy import erase, subject_of
from pipeline.settings import Settings
from pipeline.warehouse import connect, open_run

_FIRST = date(2026, 3, 1)
_ROUTES = ("/clients/{n}", "/clients/{n}/notes/{n}", "/calendar", "/reports", "/api/v1/notes", "/api/v1/items", "/")
_SELF = "import sys; from tests.benchmarks import erasures; erasures.child(sys.argv[1:])"


def settings_of(folder: Path) -> Settings:
    """Where a month lies."""
    places = {name: folder / name for name in ("landing", "warehouse", "privacy", "access_log")}
    return Settings(users=str(folder / "users"), **places)  # type: ignore[arg-type]


def write_month(folder: Path, days: int, requests: int, users: int) -> None:
    """Write a month of JSON lines and a directory; half the users come on a few days only, some on all."""
    (folder / "users").mkdir(parents=True)
    rows = "".join(f"u{n:07},User Number{n},u{n:07}@example.com\n" for n in range(users))
    (folder / "users" / "users.csv").write_text(f"user_id,name,email\n{rows}", encoding="utf-8")
    rows = "".join(f"u{n:07},b{n % 200:03}\n" for n in range(users))
    (folder / "users" / "memberships.csv").write_text(f"user_id,business_id\n{rows}", encoding="utf-8")
    (folder / "landing" / "web").mkdir(parents=True)
    random = np.random.default_rng(7)
    weights = 1 / (np.arange(users) + 20.0)
    chances = np.cumsum(weights / weights.sum())
    for number in range(days):
        day = _FIRST + timedelta(days=number)
        visits = requests // 10
        who = np.repeat(np.searchsorted(chances, random.random(visits)).clip(max=users - 1), 10)
        start = np.repeat(random.integers(0, 85_000, visits), 10)
        at = start + np.tile(np.arange(10) * 60, visits)
        order = np.argsort(at, kind="stable")
        what = random.integers(0, len(_ROUTES), requests)
        thing = random.integers(1, 5000, requests)
        with (folder / "landing" / "web" / f"{day}.log").open("w", encoding="utf-8") as file:
            file.writelines(
                f'{{"time":"{day}T{s // 3600 % 24:02}:{s // 60 % 60:02}:{s % 60:02}+00:00",'
                f'"remote_addr":"10.{w // 65536 % 256}.{w // 256 % 256}.{w % 256}","method":"GET",'
                f'"target":"{_ROUTES[t].replace("{n}", str(n))}","protocol":"HTTP/1.1","status":"200",'
                f'"bytes_sent":"{n}",'
                f'"user_agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) '
                f'Chrome/145.0.0.0 Safari/537.36","user_id":"{"" if n % 7 == 0 else f"u{w:07}"}",'
                f'"business_id":"{"" if n % 7 == 0 else f"b{w % 200:03}"}","visitor_id":"k{w:07}"}}\n'
                for w, s, t, n in zip(
                    *(array[order].tolist() for array in (who, at)), what.tolist(), thing.tolist(), strict=True
                )
            )


def child(arguments: list[str]) -> None:
    """Do one thing to a month in this process, and print what it took."""
    folder, what, count = Path(arguments[0]), arguments[1], int(arguments[2])
    settings = settings_of(folder)
    began = time.monotonic()
    told: dict[str, object] = {}
    if what == "make":
        with open_run(settings) as run:
            ingest(run, settings)
            build_directory(run, settings)
            bring_up_to_date(run)
            run.publish()
    elif what == "build":
        with open_run(settings) as run:
            for fact in ("built", "digests"):
                run.facts.pop(fact, None)
            bring_up_to_date(run)
            run.publish()
    else:
        with connect(settings) as connection:
            query = "select user_id from user_days group by 1 order by md5(user_id) limit $count"
            found = connection.execute(query, {"count": count}).fetchall()
        began = time.monotonic()
        certificate = erase(settings, [subject_of("user", user, None, datetime.now(UTC)) for (user,) in found])
        taken = certificate["taken_out"]
        told = {
            "rows": taken["requests"]["rows"],
            "days": taken["requests"]["days"],
            "rewritten_mb": round(sum(one["bytes"] for one in taken.values()) / 1e6, 1),
        }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": round(time.monotonic() - began, 1), "peak_mb": round(peak), **told}))


def measured(folder: Path, what: str, count: int = 0) -> str:
    """Do one thing in a process of its own."""
    command = [sys.executable, "-c", _SELF, str(folder), what, str(count)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main() -> None:
    """Make the month, and erase in copies of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--requests", type=int, default=200_000, help="a day")
    parser.add_argument("--users", type=int, default=40_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        month = Path(temporary) / "month"
        write_month(month, asked.days, asked.requests, asked.users)
        print("read and build", measured(month, "make"), flush=True)
        for count in (1, 10, 100, 1000):
            copy = Path(temporary) / f"erase-{count}"
            shutil.copytree(month, copy)
            print(f"erase {count:,}", measured(copy, "erase", count), flush=True)
            shutil.rmtree(copy)
        print("build all derived tables anew", measured(month, "build"), flush=True)


if __name__ == "__main__":
    main()
