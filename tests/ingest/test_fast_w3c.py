"""The fast path of W3C logs gives what the exact path gives, and takes what is plain."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.formats import W3cFormat
from pipeline.ingest.blocks import Block
from pipeline.ingest.exact_path import read_lines
from pipeline.ingest.fast_w3c import read_block
from pipeline.ingest.parsing import parse_block

PLAIN = "#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query cs(User-Agent)"
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=5) | st.sampled_from(
    ["-", "", "/a", "/b?c", "GET", "200", "10:00:00", "2026-03-02", "Mozilla/5.0+(X11)", "a%20b", "0.5", "15", '"a b"']
)
LINES = st.builds(
    lambda more, separator: separator.join(["2026-03-02", "10:00:01", "203.0.113.7", *more]),
    st.lists(VALUES, min_size=3, max_size=5),
    st.sampled_from([" ", " ", "\t", "  "]),
)
HEADERS = st.sampled_from(
    [
        PLAIN,
        "#Fields: date time c-ip time-taken cs-uri-stem sc-status",
        "#Fields: date time c-ip cs(Host) x-host-header cs-uri cs(Referer) x-edge-location",
        "#Fields: time c-ip cs-uri",
        "#Software: Microsoft Internet Information Services 10.0",
        "#Date: 2026-03-01 00:00:00",
        "#GMT-Offset: -0800",
        "# a remark",
    ]
)


@settings(max_examples=400, deadline=None)
@example(
    lines=["2026-03-02 10:00:01 203.0.113.7 GET /a - -", "2026-03-02 10:00:01 203.0.113.7 GET /a b c"], first=PLAIN
)
@example(lines=["2026-03-02 10:00:01 203.0.113.7 GET - b -", "2026-03-02 10:00:01 203.0.113.7 - - - x"], first=PLAIN)
@given(lines=st.lists(LINES | LINES | HEADERS, min_size=1, max_size=12), first=HEADERS)
def test_fast_path_agrees_with_the_exact_path_on_w3c(lines: list[str], first: str) -> None:
    block = Block("".join(f"{text}\n" for text in lines).encode(), 1000)
    known = W3cFormat().after(first)
    parsed = parse_block(block, known)
    numbers = [number for number in range(len(block)) if not block.blank()[number]]
    rows, rejected = read_lines(block, numbers, known)
    assert [entry.offset for entry in parsed.rejected] == [entry.offset for entry in rejected]
    assert parsed.blank.num_rows + len(rows) + len(rejected) == len(block)
    fast = [{k: v for k, v in row.items() if v is not None} for row in parsed.kept.to_pylist()]
    for ours, exact in zip(fast, rows, strict=True):
        ours["occurred_at"] = round(ours["occurred_at"].timestamp() * 1_000_000)
        assert ours == exact


def test_plain_w3c_lines_take_the_fast_path() -> None:
    header = "#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query cs(User-Agent) time-taken"
    lines = f"{header}\n2026-03-02 10:00:00 203.0.113.7 GET /a b=c Mozilla/5.0+(X11) 15\n" * 3
    block = Block(lines.encode(), 0)
    table, care = read_block(block, W3cFormat(software="Microsoft IIS"), np.zeros(6, dtype=np.bool_))
    assert care.tolist() == [True, False] * 3
    assert table["target"].to_pylist() == ["/a?b=c"] * 3
    assert table["duration_ms"].to_pylist() == [15.0] * 3
