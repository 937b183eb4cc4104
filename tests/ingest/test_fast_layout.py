"""The fast path of layouts that are no CSV gives what the exact path gives, and takes what is plain."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats.layout import LayoutFormat
from pipeline.formats.layouts import named_layouts
from pipeline.formats.pasted import compile_pasted
from pipeline.ingest.blocks import Block
from pipeline.ingest.fast_layout import read_block
from tests.formats.test_named_formats import LINES
from tests.ingest.test_hostile import assert_paths_agree

PASTED = [
    "$remote_addr | $time_iso8601 | $request | $status | $request_time | $http_user_agent",
    "$remote_addr;$msec;$uri;$args;$status;$body_bytes_sent;$request_time",
    "$remote_addr;$time_iso8601;$request_method;$args;$status",
    '$remote_addr;[$time_local];$request_method;"$request";$request_time',
    '$remote_addr  [$time_local] $request_method "$request" $upstream_response_time',
]
FORMATS = [known for known in named_layouts() if not known.items] + [
    compile_pasted(text, f"pasted {number}", {}) for number, text in enumerate(PASTED)
]
GOOD = {
    "ip": ["203.0.113.7", "203.0.113.7:443", "[::1]:80", "::1"],
    "clock": ["02/Mar/2026:10:00:00 +0130", "02/Mar/2026:10:00:60 +0000"],
    "local_clock": ["02/Mar/2026:10:00:00.123", "02/Mar/2026:10:00:00"],
    "time": ["2026-03-02T10:00:00.123Z", "1772445600.123", "2026-03-02T10:00:00+01:30"],
    "date": ["03/02/26", "3/2/2026"],
    "time_of_day": ["10:00:00", "9:00:01"],
    "request": ["GET /a?b=c HTTP/1.1", "GET /a", "", 'a \\"b\\" c'],
    "status": ["200", "404", "-1", "0200", "99"],
    "bytes_sent": ["5", "05", "x"],
    "result": ["TCP_MISS/200", "NONE/000", "odd"],
    "timers": ["10/0/30/69/109", "0/0/0/0/+5", "1/x"],
}
ODD = st.sampled_from(
    ["-", "", "a", "a b", '"', '""', "é", "a\tb", "a\u00a0b", "0.120", "12", "012", "x|y", "x | y"]
) | st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=4)


def lines_of(known: LayoutFormat) -> st.SearchStrategy[str]:
    texts = re.split(r"\{(\*?[A-Za-z_][A-Za-z0-9_:.-]*)\}", known.layout)

    def filled(values: list[str]) -> str:
        return "".join(part for pair in zip(texts[::2], [*values, ""], strict=True) for part in pair)

    pools = [_pool(name.lstrip("*")) for name in texts[1::2]]
    return st.tuples(*pools).map(lambda values: filled(list(values)))


def _pool(name: str) -> st.SearchStrategy[str]:
    number = ["0.120", "12", "-", "1.5"] if "time" in name or "duration" in name else ["a", "-", "b/c"]
    good = st.sampled_from(GOOD.get(name, number))
    return st.integers(0, 30).flatmap(lambda dice: ODD if dice == 0 else good)


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_fast_path_agrees_with_the_exact_path(known: LayoutFormat, data: st.DataObject) -> None:
    lines = data.draw(st.lists(lines_of(known), min_size=1, max_size=8))
    assert_paths_agree(Block("".join(f"{text}\n" for text in lines).encode(), 1000), known)


@pytest.mark.parametrize("known", [known for known in FORMATS if known.name in LINES], ids=lambda known: known.name)
def test_lines_as_documented_take_the_fast_path(known: LayoutFormat) -> None:
    text, expected = LINES[known.name]
    block = Block(f"{text}\n".encode() * 3, 0)
    table, care = read_block(block, known, np.zeros(3, dtype=np.bool_))
    assert not care.any()
    shown = table.drop_columns(["occurred_at"]).to_pylist()[2]
    assert {name: shown[name] for name in expected if name != "occurred_at"} == {
        name: value for name, value in expected.items() if name != "occurred_at"
    }
