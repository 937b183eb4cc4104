"""Exactly once, under hostile delivery: after any history of its files, a log's tables are those of one plain delivery.

Histories are made at random, a dozen services side by side in one warehouse, so that every table of each can be built
and compared. What cannot be known even in principle is left out where `histories` says so.
"""

from __future__ import annotations

import multiprocessing
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.ingest.fleet import Fleet, History, all_tables
from tests.ingest.histories import STEPS, WHENS, Step

SIDE_BY_SIDE = 12
PROCESSES = 2
MEMORY = Path("/dev/shm")

A_STEP = st.builds(
    Step,
    kind=st.sampled_from(sorted(STEPS)),
    site=st.integers(0, 2),
    where=st.integers(0, 999),
    how=st.integers(0, 999),
    when=st.sampled_from(WHENS),
)
HISTORIES = st.builds(
    History,
    seed=st.integers(0, 1_000_000),
    sites=st.integers(1, 3),
    steps=st.lists(A_STEP, min_size=5, max_size=12).map(tuple),
)
FLEET = st.lists(HISTORIES, min_size=SIDE_BY_SIDE, max_size=SIDE_BY_SIDE).map(tuple)
FLEETS = st.tuples(*[FLEET] * PROCESSES)

# A failing fleet names its failing history, which is quicker than to make a fleet smaller.
IN_FLEETS = hypothesis_settings(
    deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,)
)


def difference(histories: tuple[History, ...]) -> tuple[str, Counter[str]]:
    """Play histories in a fresh warehouse; return what differs from the plain delivery, and how often what happened."""
    folder = Path(tempfile.mkdtemp(prefix="histories-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        with pytest.MonkeyPatch.context() as patch:
            fleet = Fleet(folder, histories, patch)
            try:
                fleet.play(build_after=histories[0].seed % 6)
            except AssertionError as wrong:
                return f"on the way: {wrong}", Counter()
            plain, hostile = all_tables(fleet.plain), all_tables(fleet.hostile)
            done = sum((site.done for site in fleet.all_sites()), Counter(histories=len(histories)))
    finally:
        shutil.rmtree(folder)
    for name, rows in plain.items():
        if rows != hostile[name]:
            extra, missing = Counter(map(repr, hostile[name])), Counter(map(repr, rows))
            return f"{name}: too much: {list(extra - missing)}, too little: {list(missing - extra)}", done
    return "", done


@pytest.fixture(scope="module")
def workers() -> Iterator[ProcessPoolExecutor]:
    """Processes that play fleets at the same time."""
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        yield pool


def play(workers: ProcessPoolExecutor, fleets: Sequence[tuple[History, ...]], done: Counter[str]) -> None:
    """Play fleets; none may differ from the plain delivery."""
    for histories, (found, counts) in zip(fleets, workers.map(difference, fleets), strict=True):
        services = {int(number) for number in re.findall(r"service(\d+)-", found)}
        assert not found, (found, [histories[number] for number in services])
        done.update(counts)


def assert_all_happened(done: Counter[str], histories: int) -> None:
    """Every kind of step happened often, and at every time; else the histories show little."""
    assert done["histories"] >= histories
    for kind in (*STEPS, *WHENS, "writes after rename", "catches up"):
        assert done[kind] >= histories // 20, (kind, done)


def test_any_history_gives_the_tables_of_the_plain_delivery(workers: ProcessPoolExecutor) -> None:
    """The same histories each time; other ones are for the slow test."""
    done: Counter[str] = Counter()

    @hypothesis_settings(IN_FLEETS, max_examples=3, derandomize=True)
    @given(fleets=FLEETS)
    def check(fleets: tuple[tuple[History, ...], ...]) -> None:
        play(workers, fleets, done)

    check()
    assert_all_happened(done, 70)


@pytest.mark.slow
def test_any_of_many_more_histories_gives_them_too(workers: ProcessPoolExecutor) -> None:
    done: Counter[str] = Counter()

    @hypothesis_settings(IN_FLEETS, max_examples=85)
    @given(fleets=FLEETS)
    def check(fleets: tuple[tuple[History, ...], ...]) -> None:
        play(workers, fleets, done)

    check()
    assert_all_happened(done, 2000)
