"""`trail enrich` as a person, a program and a clock use it: on a terminal, without one, killed at any moment."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.build import asked_days, find_stale, open_rederivation, stale_whole
from pipeline.cli import main
from pipeline.warehouse import StagedState, live_files, open_run
from tests.build.test_building import line
from tests.build.test_rederive import FAR, days, write_places
from tests.ingest.deliveries import House

ROOT = Path(__file__).parents[2]
KILLS = 6


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Three days, built and published; the geo database says something else since."""
    return changed_house(tmp_path)


def changed_house(folder: Path) -> House:
    house = House(folder, builds_all=True, geoip=folder / "places.mmdb")
    (folder / "trail.toml").write_text('landing = "landing"\nwarehouse = "warehouse"\ngeoip = "places.mmdb"\n')
    write_places(house, 100)
    house.deliver("web/a.log", days())
    house.run()
    write_places(house, 200, far="Lyon")
    return house


def config(house: House) -> str:
    return str(house.settings.warehouse.parent / "trail.toml")


def trail(house: House, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", config(house), "enrich", *arguments])


def cities(house: House) -> list[tuple[str, str]]:
    """Cities of the far network, in a table at the beginning, one in the middle and one at the end."""
    return sorted(
        house.rows(
            """
            select distinct 'requests', city from requests where country = 'FR'
            union
            select 'clickstream', city from clickstream join requests using (request_id) where requests.country = 'FR'
            union
            select 'visits', city from visits where country = 'FR'
            """
        )
    )


def all_in(city: str) -> list[tuple[str, str]]:
    return [("clickstream", city), ("requests", city), ("visits", city)]


def test_without_a_terminal_it_shows_what_would_change_and_changes_nothing(house: House) -> None:
    files = live_files(house.settings, "requests")
    result = trail(house)
    assert result.exit_code == 0, result.output
    for words in (
        "2026-03-03: 10 of 10 rows differ (day 2 of 3)",
        "2026-03-04 to 2026-03-05: no raw rows",
        "GeoLite2-City 200",
        "20 of 40 rows differ, on 2 of 3 days",
        "2026-03-02  20    10      city 10",
        "city  20 rows: 'Paris' → 'Lyon' 20",
        "nothing was changed: there is nobody to ask on a terminal; --yes changes these rows",
    ):
        assert words in result.output
    assert live_files(house.settings, "requests") == files
    assert "nothing was changed: this was a dry run" in trail(house, "--dry-run").output


def test_yes_changes_and_publishes_what_hangs_on_it(house: House) -> None:
    result = trail(house, "--yes")
    assert result.exit_code == 0, result.output
    assert "changed 2 days; what hangs on them is rebuilt, all published" in result.output
    assert cities(house) == all_in("Lyon")
    state = StagedState(house.settings)
    assert (find_stale(state), stale_whole(state), state.is_published) == ({}, [], True)
    again = trail(house, "--yes")
    assert "nothing was changed: no row differs" in again.output


def test_what_is_staged_shows_only_when_all_that_hangs_on_it_is_built(house: House) -> None:
    with open_rederivation(house.settings) as again:
        again.compare(asked_days(StagedState(house.settings)).ready, keeps_new=True)
        with open_run(house.settings) as run:
            again.apply(run)
            run.stage()
    assert cities(house) == all_in("Paris")
    output = trail(house, "--yes").output
    assert "nothing was changed: no row differs" in output
    assert "what earlier runs staged is not published yet; `trail run` does that" in output
    house.run()
    assert cities(house) == all_in("Lyon")


def test_only_days_of_the_range_are_changed(house: House) -> None:
    found = json.loads(CliRunner().invoke(main, ["--config", config(house), "enrich", "--json"]).stdout)
    assert found["rows_differing"] == 20
    assert found["days_changed"] == []
    result = trail(house, "--from", "2026-03-03", "--to", "2026-03-05", "--yes", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [day["day"] for day in found["days"]] == ["2026-03-03"]
    assert found["columns"] == [
        {
            "column": "city",
            "rows": 10,
            "distinct_changes": 1,
            "changes": [{"before": "Paris", "after": "Lyon", "rows": 10}],
        }
    ]
    assert found["days_without_raw_rows"] == [["2026-03-04", "2026-03-05"]]
    assert found["days_changed"] == ["2026-03-03"]
    assert house.rows("select distinct date::varchar, city from requests where country = 'FR' order by all") == [
        ("2026-03-02", "Paris"),
        ("2026-03-03", "Lyon"),
    ]


def test_days_with_lines_that_no_run_has_built_are_left_out_and_said_so(house: House) -> None:
    house.deliver("web/late.log", line("03T23:00:00", "c9", address=FAR))
    house.ingest()
    output = trail(house).output
    assert "2026-03-03: left out, it has lines that no run has built yet" in output
    assert "10 of 30 rows differ, on 1 of 2 days" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "yesterday"], "Invalid value for '--from': 'yesterday' does not match the format '%Y-%m-%d'"),
        (["--to", "2026-02-30"], "Invalid value for '--to'"),
        (["--from", "2026-03-03", "--to", "2026-03-02"], "--from 2026-03-03 is after --to 2026-03-02"),
        (["--yes", "--dry-run"], "give one of them"),
        (["--from", "2026-04-01"], "there are no raw rows in the days asked for; there are from 2026-03-02"),
    ],
)
def test_what_cannot_be_done_is_a_clear_line(house: House, arguments: list[str], words: str) -> None:
    result = trail(house, *arguments)
    assert result.exit_code != 0
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_value_of_a_log_is_shown_not_obeyed(house: House) -> None:
    house.deliver("web/b.log", line("02T11:00:00", "c1").replace(b"/notes", b"/reports/\\u001b[31m" + b"x" * 50))
    house.run()
    with Path(config(house)).open("a") as file:
        file.write('route_rules = [{ prefix = "/reports/", name = "slug" }]\n')
    output = trail(house).output
    assert "\x1b" not in output
    assert "'/reports/\\x1b[31m" + "x" * 22 + "…' → '/reports/{slug}' 1" in output


