"""Which lines a request is: its own, and those equal to it, whichever of them its number says."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.build.request_ids import Names, line_keys, lines_of, lines_of_all

RAW = pa.table(
    {
        "source": pa.array(["web", "web", "api", "web", "web"]).dictionary_encode(),
        "line_hash": pa.array([7, 8, 7, 7, 7], pa.int64()),
    }
)


def ids() -> list[str]:
    keys = line_keys(RAW)
    repeated = np.unique(keys[[int((keys == key).sum()) > 1 for key in keys]])
    return [f"20260302-{key:016x}" for key in Names(repeated).keys(RAW)]


def test_a_request_is_each_of_the_equal_lines_of_its_source() -> None:
    names = ids()
    assert len(set(names)) == 5
    assert [lines_of(name, RAW) for name in names] == [[0, 3, 4], [1], [2], [0, 3, 4], [0, 3, 4]]
    assert lines_of("20260302-0000000000000000", RAW) == []


def test_lines_of_several_requests() -> None:
    names = ids()
    assert lines_of_all([names[4], names[1]], RAW).tolist() == [True, True, False, True, True]
    assert lines_of_all([], RAW).tolist() == [False] * 5
    assert lines_of_all(names, RAW.slice(0, 0)).tolist() == []
