"""Any bytes in: no exception comes out, every line ends in one place, and what was kept can be read and enriched.

Hypothesis draws the same examples each time, so that a failure here is everybody's.
"""

from __future__ import annotations

import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipeline.formats import find_format, format_named
from pipeline.ingest.blocks import Block
from pipeline.ingest.originals import OriginalError, write_original
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import connect, live_files
from tests.ingest.deliveries import House
from tests.ingest.hostile_lines import ALL, GOOD, PACKERS, spoilt_lines
from tests.ingest.test_hostile import assert_paths_agree

STEADY = settings(derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate])


@pytest.mark.parametrize("name", [name for name in GOOD if name != "w3c"])  # whose lines hang together
@settings(STEADY, max_examples=60)
@given(data=st.data())
def test_paths_agree_on_spoilt_lines(name: str, data: st.DataObject) -> None:
    good = [line.encode() for line in GOOD[name]]
    known = find_format(GOOD[name], Settings())
    assert known is not None
    assert known.name == name
    lines = data.draw(st.lists(spoilt_lines(good) | st.sampled_from(good), min_size=1, max_size=6))
    assert_paths_agree(Block(b"".join(line + b"\n" for line in lines), 1000), known)


@dataclass(frozen=True)
class Delivered:
    """A file as it is delivered, and what must come of it.

    Attributes:
        plain: what it holds, None where only a part can be read.
        lines: how many lines that are.
        good: how many of them must be kept.
    """

    data: bytes
    plain: bytes | None
    lines: int = 0
    good: int = 0


@st.composite
def files(draw: st.DrawFn) -> Delivered:
    """A file of good and spoilt lines, mostly of one format, perhaps packed, perhaps broken then."""
    name = draw(st.sampled_from(list(GOOD)))
    good = [line.encode() for line in GOOD[name]]
    spoilt = draw(st.lists(spoilt_lines(good) | spoilt_lines(ALL), max_size=5))
    kept = good * (6 // len(good)) if draw(st.booleans()) else good
    ends = draw(st.sampled_from([b"\n", b"\r\n"]))
    plain = ends.join(draw(st.permutations([*kept, *spoilt]))) + (ends if draw(st.booleans()) else b"")
    packing = draw(st.sampled_from([None, *PACKERS]))
    is_finished = packing is not None
    lines = plain.count(b"\n") + (is_finished and not plain.endswith(b"\n"))
    good_lines = len(kept) if len(kept) > len(spoilt) and name != "w3c" else 0
    if packing is None:
        return Delivered(plain, plain, lines, good_lines - (not plain.endswith(b"\n")))
    pack = PACKERS[packing]
    cut = draw(st.integers(0, len(plain)))
    packed = draw(st.sampled_from([pack(plain), pack(plain[:cut]) + pack(b"") + pack(plain[cut:])]))
    place, harm = draw(st.integers(4, max(len(packed) - 1, 4))), draw(st.sampled_from(["none", "cut", "flip", "add"]))
    if harm == "cut":
        return Delivered(packed[:place], None)
    if harm == "flip":
        return Delivered(packed[:place] + bytes([packed[place] ^ 0x55]) + packed[place + 1 :], None)
    return Delivered(packed + b"garbage", None) if harm == "add" else Delivered(packed, plain, lines, good_lines)


@settings(STEADY, max_examples=12)
@given(delivered=st.lists(files(), min_size=4, max_size=8), beside=st.tuples(files(), files()))
def test_any_file_adds_up(delivered: list[Delivered], beside: tuple[Delivered, Delivered]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        for number, file in enumerate(delivered):
            house.deliver(f"s{number}/a", file.data)
        for number, file in enumerate(beside):  # two of one source, where copies and cut lines are looked for
            house.deliver(f"beside/{number}", file.data)
        house.read()
        house.assert_adds_up()
        found = {row["source"]: row for row in asked(house, "from ingested_files")}
        for number, file in enumerate(delivered):
            entry = found[f"s{number}"]
            if file.plain is not None and not str(entry["problem"]).startswith("binary"):
                assert entry["lines_read"] == file.lines
                assert entry["lines_kept"] >= file.good
                assert_written_again(house, entry["file_id"], file.plain)
        before = state(house)
        for path in Path(house.settings.landing).rglob("*"):
            os.utime(path, ns=(1, 1))
        assert not any(house.read().lines.values())
        assert state(house) == before


def asked(house: House, query: str) -> list[dict[str, Any]]:
    with connect(house.settings) as connection:
        return list(connection.sql(query).to_arrow_table().to_pylist())


def assert_written_again(house: House, file_id: str, plain: bytes) -> None:
    """A file of a text format, or of none, can be written out from the tables alone; one of JSON is refused."""
    (told,) = asked(house, f"select format, source, format_state from ingested_files where file_id = '{file_id}'")
    known = format_named(told["format"], told["source"], house.settings, told["format_state"])
    written = io.BytesIO()
    with connect(house.settings) as connection:
        if known is not None and not known.is_text:
            with pytest.raises(OriginalError, match="kept by their fields"):
                write_original(connection, house.settings, file_id, written)
            return
        original = write_original(connection, house.settings, file_id, written)
    assert written.getvalue() == plain
    assert original.is_proven


def state(house: House) -> list[object]:
    """What the tables hold, every text of it looked at."""
    for name in TABLES:
        for path in live_files(house.settings, name):
            pq.read_table(path, partitioning=None).validate(full=True)
    rows = [
        house.rows(f"from {name} order by all")
        for name in ("raw_requests", "rejected_lines", "duplicate_lines", "requests")
    ]
    assert len(rows[0]) == len(rows[3]) + house.rows("select count(*) from raw_requests where date > today()")[0][0]
    return [*rows]
