"""Hostile and broken files: a clear entry for each, and the rest is kept."""

from __future__ import annotations

import gzip
import json
import random
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.formats import Format, find_format
from pipeline.formats.json_lines import json_format
from pipeline.formats.layout import LayoutFormat
from pipeline.formats.layouts import named_layouts
from pipeline.ingest import ingest
from pipeline.ingest.blocks import Block, cut_blocks
from pipeline.ingest.exact_path import read_lines
from pipeline.ingest.fast_json import read_block as read_json_block
from pipeline.ingest.fast_text import read_block
from pipeline.ingest.parsing import parse_block
from pipeline.settings import Settings
from pipeline.warehouse import open_run
from tests.formats.test_named_formats import LINES as FORMAT_LINES
from tests.ingest.deliveries import House
from tests.ingest.test_delivery import LINES, WHOLE, line

KNOWN = next(known for known in named_layouts() if known.name == "combined")


def reasons(house: House) -> dict[str, int]:
    return dict(house.rows("select reason, count(*) from rejected_lines group by reason"))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"GET / HTTP/1.1\n", "no_match"),
        (line(5).replace(b"GET /", b"GET /\x00"), "nul_byte"),
        (line(5).replace(b"Mozilla", b"\xff\xfe").replace(b"curl", b"\xff\xfe"), "invalid_utf8"),
        (b"a" * 10_000_000 + b"\n", "line_too_long"),
        (line(5).replace(b"02/Mar", b"30/Feb"), "bad_time"),
        (line(5).replace(b'" 200 ', b'" 9 '), "bad_status"),
    ],
)
def test_broken_line_is_rejected_with_its_reason_and_the_rest_kept(tmp_path: Path, broken: bytes, reason: str) -> None:
    house = House(tmp_path)
    house.deliver("web/a.log", b"".join([*LINES[:20], broken, *LINES[20:]]))
    house.read()
    house.assert_adds_up()
    assert reasons(house) == {reason: 1}
    assert house.rows("select count(*) from requests") == [(len(LINES),)]
    assert house.rows("select text_bytes from rejected_lines") == [(len(broken) - 1,)]
    offset = len(b"".join(LINES[:20]))
    assert house.rows("select line_offset from rejected_lines") == [(offset,)]


