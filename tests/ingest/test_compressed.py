"""Compressed files that are broken, of many members, or bombs: bounded time and memory, and a clear entry for each."""

from __future__ import annotations

import bz2
import gzip
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import zstandard

from pipeline.ingest.blocks import Block, Tail, cut_blocks
from pipeline.ingest.limits import FREE_BYTES
from pipeline.ingest.pieces import read_pieces
from tests.ingest.deliveries import House
from tests.ingest.test_delivery import LINES, WHOLE

ROOT = Path(__file__).parents[2]
ZEROS = 200_000_000
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def entry(house: House) -> tuple[Any, ...]:
    ((state, problem, kept, read, waiting),) = house.rows(
        "select state, problem, lines_kept, lines_read, bytes_read + bytes_waiting from ingested_files"
    )
    return state, problem, kept, read, waiting


@pytest.mark.parametrize("name", list(PACKERS))
def test_a_bomb_is_read_up_to_the_ratio_and_further_once_that_is_raised(tmp_path: Path, name: str) -> None:
    pack = PACKERS[name]
    house = House(tmp_path)
    path = house.deliver("web/a.log.packed", pack(WHOLE) + pack(bytes(ZEROS)))
    stopped_at = max(FREE_BYTES, 1000 * path.stat().st_size)
    house.read()
    house.assert_adds_up()
    state, problem, kept, read, place = entry(house)
    assert (state, kept, read, place) == ("damaged", len(LINES), len(LINES), stopped_at)
    assert f"stopped at {stopped_at:,} decompressed bytes, " in str(problem)
    assert "times the file's size: ratio_limit is 1,000; raise it if this is a log" in str(problem)
    assert house.read().files == []
    house.settings = replace(house.settings, ratio_limit=1_000_000)
    assert house.read().lines["read"] == 1
    house.assert_adds_up()
    assert entry(house) == ("complete", None, len(LINES), len(LINES) + 1, len(WHOLE) + ZEROS)
    assert house.rows("select line_offset, text_bytes, reason from rejected_lines") == [
        (len(WHOLE), ZEROS, "line_too_long")
    ]
    assert house.read().files == []


def test_a_file_is_read_up_to_the_size_and_further_once_that_is_raised(tmp_path: Path) -> None:
    house = House(tmp_path, file_limit="4KB")
    house.deliver("web/a.log", WHOLE)
    house.read()
    house.assert_adds_up()
    problem = "stopped at 4,000 decompressed bytes, file_limit is 4KB; raise it if this is a log"
    kept = WHOLE[:4000].count(b"\n")
    assert entry(house) == ("damaged", problem, kept, kept, 4000)
    assert house.read().files == []
    house.settings = replace(house.settings, file_limit="1MB")
    house.read()
    assert entry(house) == ("complete", None, len(LINES), len(LINES), len(WHOLE))


def test_a_log_of_health_checks_alone_is_no_bomb(tmp_path: Path) -> None:
    house = House(tmp_path)
    packed = gzip.compress(LINES[0] * 20_000)
    assert len(LINES[0]) * 20_000 / len(packed) > 200
    house.deliver("web/a.log.gz", packed)
    house.read()
    assert house.rows("select state, lines_kept from ingested_files") == [("complete", 20_000)]


