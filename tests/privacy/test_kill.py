"""An erasure killed at random moments: whoever goes on with it comes to the same end, once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.privacy import Asking, Record, ask_erasure, erase_waiting
from pipeline.settings import Settings
from pipeline.tombstones import read_ledger
from tests.ingest.deliveries import House
from tests.privacy.houses import small_house
from tests.privacy.town import found_in

WORDS = ["ann@example.com", 'Ann "<i>" Doe']
ASKING = Asking("ana", "Ann Doe, ann@example.com", "T-1")
_CHILD = """
import sys
from pathlib import Path
from pipeline.privacy import erase_waiting
from pipeline.settings import load_settings
settings = load_settings(Path(sys.argv[1]), {})
print("ready", flush=True)
sys.stdin.readline()
erase_waiting(settings)
print("done", flush=True)
"""


class Told:
    """A house in which an erasure waits, and copies of it to be killed in."""

    def __init__(self, folder: Path) -> None:
        self._kept = folder / "house"
        self._kept.mkdir()
        house = small_house(self._kept)
        self._ask(house.settings)
        self._copies = 0
        self._folder = folder
        began = time.monotonic()
        self.end = self.state(self.finish(self.copy()))
        self.took_s = time.monotonic() - began

    def _ask(self, settings: Settings) -> None:
        config = f"""
            landing = "landing"
            landing_is_ours = true
            warehouse = "warehouse"
            users = "{self._kept / "users"}"
        """
        (self._kept / "trail.toml").write_text(config, encoding="utf-8")
        ask_erasure(settings, "user", "b1", "u1", ASKING)

    def copy(self) -> Path:
        self._copies += 1
        return Path(shutil.copytree(self._kept, self._folder / f"copy-{self._copies}"))

    def settings(self, folder: Path) -> Settings:
        return Settings(
            landing=folder / "landing",
            landing_is_ours=True,
            warehouse=folder / "warehouse",
            users=str(self._kept / "users"),
            privacy=folder / "privacy",
            access_log=folder / "access_log",
        )

    def finish(self, folder: Path) -> Path:
        erase_waiting(self.settings(folder))
        return folder

    def state(self, folder: Path) -> object:
        """All that must be the same in the end."""
        settings = self.settings(folder)
        house = House.__new__(House)
        house.settings = settings
        landing = {path.name: path.read_bytes() for path in sorted((folder / "landing").rglob("*.log"))}
        for name in ("warehouse", "privacy", "landing", "access_log"):
            assert found_in(folder / name, WORDS) == [], name
        assert [(one.number, one.is_done) for one in read_ledger(settings)] == [(1, True)]
        assert not any(path.is_dir() for path in (settings.privacy / "erasures").iterdir())
        (request,) = Record(settings).all()
        assert (request.outcome, request.why) == ("done", "erasure 1")
        ledger = house.rows("select file_id, content_hash, lines_erased from ingested_files order by file_id")
        return house.tables(), landing, ledger

    def kill(self, folder: Path, after_s: float) -> bool:
        """Erase in a process of its own and kill it; tell whether it was still at work."""
        command = [sys.executable, "-c", _CHILD, str(folder / "trail.toml")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            child.stdin.write(b"go\n")
            child.stdin.flush()
            time.sleep(after_s)
            os.kill(child.pid, signal.SIGKILL)
            return b"done" not in child.stdout.read()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(tmp_path_factory.mktemp("kill"))


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_comes_to_the_same_end(told: Told, kills: int) -> None:
    moments = random.Random(7)
    took_s, killed = told.took_s, 0
    while killed < kills:
        folder = told.copy()
        if told.kill(folder, moments.random() * took_s):
            killed += 1
        else:
            took_s *= 0.8  # it was done by then: with less other work than before it is quicker
        assert told.state(told.finish(folder)) == told.end
        shutil.rmtree(folder)


def test_a_second_time_nothing_waits(told: Told) -> None:
    folder = told.finish(told.copy())
    assert erase_waiting(replace(told.settings(folder), threads=1)) is None
