"""A log on standard input is a file that lies nowhere: known again by its content, read further, cleaned up after."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from pipeline.ingest.spool import Spool
from pipeline.warehouse import open_run
from tests.ingest.deliveries import House
from tests.ingest.test_delivery import LINES, WHOLE, line

LEDGER = "select source, path, state, lines_kept from ingested_files order by all"
HALF = WHOLE[: WHOLE.index(b"\n", len(WHOLE) // 2) + 1]


def command(house: House, *arguments: str) -> tuple[list[str], dict[str, str]]:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    environment |= {"TRAIL_LANDING": str(house.landing), "TRAIL_WAREHOUSE": str(house.settings.warehouse)}
    return [sys.executable, "-m", "pipeline.cli", "ingest", *arguments], environment


def pipe(house: House, data: bytes, *arguments: str) -> dict[str, int]:
    """Pipe bytes to `trail ingest -`, publish, and return what became of the lines."""
    words, environment = command(house, "-", "--json", *arguments)
    done = subprocess.run(words, input=data, env=environment, capture_output=True, check=True)
    with open_run(house.settings) as run:
        run.publish()
    house.assert_adds_up()
    lines: dict[str, int] = json.loads(done.stdout)["lines"]
    return lines


def test_a_stream_is_read_once_and_a_longer_one_further(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert pipe(house, HALF, "--source", "web1")["kept"] == HALF.count(b"\n")
    assert pipe(house, HALF, "--source", "web1")["read"] == 0
    assert pipe(house, WHOLE, "--source", "web1")["kept"] == len(LINES) - HALF.count(b"\n")
    assert house.rows(LEDGER) == [("web1", "-", "complete", len(LINES))]
    assert house.rows("from landing_files") == []
    assert pipe(house, WHOLE)["kept"] == len(LINES), "another source is another server"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstandard.ZstdCompressor().compress])
def test_a_compressed_stream_is_recognised(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    house = House(tmp_path)
    assert pipe(house, pack(WHOLE))["kept"] == len(LINES)
    assert pipe(house, WHOLE)["read"] == 0


def test_a_file_and_a_stream_of_one_content_are_one(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web1/a.log", HALF)
    house.read()
    pipe(house, WHOLE, "--source", "web1")
    assert house.rows(LEDGER) == [("web1", "web1/a.log", "complete", len(LINES))]
    house.deliver("web1/a.log", WHOLE)
    assert house.read().lines["read"] == 0
    overlapping = b"".join(LINES[-9:]) + line(5000)
    assert pipe(house, overlapping, "--source", "web1") == {
        "read": 10,
        "kept": 1,
        "rejected": 0,
        "duplicate": 9,
        "blank": 0,
        "erased": 0,
    }


def test_a_stream_without_a_byte_leaves_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert pipe(house, b"")["read"] == 0
    assert house.rows("from ingested_files") == []


def test_a_stream_cut_in_a_line_waits_for_the_rest(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert pipe(house, HALF[:-20])["kept"] == HALF.count(b"\n") - 1
    assert house.rows("select state, bytes_waiting > 0 from ingested_files") == [("growing", True)]
    pipe(house, WHOLE)
    assert house.rows("select count(*) from raw_requests") == [(len(LINES),)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--source", "web1"], "trail ingest - --source"), (["-", "--source", "a/b"], "what a folder can be called")],
)
def test_a_source_that_can_be_none_is_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    words_typed, environment = command(House(tmp_path), *arguments)
    done = subprocess.run(words_typed, input=b"", env=environment, capture_output=True, text=False, check=False)
    assert done.returncode == 2
    assert words in done.stderr.decode()


@pytest.mark.parametrize("held_bytes", [10, 1 << 20])
def test_a_spool_is_read_from_anywhere_as_often_as_wanted(tmp_path: Path, held_bytes: int) -> None:
    spool = Spool(tmp_path / "spill", held_bytes)
    for piece in LINES:
        spool.write(piece)
    with spool.open("rb") as first, spool.open("rb") as second:
        assert first.read(100) == WHOLE[:100]
        second.seek(50)
        assert second.read() == WHOLE[50:]
        assert first.read() == WHOLE[100:]
    with spool.open("rb") as again:
        assert again.read() == WHOLE
    spool.close()
    assert list((tmp_path / "spill").iterdir()) == []


def test_a_large_stream_is_not_held_in_memory_and_leaves_nothing_when_killed(tmp_path: Path) -> None:
    house = House(tmp_path)
    words, environment = command(house, "-")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.stdin is not None
        for _ in range(400):
            process.stdin.write(b"x" * (1 << 20))
        process.stdin.flush()
        time.sleep(0.2)
        status = Path(f"/proc/{process.pid}/status").read_text()
        (peak_kb,) = (int(row.split()[1]) for row in status.splitlines() if row.startswith("VmHWM"))
        process.send_signal(signal.SIGKILL)
    assert peak_kb < 300_000
    assert [path for path in house.settings.spill.rglob("*") if path.is_file()] == []
