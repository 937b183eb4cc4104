"""A run killed at any moment loses nothing and shows nothing half: one more run gives what one run would have given."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ingest.deliveries import House
from tests.ingest.test_delivery import line

ROOT = Path(__file__).parents[2]
RUN = "import sys; from pathlib import Path; from tests.ingest.deliveries import House; House(Path(sys.argv[1])).run()"


def lines() -> bytes:
    return b"".join(
        line(second, client=second % 9, target=f"/clients/{second % 7}").replace(b"02/Mar", f"{day:02}/Mar".encode())
        for day in range(2, 8)
        for second in range(0, 3600, 9)
    )


@pytest.mark.parametrize("kills", [8, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_runs_and_one_more(tmp_path: Path, kills: int) -> None:
    plain, killed = House(tmp_path / "plain"), House(tmp_path / "killed")
    for house in (plain, killed):
        house.deliver("web/a.log", lines()[:200_000])
        house.deliver("web/b.log", lines()[200_000:])
        house.deliver("web/broken.log", b"what is this\n" + lines()[-400:])
    plain.run()
    whole = plain.rows("select count(*), count(distinct date) from visits")
    moments = random.Random(9)
    died = 0
    for _ in range(kills):
        with subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path / "killed")], cwd=ROOT) as process:
            end = time.monotonic() + 1.2 + moments.random() * 1.6
            while process.poll() is None and time.monotonic() < end:
                assert killed.rows("select count(*), count(distinct date) from visits") in (whole, [(0, 0)])
            process.send_signal(signal.SIGKILL)
        died += process.returncode == -signal.SIGKILL
        if process.returncode == 0:
            break
    assert died >= 1
    killed.run()
    killed.assert_adds_up()
    assert killed.tables() == plain.tables()
