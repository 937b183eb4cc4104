"""The same lines, however they are delivered, give the same tables."""

from __future__ import annotations

import bz2
import gzip
import json
import zlib
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


def json_line(second: int) -> bytes:
    clock = f"{10 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    told = {"bytes_sent": second, "time": f"2026-03-02T{clock}Z", "remote_addr": "203.0.113.7", "target": "/"}
    return json.dumps(told).encode() + b"\n"


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


def test_equal_line_on_both_sides_is_said_to_be_ambiguous_though_lines_of_other_seconds_are_copies(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    house.deliver("web/a.log", line(3) + line(4) + line(5))
    house.deliver("web/c.log", line(7) + line(8))
    house.read()
    house.deliver("web/b.log", line(5) + line(7))
    house.read()
    assert house.rows("select lines_duplicate, lines_ambiguous from ingested_files order by path") == [
        (0, 0),
        (2, 2),
        (0, 0),
    ]


BROKEN = b"what is this\n"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_broken_line_of_overlapping_files_counts_once(tmp_path: Path, order: tuple[int, ...]) -> None:
    house = House(tmp_path)
    parts = [[line(1), BROKEN, line(2), BROKEN, line(3), BROKEN], [BROKEN, line(3), BROKEN, line(4)], [line(1), BROKEN]]
    for number in order:
        house.deliver(f"web/{number}.log", b"".join(parts[number]))
        house.read()
        house.assert_adds_up()
    assert house.rows("select count(*) from rejected_lines") == [(3,)]
    assert house.rows("select count(*) from requests") == [(4,)]


def test_broken_line_of_another_time_is_another(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/a.log", line(1) + BROKEN + line(2) + line(9))
    house.deliver("web/b.log", line(2) + line(3) + BROKEN + line(4))
    house.read()
    assert house.rows("select count(*) from rejected_lines") == [(2,)]


MIDDLE = len(WHOLE) // 2


@pytest.mark.parametrize("order", list(permutations(["first", "second", "whole"])))
@pytest.mark.parametrize("count", [2, 3])
def test_packed_part_cut_in_a_line_is_not_truncated_where_the_rest_is_elsewhere(
    tmp_path: Path, plain: House, order: tuple[str, ...], count: int
) -> None:
    data = {"first": gzip.compress(WHOLE[:MIDDLE]), "second": gzip.compress(WHOLE[MIDDLE:]), "whole": WHOLE}
    chosen = order[:count]
    if "whole" not in chosen and count == 2 and set(chosen) != {"first", "second"}:
        return
    house = House(tmp_path)
    for name in chosen:
        house.deliver(f"web/{name}", data[name])
        house.read()
        house.assert_adds_up()
    assert house.requests() == plain.requests()


def test_packed_part_of_which_the_rest_never_comes_is_truncated(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/first", gzip.compress(WHOLE[:MIDDLE]))
    house.read()
    assert house.rows("select reason from rejected_lines") == [("truncated",)]
    house.deliver("web/again", bz2.compress(WHOLE[:MIDDLE]))
    house.read()
    house.assert_adds_up()
    assert house.rows("select count(*) from rejected_lines") == [(1,)]


def test_renamed_file_that_is_still_written_to_is_read_on_in_the_middle_of_a_line(tmp_path: Path, plain: House) -> None:
    house = House(tmp_path)
    house.deliver("web/access.log.1", WHOLE[:MIDDLE])
    house.deliver("web/access.log", b"")
    house.read()
    assert house.rows("select reason from rejected_lines") == [("truncated",)]
    house.deliver("web/access.log.1", WHOLE)
    house.read()
    house.assert_adds_up()
    assert house.requests() == plain.requests()


def test_shorter_copy_does_not_make_a_file_forget_its_unfinished_line(tmp_path: Path, plain: House) -> None:
    house = House(tmp_path)
    house.deliver("web/first.log", WHOLE[:MIDDLE])
    house.read()
    house.deliver("web/shorter.gz", gzip.compress(WHOLE[: WHOLE.rindex(b"\n", 0, MIDDLE) + 1]))
    house.read()
    house.deliver("web/second.log", WHOLE[MIDDLE:])
    house.read()
    assert house.requests() == plain.requests()


def test_file_that_goes_on_otherwise_than_the_unfinished_line_is_another(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/a.log", line(1) + line(2)[:40])
    house.read()
    house.deliver("web/b.log", line(1) + line(5) + line(6))
    house.read()
    house.deliver("web/c.log", line(2)[40:] + line(3))
    house.read()
    house.assert_adds_up()
    assert house.rows("select bytes_sent from requests order by bytes_sent") == [(1,), (2,), (3,), (5,), (6,)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_parts_put_together_over_a_gap_are_taken_apart_when_it_is_filled(
    tmp_path: Path, plain: House, order: tuple[int, ...]
) -> None:
    """Cut within user agents, where the first and the third part look like one line while the second is missing."""
    house = House(tmp_path)
    one, two = WHOLE.index(b"Gecko", MIDDLE // 2) + 2, WHOLE.index(b"Gecko", MIDDLE) + 2
    parts = [WHOLE[:one], WHOLE[one:two], WHOLE[two:]]
    for number in order:
        house.deliver(f"web/{number}.log", parts[number])
        house.read()
        house.assert_adds_up()
    assert house.requests() == plain.requests()


def test_line_put_together_stays_when_its_other_copies_came_later(tmp_path: Path) -> None:
    """The kept line goes over to the file that has it whole, where the parts turn out to be of other lines."""
    house = House(tmp_path)
    twins = [line(second, client=8) for second in (3, 5)]
    cut = twins[0].index(b"]") - 9  # before the minutes and seconds are over
    house.deliver("web/a.log", line(1) + twins[0][:cut])
    house.deliver("web/c.log", twins[1][cut:] + line(6))
    house.read()
    assert house.rows("select count(*) from requests where bytes_sent = 5") == [(1,)]
    house.deliver("web/whole.log", line(1) + twins[0] + line(4) + twins[1] + line(6))
    house.read()
    house.assert_adds_up()
    assert house.rows("select bytes_sent from requests order by bytes_sent") == [(1,), (3,), (4,), (5,), (6,)]


def test_two_files_that_lack_their_last_newline_both_get_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/a.log", line(1) + line(2)[:-1])
    house.deliver("web/b.log", b"\n" + line(3) + line(4)[:-1])
    house.read()
    house.deliver("web/c.log", b"\n" + line(5))
    house.read()
    house.assert_adds_up()
    assert house.rows("select count(*) from requests") == [(5,)]


def test_newline_of_another_file_does_not_end_the_line_of_a_half_uploaded_one(tmp_path: Path) -> None:
    """Its lines would stay behind when the rest arrives and the file is known to be another."""
    house = House(tmp_path)
    house.deliver("web/a.log", WHOLE[:1000])
    house.deliver("web/b.log", b"\n" + line(2))
    house.read()
    packed = gzip.compress(WHOLE)
    cut = next(cut for cut in range(len(packed)) if zlib.decompressobj(31).decompress(packed[:cut]) == LINES[0][:-1])
    house.deliver("web/upload.gz", packed[:cut])
    house.read()
    house.assert_adds_up()
    house.deliver("web/upload.gz", packed)
    house.read()
    house.assert_adds_up()


def test_address_put_together_wrongly_is_put_right(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/a.log", line(1) + line(2, client=71)[:9])
    house.deliver("web/c.log", line(5, client=9)[8:] + line(6))
    house.read()
    house.deliver("web/whole.log", line(1) + line(2, client=71) + line(5, client=9) + line(6))
    house.read()
    house.assert_adds_up()
    assert house.rows("select ip, bytes_sent from requests order by bytes_sent") == [
        ("203.0.113.7", 1),
        ("203.0.113.71", 2),
        ("203.0.113.9", 5),
        ("203.0.113.7", 6),
    ]


def test_two_files_cut_within_the_same_address_are_both_known_as_parts(tmp_path: Path) -> None:
    """The second is a copy of the first, which must not become the kept line once the first is known as a part."""
    house = House(tmp_path)
    house.deliver("web/a.log", line(2)[4:] + line(3) + line(40))
    house.read()
    house.deliver("web/b.gz", gzip.compress(line(2)[4:] + line(3)))
    house.read()
    house.deliver("web/whole.log", line(1) + line(2) + line(3))
    house.read()
    house.assert_adds_up()
    assert house.rows("select count(distinct ip), count(*) from requests") == [(1, 4)]


def test_last_line_that_was_taken_for_a_part_of_a_later_one_is_completed(tmp_path: Path) -> None:
    """That later line's instant is not the file's: what completes the last line comes hours before it."""
    house = House(tmp_path)
    house.deliver("web/a.gz", gzip.compress(json_line(1) + json_line(2)[:5]))
    house.read()
    house.deliver("web/c.log", json_line(9_999)[-25:] + json_line(10_000))  # may be the end of the line of second 1
    house.read()
    house.deliver("web/b.log", json_line(2)[5:] + json_line(3) + json_line(9_999) + json_line(10_000))
    house.read()
    house.assert_adds_up()
    assert house.rows("select bytes_sent from requests order by 1") == [(1,), (2,), (3,), (9_999,), (10_000,)]


def test_beginning_of_a_line_is_known_by_the_end_that_is_a_copy(tmp_path: Path) -> None:
    """Every JSON line begins like that, and the line stands alone in its file: only its other part tells."""
    house = House(tmp_path)
    house.deliver("web/a.gz", gzip.compress(json_line(1) + json_line(2)[:5]))
    house.deliver("web/b.log", json_line(2)[5:] + json_line(3))
    house.deliver("web/whole.log", json_line(2))
    house.read()
    house.assert_adds_up()
    assert house.rows("select count(*) from requests") == [(3,)]
    assert house.rows("select * from rejected_lines") == []


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
