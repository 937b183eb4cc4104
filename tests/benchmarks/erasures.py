"""What erasing costs: one user, ten, a hundred, a thousand at once, beside building all tables anew; and backups.

Some days of a made-up service are read once; each erasure is made in a copy of it, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from pipeline.build import bring_up_to_date, build_directory
from pipeline.ingest import ingest
from pipeline.privacy import erase, subject_of
from pipeline.privacy.backup import back_up, restore
from pipeline.privacy.subjects import Subject
from pipeline.settings import Settings
from pipeline.warehouse import connect, open_run

_FIRST = date(2025, 3, 1)
_ROUTES = ("/clients/{n}", "/clients/{n}/notes/{n}", "/calendar", "/reports", "/api/v1/notes", "/api/v1/items", "/")
_SELF = "import sys; from tests.benchmarks import erasures; erasures.child(sys.argv[1:])"


def settings_of(folder: Path) -> Settings:
    """Where everything lies."""
    places = {name: folder / name for name in ("landing", "warehouse", "privacy", "access_log")}
    return Settings(users=str(folder / "users"), **places)  # type: ignore[arg-type]


def write_directory(folder: Path, users: int) -> None:
    """Write users, each in one of two hundred Businesses."""
    folder.mkdir(parents=True)
    rows = "".join(f"u{n:07},User Number{n},u{n:07}@example.com\n" for n in range(users))
    (folder / "users.csv").write_text(f"user_id,name,email\n{rows}", encoding="utf-8")
    rows = "".join(f"u{n:07},b{n % 200:03}\n" for n in range(users))
    (folder / "memberships.csv").write_text(f"user_id,business_id\n{rows}", encoding="utf-8")


def write_day(path: Path, day: date, requests: int, users: int) -> None:
    """Write a day of JSON lines; most users come on a few days only, some on all."""
    random = np.random.default_rng(day.toordinal())
    weights = 1 / (np.arange(users) + 20.0)
    chances = np.cumsum(weights / weights.sum())
    visits = requests // 10
    who = np.repeat(np.searchsorted(chances, random.random(visits)).clip(max=users - 1), 10)
    start = np.repeat(random.integers(0, 85_000, visits), 10)
    at = start + np.tile(np.arange(10) * 60, visits)
    order = np.argsort(at, kind="stable")
    what = random.integers(0, len(_ROUTES), requests)
    thing = random.integers(1, 5000, requests)
    with path.open("w", encoding="utf-8") as file:
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


def make(settings: Settings, days: int, requests: int, users: int) -> None:
    """Read all days, a week at a time, whose logs then go as an operator's do; then build everything."""
    write_directory(Path(str(settings.users)), users)
    folder = Path(str(settings.landing)) / "web"
    folder.mkdir(parents=True)
    for first in range(0, days, 7):
        for number in range(first, min(first + 7, days)):
            write_day(folder / f"{_FIRST + timedelta(number)}.log", _FIRST + timedelta(number), requests, users)
        with open_run(settings) as run:
            ingest(run, settings)
            run.publish()
        for path in folder.iterdir():
            path.unlink()
    with open_run(settings) as run:
        build_directory(run, settings)
        bring_up_to_date(run)
        run.publish()


def copy(made: Path, to: Path) -> None:
    """Copy everything; a data file is never changed, and has just another name."""
    shutil.copytree(
        made,
        to,
        copy_function=lambda path, other: (os.link if path.endswith(".parquet") else shutil.copy2)(path, other),
    )


def child(arguments: list[str]) -> None:
    """Do one thing in this process, and print what it took."""
    folder, what, counts = Path(arguments[0]), arguments[1], list(map(int, arguments[2:]))
    settings = settings_of(folder)
    backed_up = replace(settings, backup=folder.with_name("backup"))
    began = time.monotonic()
    told: dict[str, object] = {}
    if what == "make":
        make(settings, *counts)
    elif what == "build":
        build(settings)
    elif what == "back up":
        told = dict(back_up(backed_up)["warehouse"])
    elif what == "restore":
        other = settings_of(folder.with_name("restored"))
        restore(replace(other, backup=backed_up.backup))
    else:
        subjects = somebody(settings, counts[0])
        began = time.monotonic()
        taken = erase(settings, subjects)["taken_out"]
        told = {
            "rows": taken["requests"]["rows"],
            "days": taken["requests"]["days"],
            "rewritten_mb": round(sum(one["bytes"] for one in taken.values()) / 1e6, 1),
        }
    seconds = round(time.monotonic() - began, 1)
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": round(peak), **told}))


def build(settings: Settings) -> None:
    """Build all derived tables anew."""
    with open_run(settings) as run:
        for fact in ("built", "digests"):
            run.facts.pop(fact, None)
        bring_up_to_date(run)
        run.publish()


def somebody(settings: Settings, count: int) -> list[Subject]:
    """Users by chance, the same ones each time."""
    with connect(settings) as connection:
        query = "select user_id from user_days group by 1 order by md5(user_id) limit $count"
        found = connection.execute(query, {"count": count}).fetchall()
    return [subject_of("user", user, None, datetime.now(UTC)) for (user,) in found]


def measured(folder: Path, what: str, *counts: int) -> str:
    """Do one thing in a process of its own."""
    command = [sys.executable, "-c", _SELF, str(folder), what, *map(str, counts)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip().splitlines()[-1]


def main() -> None:
    """Make the days, where they are not there yet, and erase in copies of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--requests", type=int, default=200_000, help="a day")
    parser.add_argument("--users", type=int, default=40_000)
    parser.add_argument("--erase", type=int, nargs="*", default=[1, 10, 100, 1000], help="how many at once")
    parser.add_argument(
        "--keep", type=Path, help="folder for the days, which are kept; used again where they are there"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.keep) as temporary:
        made = (asked.keep or Path(temporary)) / "made"
        if not made.exists():
            print("read and build", measured(made, "make", asked.days, asked.requests, asked.users), flush=True)
        for count in asked.erase:
            copied = Path(temporary) / f"erase-{count}"
            copy(made, copied)
            print(f"erase {count:,}", measured(copied, "erase", count), flush=True)
            shutil.rmtree(copied)
        copied = Path(temporary) / "build"
        copy(made, copied)
        print("build all derived tables anew", measured(copied, "build"), flush=True)
        if shutil.which("restic"):
            print("back up", measured(copied, "back up"), flush=True)
            print("back up again", measured(copied, "back up"), flush=True)
            print("restore", measured(copied, "restore"), flush=True)


if __name__ == "__main__":
    main()