@pytest.mark.parametrize(("answer", "city"), [(b"n\n", "Paris"), (b"y\n", "Lyon")])
def test_on_a_terminal_it_asks(house: House, answer: bytes, city: str) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    command = [sys.executable, "-m", "pipeline.cli", "--config", config(house), "enrich"]
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, cwd=ROOT, check=True)
    os.close(ours)
    os.close(theirs)
    assert "change 20 rows? [y/N]" in done.stdout
    assert ("nothing was changed: you said no" in done.stdout) == (city == "Paris")
    assert cities(house) == all_in(city)


def test_killed_at_any_moment_the_published_tables_are_whole(tmp_path: Path) -> None:
    plain, killed = changed_house(tmp_path / "plain"), changed_house(tmp_path / "killed")
    assert trail(plain, "--yes").exit_code == 0
    command = [sys.executable, "-m", "pipeline.cli", "--config", config(killed), "enrich", "--yes"]
    started = time.monotonic()
    subprocess.run(command[:-1], capture_output=True, cwd=ROOT, check=True)
    length = time.monotonic() - started  # of looking; changing comes after
    moments = random.Random(4)
    died = 0
    for number in range(KILLS):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
            end = time.monotonic() + length * (0.5 + 0.5 * number + 0.3 * moments.random())
            while process.poll() is None and time.monotonic() < end:
                assert cities(killed) in (all_in("Paris"), all_in("Lyon"))
            process.send_signal(signal.SIGKILL)
        died += process.returncode == -signal.SIGKILL
        assert cities(killed) in (all_in("Paris"), all_in("Lyon"))
    assert died >= 1
    assert trail(killed, "--yes").exit_code == 0
    killed.run()
    assert killed.tables() == plain.tables()
