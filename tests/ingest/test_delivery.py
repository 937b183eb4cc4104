"""The same lines, however they are delivered, give the same tables."""

from __future__ import annotations

import bz2
import gzip
from itertools import permutations
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.ingest.deliveries import House

ZSTD = zstandard.ZstdCompressor()
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0", "curl/8.11.0")


def line(second: int, client: int = 7, target: str = "/") -> bytes:
    clock = f"{10 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    agent = AGENTS[client % 2]
    request = f'[02/Mar/2026:{clock} +0000] "GET {target} HTTP/1.1" 200 {second}'
    return f'203.0.113.{client} - - {request} "-" "{agent}"\n'.encode()


LINES = [line(second, client=7 + second % 3, target=f"/clients/{second % 5}") for second in range(0, 600, 13)]
WHOLE = b"".join(LINES)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The whole file, delivered once."""
    house = House(tmp_path_factory.mktemp("plain"))
    house.deliver("web/access.log", WHOLE)
    house.run()
    return house


def test_whole_file_is_read(plain: House) -> None:
    plain.assert_adds_up()
    assert plain.rows("select count(*), count(distinct request_id) from requests") == [(len(LINES), len(LINES))]


def test_second_run_writes_nothing(plain: House) -> None:
    before = sorted(plain.settings.warehouse.rglob("*.parquet"))
    assert plain.run().lines["read"] == 0
    assert sorted(plain.settings.warehouse.rglob("*.parquet")) == before


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.gz", gzip.compress),
        ("a.bz2", bz2.compress),
        ("a.zst", zstandard.ZstdCompressor().compress),
        ("b.log", bytes),
    ],
)
def test_same_content_under_another_name_or_packed_changes_nothing(
    tmp_path: Path, plain: House, name: str, pack: object
) -> None:
    assert callable(pack)
    house = House(tmp_path)
    house.deliver("web/access.log", WHOLE)
    house.run()
    house.deliver(f"web/{name}", pack(WHOLE))
    assert house.run().lines["read"] == 0
    assert house.tables() == plain.tables()
    assert len(house.rows("from ingested_files")) == 1


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, ZSTD.compress])
def test_packed_files_of_several_members_are_read_whole(tmp_path: Path, plain: House, pack: object) -> None:
    assert callable(pack)
    house = House(tmp_path)
    cut = len(WHOLE) // 2
    house.deliver("web/access.log.packed", pack(WHOLE[:cut]) + pack(WHOLE[cut:]))
    house.run()
    assert house.tables() == plain.tables()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, len(WHOLE) - 1))
def test_growing_file_is_read_further(tmp_path_factory: pytest.TempPathFactory, plain: House, cut: int) -> None:
    house = House(tmp_path_factory.mktemp("growing"))
    house.deliver("web/access.log", WHOLE[:cut])
    house.read()
    house.deliver("web/access.log", WHOLE)
    house.read()
    house.assert_adds_up()
    assert house.requests() == plain.requests()
    assert len(house.rows("from ingested_files")) == 1


PIECES = st.tuples(st.integers(1, len(WHOLE) - 1), st.permutations(["whole", "first", "second"]), st.integers(2, 3))


BEFORE_A_NEWLINE = WHOLE.index(b"\n", len(WHOLE) // 2)


@settings(max_examples=20, deadline=None)
@given(history=PIECES)
@example(history=(BEFORE_A_NEWLINE, ["first", "second", "whole"], 2))
@example(history=(WHOLE.rindex(b"\n", 0, -1) + 2, ["whole", "second", "first"], 2))
@example(history=(WHOLE.rindex(b"\n", 0, -1) + 2, ["second", "whole", "first"], 2))
@example(history=(WHOLE.rindex(b"\n", 0, -1) + 12, ["whole", "first", "second"], 3))
@example(history=(BEFORE_A_NEWLINE, ["second", "first", "whole"], 3))
@example(history=(BEFORE_A_NEWLINE + 1, ["second", "first", "whole"], 3))
def test_whole_and_parts_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, plain: House, history: tuple[int, list[str], int]
) -> None:
    """Cut at any byte; two of the three pieces that make up all, or all three, each in a run of its own."""
    cut, order, count = history
    data = {"whole": WHOLE, "first": WHOLE[:cut], "second": WHOLE[cut:]}
    chosen = order[:count]
    if "whole" not in chosen and set(chosen) != {"first", "second"}:
        return
    house = House(tmp_path_factory.mktemp("parts"))
    for name in chosen:
        house.deliver(f"web/{name}.log", data[name])
        house.read()
        house.assert_adds_up()
    assert house.requests() == plain.requests(), (cut, chosen)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_overlapping_files_count_once_in_any_order(tmp_path: Path, plain: House, order: tuple[int, ...]) -> None:
    cuts = [LINES[:30], LINES[20:40], LINES[35:]]
    house = House(tmp_path)
    for number in order:
        house.deliver(f"web/{number}.log", b"".join(cuts[number]))
        house.run()
    house.assert_adds_up()
    assert house.tables() == plain.tables()
    assert house.rows("select sum(lines_duplicate), sum(lines_ambiguous) from ingested_files") == [(15, 0)]


def test_equal_lines_of_one_file_are_all_real(tmp_path: Path) -> None:
    house = House(tmp_path)
    twice = line(5) * 2 + line(6)
    house.deliver("web/a.log", twice)
    house.run()
    assert house.rows("select count(*), count(distinct request_id) from requests") == [(3, 3)]
    house.deliver("web/b.log", line(4) + line(5) * 3)
    house.run()
    house.assert_adds_up()
    assert house.rows("select count(*), count(distinct request_id) from requests") == [(5, 5)]


def test_equal_line_on_both_sides_of_a_rotation_is_said_to_be_ambiguous(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/access.log.1", line(4) + line(5))
    house.deliver("web/access.log", line(5) + line(6))
    house.run()
    assert house.rows("select sum(lines_duplicate), sum(lines_ambiguous) from ingested_files") == [(1, 1)]


def test_two_servers_are_two_sources(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web1/access.log", WHOLE)
    house.deliver("web2/access.log", WHOLE)
    house.run()
    assert house.rows("select count(*), count(distinct request_id) from requests") == [(2 * len(LINES),) * 2]


def test_rotation_by_rename_and_a_new_file(tmp_path: Path, plain: House) -> None:
    house = House(tmp_path)
    log = house.deliver("web/access.log", b"".join(LINES[:20]))
    house.run()
    house.deliver("web/access.log", b"".join(LINES[:30]))
    log.rename(log.with_name("access.log.1"))
    house.deliver("web/access.log", b"".join(LINES[30:]))
    house.run()
    house.assert_adds_up()
    assert house.tables() == plain.tables()
    assert len(house.rows("from ingested_files")) == 2


def test_copytruncate(tmp_path: Path, plain: House) -> None:
    house = House(tmp_path)
    house.deliver("web/access.log", b"".join(LINES[:30]))
    house.run()
    house.deliver("web/access.log.1", b"".join(LINES[:30]))
    house.deliver("web/access.log", b"".join(LINES[30:]))
    house.run()
    assert house.tables() == plain.tables()


def test_last_line_waits_for_its_newline_unless_the_file_is_finished(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/access.log", WHOLE[:-1])
    house.run()
    assert house.rows("select count(*) from requests") == [(len(LINES) - 1,)]
    assert house.rows("select state, bytes_waiting > 0 from ingested_files") == [("growing", True)]
    house.deliver("web/access.log.gz", gzip.compress(WHOLE[:-1]))
    house.run()
    assert house.rows("select count(*) from requests") == [(len(LINES),)]
    assert house.rows("select state, bytes_waiting from ingested_files") == [("complete", 0)]


def test_late_lines_rebuild_their_day_and_the_visits_they_touch_only(tmp_path: Path) -> None:
    house = House(tmp_path)
    days = [line(5).replace(b"02/Mar", f"{day:02}/Mar".encode()) for day in range(1, 11)]
    house.deliver("web/access.log", b"".join(days))
    house.run()
    before = {path for path in house.settings.warehouse.rglob("*.parquet") if "/visits/" in str(path)}
    house.deliver("web/late.log", line(900).replace(b"02/Mar", b"04/Mar"))
    report = house.run()
    assert [day.isoformat() for day in report.days] == ["2026-03-04"]
    new = {path for path in house.settings.warehouse.rglob("*.parquet") if "/visits/" in str(path)} - before
    assert [path.parent.name for path in new] == ["date=2026-03-04"]
