"""The fast path for JSON lines, against the exact path and for what it takes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.formats.json_lines import JsonFormat, mapped_format
from pipeline.ingest.blocks import Block
from pipeline.ingest.fast_json import _shapes, read_block
from tests.ingest.test_hostile import assert_paths_agree

WHO = {"visitor_id": "visitor_cookie", "user_id": "user_id", "business_id": "business_id"}

FLAT = mapped_format({"time": "ts", "target": "uri", "status": "code", "duration_ms": "took", "ip": "ip"}, WHO)
NEEDS_ADDRESS = JsonFormat("app", {"ts": "time", "uri": "target", "code": "status", "ip": "ip"})
GOOD_NUMBERS = [
    "0",
    "7",
    "200",
    "-1",
    "1.0",
    "0.25",
    "1.50",
    "1e3",
    "1E-3",
    "2.5e+7",
    "-0",
    "-0.0",
    "3 ",
    "1" + "0" * 60,
]
BAD_NUMBERS = ["01", "1.", ".5", "+5", "0x10", "1_0", "1e", "2E+", "1.e5", "-", "NaN", "Infinity"]
NUMBERS = st.sampled_from(GOOD_NUMBERS) | st.sampled_from(BAD_NUMBERS)
TEXTS = st.sampled_from(['"a"', '"1"', '"2026-03-02T09:00:00Z"', '"2026-03-02"', '""', '"-"', '"a\\"1:2,"', '"\\\\"'])
VALUES = NUMBERS | TEXTS | st.sampled_from(["null", "true", "false", "nul", "{}", "[1]", '{"a":1}', '":5,"'])
OBJECTS = st.builds(
    lambda first, gap, rest: f'{{"ts":{gap}{first}' + "".join(f",{gap}{key}:{gap}{rest[key]}" for key in rest) + "}",
    st.sampled_from(["1772442005.25", "1772442005250", '"2026-03-02T09:00:05Z"', "1"]),
    st.sampled_from(["", " ", "  "]),
    st.dictionaries(
        st.sampled_from(['"uri"', '"code"', '"took"', '"ip"', '"a"', '"b"', '":5,"', '"user_id"']), VALUES, max_size=5
    ),
)
PLAIN = '{"ts":1772442005.25,"uri":"/a","code":200,"took":1.50,"ok":true,"at":"2026-03-02T09:00:00Z","none":null}'


@settings(max_examples=600, deadline=None)
@example(objects=[PLAIN, PLAIN.replace("true", "false")])
@example(objects=['{"ts":1772442005,"uri":"/a","a":"x",":5,":1}'])
@example(objects=['{"ts":1772442005,"uri":"a\\\\","code":200}', '{"ts":1772442005,"uri":"\\\\\\"","code":1}'])
@example(objects=['{"ts":1772442005,"uri":"/a","quoted_1":true}'])
@given(objects=st.lists(OBJECTS | st.just(PLAIN), min_size=1, max_size=5))
def test_fast_path_agrees_with_the_exact_path_on_values_of_any_kind(objects: list[str]) -> None:
    assert_paths_agree(Block("".join(f"{text}\n" for text in objects).encode(), 1000), FLAT)


def test_numbers_and_literals_take_the_fast_path() -> None:
    block = Block(f"{PLAIN}\n{PLAIN.replace('true', 'false')}\n".encode(), 0)
    table, care = read_block(block, FLAT, block.blank())
    assert not care.any()
    assert table["status"].to_pylist() == [200, 200]
    assert table["extra"].to_pylist()[1] == '{"at": "2026-03-02T09:00:00Z", "ok": false}'


@pytest.mark.parametrize(
    "odd",
    ['{"ts":1772442005,"uri":"/b","nested":{"a":1}}', '{"ts":1772442005,"uri":"/b","took":01}', '{"ts":1,"uri":}'],
)
def test_an_odd_line_takes_the_exact_path_alone(odd: str) -> None:
    block = Block(f"{PLAIN}\n{odd}\n{PLAIN}\n".encode(), 0)
    table, care = read_block(block, FLAT, block.blank())
    assert care.tolist() == [False, True, False]
    assert table["line_offset"].to_pylist() == [0, len(PLAIN) + len(odd) + 2]


@pytest.mark.parametrize(
    "fields",
    [
        {"time": "ts", "path": "uri", "query": "query"},  # a target in two parts
        {"time": "ts", "target": "uri", "path": "at.uri"},
        {"time": "ts", "target": "uri", "path": "msg"},
        {"time": "ts", "target": "at.uri"},  # inside of an object
        {"time": "ts", "request": "uri"},
    ],
)
def test_what_the_fast_path_cannot_read_it_does_not_take(fields: dict[str, str]) -> None:
    assert not mapped_format(fields, WHO).is_flat
    line = '{"ts":1772442005,"uri":"/a","at.uri":"/b","query":"c=d","msg":"/c"}'
    assert_paths_agree(Block(f"{line}\n".encode(), 0), mapped_format(fields, WHO))


LINE = '{"ts":1772442005,"uri":"/a","code":200,"ua":"%s"}'


def test_escapes_take_the_fast_path() -> None:
    texts = ["caf\\u00e9", 'a \\"quoted\\" word', "C:\\\\", '\\\\\\"', "tab\\there", "\\ud83d\\ude00", "slash\\/"]
    block = Block("".join(f"{LINE % text}\n" for text in texts).encode(), 0)
    table, care = read_block(block, FLAT, block.blank())
    assert not care.any()
    assert table["extra"].to_pylist() == [
        json.dumps({"ua": json.loads(f'"{text}"')}, ensure_ascii=False) for text in texts
    ]


@pytest.mark.parametrize("text", ["\\u0000", "\\ud83d", "\\x", "\x02", "\x01", 'a" b', "\\"])
def test_a_text_that_is_none_or_cannot_be_stored_takes_the_exact_path_alone(text: str) -> None:
    block = Block(f"{LINE % 'x'}\n{LINE % text}\n{LINE % 'y'}\n".encode(), 0)
    _, care = read_block(block, FLAT, block.blank())
    assert care.tolist() == [False, True, False]


def test_lines_of_some_shapes_take_the_fast_path_each_and_stay_in_order() -> None:
    lines = [LINE % number for number in range(90)]
    lines[1::3] = [line.replace('"code":200,', "") for line in lines[1::3]]
    lines[2::3] = [line.replace('"code"', '"kode"') for line in lines[2::3]]  # as long as the first ones
    block = Block("".join(f"{line}\n" for line in lines).encode(), 0)
    table, care = read_block(block, FLAT, block.blank())
    assert not care.any()
    assert table["line_offset"].to_pylist() == block.starts.tolist()
    assert table["status"].to_pylist() == [200, None, None] * 30


def test_lines_of_which_hardly_two_are_alike_are_left_to_the_exact_path_and_cost_the_others_nothing() -> None:
    plain = [LINE % number for number in range(20)]
    lines = [f'{{"ts":1772442005,"uri":"/a","key{number}":1}}' for number in range(200)]
    lines[100:100] = [*plain, *(f'{{"ts":1772442005,"uri":{{"a":{number}}}}}' for number in range(200)), *plain]
    block = Block("".join(f"{line}\n" for line in lines).encode(), 0)
    table, care = read_block(block, FLAT, block.blank())
    assert table.num_rows == 16 + 2 * len(plain)
    assert not care[[lines.index(line) for line in plain]].any()
    assert care.sum() == len(lines) - table.num_rows


@pytest.mark.parametrize("short", ['{"":""}', '{"":"","":"","":""}', '{"a":"b"}'])
def test_lines_shorter_than_what_another_holds_between_its_values_are_no_harm(short: str) -> None:
    """They have as many quotes, and end with the block."""
    assert_paths_agree(Block(f'{{"{"k" * 60_000}":""}}\n{short}\n{short}\n'.encode(), 0), FLAT)


def test_thousands_of_shapes_take_the_exact_path_and_no_square_time() -> None:
    lines = [f'{{"k{number:06}":"","t":""}}' for number in range(20_000) for _ in range(6)]
    block = Block("".join(f"{line}\n" for line in lines).encode(), 0)
    shapes = [lines for _, lines in _shapes(block, np.arange(len(block)))]
    assert len(shapes) == 16


def test_a_forwarded_address_without_a_key_of_its_own_leaves_those_of_other_lines() -> None:
    mapped = mapped_format({"time": "ts", "target": "uri", "forwarded_for": "xff", "ip": "ip"}, WHO)
    lines = [
        '{"ts":1772442005,"uri":"/a","ip":"::1","xff":"1.1.1.1","quoted_1":"2.2.2.2"}',
        '{"ts":1772442005,"uri":"/a","ip":"::1","xff":"3.3.3.3","quoted_1":"hello"}',
    ]
    assert_paths_agree(Block("".join(f"{line}\n" for line in lines).encode(), 0), mapped)


@pytest.mark.parametrize("key", ["ts", "ip", "uri", "code"])
@pytest.mark.parametrize("other", ["true", "5", '"x"'])
def test_null_is_absent_beside_values_of_any_kind(key: str, other: str) -> None:
    told = {"ts": "1772442005", "ip": '"::1"', "uri": '"/a"', "code": "200"}
    lines = [
        "{" + ",".join(f'"{name}":{value}' for name, value in (told | {key: kind}).items()) + "}"
        for kind in (other, "null")
    ]
    for mapped in (FLAT, NEEDS_ADDRESS):
        assert_paths_agree(Block("".join(f"{line}\n" for line in [*lines, *lines]).encode(), 0), mapped)