def test_crlf_and_blank_lines(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/a.log", b"\r\n".join(entry.rstrip() for entry in LINES) + b"\r\n\r\n\n")
    house.read()
    house.assert_adds_up()
    assert house.rows("select lines_kept, lines_blank from ingested_files") == [(len(LINES), 2)]


@pytest.mark.parametrize("cut", [10, 100, 300])
def test_truncated_gzip_keeps_what_is_readable(tmp_path: Path, cut: int) -> None:
    house = House(tmp_path)
    noise = "".join(random.Random(1).choices("abcdef", k=60_000))
    big = b"".join(line(second, target=f"/{noise[second : second + 40]}") for second in range(600))
    house.deliver("web/a.log.gz", gzip.compress(big)[:-cut])
    house.read()
    house.assert_adds_up()
    ((state, problem, kept),) = house.rows("select state, problem, lines_kept from ingested_files")
    assert (state, problem) == ("damaged", "gzip: ends too early")
    assert kept > 400
    house.deliver("web/a.log.gz", gzip.compress(big))
    house.read()
    assert house.rows("select state, lines_kept from ingested_files") == [("complete", 600)]


def test_empty_and_binary_files_have_an_entry(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/empty.log", b"")
    house.deliver("web/image.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40 + b"\n")
    house.read()
    found = house.rows("select path, problem, lines_read from ingested_files order by path")
    assert found == [("web/empty.log", "empty", 0), ("web/image.png", "binary: not a log, no line was read", 0)]
    house.deliver("web/empty.log", WHOLE)
    house.read()
    assert house.rows("select path, problem, lines_kept from ingested_files where path = 'web/empty.log'") == [
        ("web/empty.log", None, len(LINES))
    ]


def test_line_whose_last_quote_is_missing_is_kept(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/a.log", line(1) + line(2).replace(b'"\n', b"\n") + line(3))
    house.read()
    assert house.rows("select count(*) from requests") == [(3,)]
    assert house.rows("select extra from requests where extra is not null") == [('{"unclosed": "user_agent"}',)]


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=12) | st.text('ab "\\\x01', max_size=6)
WEIRD = st.builds(
    '{} - {} [02/Mar/2026:10:00:00 +0000] "{}" 200 5 "{}" "{}"'.format,
    st.sampled_from(["1.2.3.4", "::1", "a b", '"', ""]),
    st.sampled_from(["-", "ann", "a b", '""']),
    FIELDS | st.just("GET / HTTP/1.1"),
    FIELDS,
    FIELDS,
)


START = '203.0.113.7 - - [02/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 '


@settings(max_examples=400, deadline=None)
@example(texts=[START + '"a"x "b"', START + '"a" "b"'])
@example(texts=[START + '"a" x"b"'])
@given(texts=st.lists(WEIRD | FIELDS | st.just(line(1).decode().rstrip()), min_size=1, max_size=8))
def test_fast_path_agrees_with_the_exact_path(texts: list[str]) -> None:
    assert_paths_agree(Block("".join(f"{text}\n" for text in texts).encode(), 1000), KNOWN)


def assert_paths_agree(block: Block, known: Format) -> None:
    parsed = parse_block(block, known)
    numbers = [number for number in range(len(block)) if not block.blank()[number]]
    rows, rejected = read_lines(block, numbers, known)
    assert [entry.offset for entry in parsed.rejected] == [entry.offset for entry in rejected]
    assert parsed.blank.num_rows == len(block) - len(numbers)
    fast = [{k: v for k, v in row.items() if v is not None} for row in parsed.kept.to_pylist()]
    for ours, exact in zip(fast, rows, strict=True):
        ours["occurred_at"] = round(ours["occurred_at"].timestamp() * 1_000_000)
        assert ours == exact


JSON = json_format("visitor_id", "user_id", "business_id")
VALUES = st.text(max_size=8) | st.text('a"\\/\n\t', max_size=6)
SCALARS = st.integers() | st.floats(allow_nan=False) | st.sampled_from([None, None, 7, 7.0, True, 'x":5,', 'x\\":5,'])
OBJECTS = st.builds(
    lambda path, agent, more: {
        "time": "1772445600.5",
        "remote_addr": "::1",
        "target": path,
        "user_agent": agent,
        **more,
    },
    VALUES,
    VALUES,
    st.dictionaries(st.sampled_from(["a", "b", "host", "bytes_sent", 'q":5,"', "s\\"]), VALUES | SCALARS, max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(objects=st.lists(OBJECTS, min_size=1, max_size=5), is_ascii=st.booleans(), slashed=st.booleans())
def test_fast_path_agrees_with_the_exact_path_on_json(objects: list[object], is_ascii: bool, slashed: bool) -> None:
    texts = [json.dumps(value, ensure_ascii=is_ascii) for value in objects]
    data = "".join(f"{text.replace('/', chr(92) + '/') if slashed else text}\n" for text in texts).encode()
    assert_paths_agree(Block(data, 1000), JSON)


def test_numbers_in_json_take_the_fast_path() -> None:
    text = '{"time":1772445600.5,"remote_addr":"::1","target":"/","status": 200 ,"bytes_sent":5,"a":-1.50e3,"b":null}'
    table, care = read_json_block(Block(f"{text}\n".encode() * 2, 0), JSON, np.zeros(2, dtype=np.bool_))
    assert not care.any()
    assert table["status"].to_pylist() == [200, 200]
    assert table["extra"].to_pylist() == ['{"a": "-1.50e3"}'] * 2


@pytest.mark.parametrize("agent", [b'a \\"b\\" c', b"a\\x16b", b"\\"])
def test_lines_with_escapes_take_the_fast_path(agent: bytes) -> None:
    assert isinstance(KNOWN, LayoutFormat)
    block = Block(line(1) + line(2).replace(b'"\n', agent + b' "\n'), 0)
    table, care = read_block(block, KNOWN, np.zeros(2, dtype=np.bool_))
    assert not care.any()
    assert table["user_agent"][1].as_py().endswith(agent.decode() + " ")


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=600), cuts=st.lists(st.integers(1, 40), max_size=20))
def test_any_bytes_in_any_pieces_add_up(data: bytes, cuts: list[int]) -> None:
    pieces, rest = [], data
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    pieces = [piece for piece in (*pieces, rest) if piece]
    items = list(cut_blocks(iter(pieces), 0))
    assert b"".join(getattr(item, "data", b"") for item in items) + getattr(items[-1], "text", b"") == data
    for item in items[:-1]:
        assert isinstance(item, Block)
        known = find_format([item.line(0).decode("utf-8", "backslashreplace")], Settings())
        parsed = parse_block(item, known)
        assert parsed.kept.num_rows + len(parsed.rejected) + parsed.blank.num_rows == len(item)


def test_a_failed_ingest_leaves_no_thread(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/access.log", WHOLE)
    before = set(threading.enumerate())
    with open_run(house.settings) as run:
        (house.settings.warehouse / "raw_requests").write_text("a file where a folder must be")
        with pytest.raises(OSError, match="raw_requests") as failed:
            ingest(run, house.settings)
    assert failed.tb is not None  # what the traceback holds is still alive, and yet no thread is
    assert set(threading.enumerate()) <= before


SPACED = START.replace("- - [", "- ann [")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("combined", SPACED.replace(" 5 ", " -0 ") + '"-" "-"'),  # Arrow reads it as the number 0,
        ("combined", SPACED.replace(" 5 ", " 0x10 ") + '"-" "-"'),  # this as 16,
        ("combined", SPACED.replace(" 5 ", " 5\t ") + '"-" "-"'),  # and this as 5
        ("combined", SPACED + '"-"\t"-"'),
        ("combined", SPACED.replace("ann", "a\u2028n\tn") + '"-" "-"'),
        ("combined", "\ufeff" + SPACED + '"-" "-"'),
        ("traefik", SPACED + '"-" "a":1, 7 "r" "u" 12ms'),
        ("squid", "1772442005.250    921 203.0.113.7 - 507 GET http://example.com/a - DIRECT/10.0.0.1 text/html"),
    ],
)
def test_paths_agree_on_what_fuzzing_found(name: str, line: str) -> None:
    known = next(known for known in named_layouts() if known.name == name)
    assert_paths_agree(Block(f"{line}\n".encode(), 0), known)


@pytest.mark.parametrize(
    "wrapped",
    [
        json.dumps({"log": "\ud800 a\n", "stream": "stdout", "time": "2026-03-02T09:00:05.1Z"}),
        json.dumps({"log": "\0 a\n", "stream": "stdout", "time": "2026-03-02T09:00:05.1Z"}),
    ],
)
def test_what_cannot_be_stored_inside_of_a_wrapper_spoils_its_line_only(tmp_path: Path, wrapped: str) -> None:
    good = json.dumps({"log": line(1).decode(), "stream": "stdout", "time": "2026-03-02T09:00:05.1Z"})
    house = House(tmp_path)
    house.deliver("web/a.log", f"{good}\n{wrapped}\n{good}\n".encode())
    house.read()
    house.assert_adds_up()
    assert house.rows("select format, lines_kept, lines_rejected from ingested_files") == [("docker:combined", 2, 1)]


def test_a_byte_order_mark_is_no_part_of_a_line(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/a.log", b"\xef\xbb\xbf" + line(1) + b"\xef\xbb\xbf" + line(2))  # two files put together
    house.read()
    assert house.rows("select distinct ip from raw_requests") == [("203.0.113.7",)]


def test_an_endless_number_is_no_time_taken() -> None:
    text, _ = FORMAT_LINES["aws_elb"]
    known = find_format([text], Settings())
    assert known is not None
    assert "duration_ms" in known.parse_line(text)
    assert "duration_ms" not in known.parse_line(text.replace("0.020", "1" + "0" * 400))


def test_a_line_that_looks_like_a_header_makes_no_other_format_of_a_file(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/a.log", b"".join([*LINES[:3], b"#Fields: date time\n", *LINES[3:]]))
    house.read()
    house.assert_adds_up()
    assert house.rows("select format, lines_kept, lines_rejected from ingested_files") == [("combined", len(LINES), 1)]