GROWTH = """
import re, sys
from pathlib import Path
from tests.ingest.deliveries import House
house = House(Path(sys.argv[1]), ratio_limit=1_000_000)
for name in ("bomb", "larger"):
    (house.settings.landing / name / "unfinished.tmp").rename(house.settings.landing / name / "log")
    house.ingest()
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())  # getrusage starts at the parent's
    print(int(peak[1]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a process's own peak is read from /proc")
@pytest.mark.parametrize("name", list(PACKERS))
def test_memory_does_not_grow_with_what_a_bomb_holds(tmp_path: Path, name: str) -> None:
    """200 MB of NULs, and 560 MB, as lines of 2 MB each. How soon memory is used again differs by 150 MB."""
    house = House(tmp_path)
    pack = PACKERS[name]
    for source, lines in (("bomb", 100), ("larger", 280)):
        house.deliver(f"{source}/unfinished.tmp", pack(WHOLE) + pack((bytes(2_000_000 - 1) + b"\n") * lines))
    command = [sys.executable, "-c", GROWTH, str(tmp_path)]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    bomb, larger = (int(line) for line in out.split())
    assert house.rows("select sum(lines_rejected) from ingested_files") == [(100 + 280,)]
    assert larger - bomb < 250
    assert larger < 900


@pytest.mark.parametrize(
    ("name", "before", "empty"),
    [
        ("gzip", b"", gzip.compress(b"", mtime=0)),
        ("bzip2", b"", bz2.compress(b"")),
        ("zstd", b"", zstandard.compress(b"")),
        ("zstd", zstandard.compress(b""), b"\x50\x2a\x4d\x18\0\0\0\0"),  # frames to be skipped
    ],
)
def test_thousands_of_empty_members_take_linear_time(tmp_path: Path, name: str, before: bytes, empty: bytes) -> None:
    path = tmp_path / "empty"
    path.write_bytes(before + empty * ((1 << 20) // len(empty)) + PACKERS[name](b"end"))
    begun = time.process_time()
    assert list(read_pieces(path, name)) == [b"end"]
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("name", list(PACKERS))
@pytest.mark.parametrize("cut", [1, 5, 2000])
def test_what_ends_too_early_is_damaged(tmp_path: Path, name: str, cut: int) -> None:
    house = House(tmp_path)
    pack = PACKERS[name]
    noise = "".join(random.Random(1).choices("abcdefghijklmnop", k=6000)).encode()
    whole = pack(WHOLE) + pack(LINES[-1].replace(b"/clients", b"/" + noise))
    house.deliver("web/a.log.packed", whole[:-cut])
    house.read()
    house.assert_adds_up()
    state, problem, kept, _, _ = entry(house)
    assert (state, problem) == ("damaged", f"{name}: ends too early")
    assert kept >= len(LINES)
    house.deliver("web/a.log.packed", whole)
    house.read()
    assert entry(house)[:3] == ("complete", None, len(LINES) + 1)


@pytest.mark.parametrize("name", list(PACKERS))
def test_garbage_behind_a_packed_file_is_damage_and_its_lines_are_kept(tmp_path: Path, name: str) -> None:
    house = House(tmp_path)
    house.deliver("web/a.log.packed", PACKERS[name](WHOLE) + b"garbage")
    house.read()
    state, problem, kept, _, _ = entry(house)
    assert (state, kept) == ("damaged", len(LINES))
    assert str(problem).startswith(f"{name}: broken: ")


def test_an_endless_line_is_one_line_however_often_it_is_read(tmp_path: Path) -> None:
    house = House(tmp_path)
    data = WHOLE + b"a" * 10_000_000
    for length in (6_000_000, 9_000_000):
        house.deliver("web/a.log", data[:length])
        house.read()
        assert entry(house) == ("growing", None, len(LINES), len(LINES), length)
    house.deliver("web/a.log", data + b"\n" + WHOLE)
    house.read()
    house.assert_adds_up()
    assert house.rows("select line_offset, text_bytes, reason from rejected_lines") == [
        (len(WHOLE), 10_000_000, "line_too_long")
    ]
    assert entry(house)[:2] == ("complete", None)


def test_a_block_of_very_short_lines_is_cut() -> None:
    """Each line costs some hundred bytes while it is parsed: four million in a block of 8 MB took three gigabytes."""
    data = b"a\n" * 1_000_000
    items = list(cut_blocks(iter([b"a\n", data, b"b"]), 0))
    blocks = [item for item in items if isinstance(item, Block)]
    assert items[-1] == Tail(len(data) + 2, b"b")
    assert [block.offset for block in blocks] == list(accumulate((len(block.data) for block in blocks[:-1]), initial=0))
    assert b"".join(block.data for block in blocks) == b"a\n" + data
    assert max(len(block) for block in blocks) < 200_000
