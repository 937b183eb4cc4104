"""Exactly once, under hostile delivery: after any history of its files, a log's tables are those of one plain delivery.

Histories are made at random, a dozen services side by side in one warehouse, so that every table of each can be built
and compared. What cannot be known even in principle is left out where `histories` says so.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st

import pipeline.ingest
from pipeline.ingest import day_files
from pipeline.ingest.landing import LandedFile, changed_files
from pipeline.schemas import TABLES
from pipeline.warehouse import connect, live_files
from tests.ingest.deliveries import House
from tests.ingest.histories import STEPS, WHENS, Site, Step, catch_up
from tests.ingest.true_logs import true_log

SIDE_BY_SIDE = 12
FLEETS_IN_ALL = 25


@dataclass(frozen=True)
class History:
    """What happens to one service: a seed for its one to three true logs, and steps."""

    seed: int
    sites: int
    steps: tuple[Step, ...]


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
FLEETS = st.lists(HISTORIES, min_size=SIDE_BY_SIDE, max_size=SIDE_BY_SIDE)


class Fleet:
    """Services side by side: their true logs, their sites, a warehouse that reads meanwhile, and a plain one."""

    def __init__(self, folder: Path, histories: list[History], monkeypatch: pytest.MonkeyPatch) -> None:
        self.histories = histories
        self.plain, self.hostile = House(folder / "plain", threads=1), House(folder / "hostile", threads=1)
        self.sites: list[list[Site]] = []
        self._patch = monkeypatch
        self._weeks = 0
        for service, history in enumerate(histories):
            logs = [
                true_log(history.seed + number, service, f"service{service}-web{number}")
                for number in range(history.sites)
            ]
            self.sites.append([Site(log, Path(self.hostile.settings.landing)) for log in logs])
            for site in self.sites[-1]:
                site.append(history.steps[0])
            for log in logs:
                self.plain.deliver(f"{log.source}/access.log", log.data)
        self.plain.run()
        true_lines = _read(self.plain, "raw_requests", ["source", "line_hash"])
        self._true_hashes = Counter((line["source"], line["line_hash"]) for line in true_lines)

    def all_sites(self) -> list[Site]:
        return [site for sites in self.sites for site in sites]

    def play(self, build_after: int) -> None:
        """Let everything happen, reading after each round of steps, and build all tables once on the way."""
        for number in range(max(len(history.steps) for history in self.histories)):
            turn = [
                (sites[step.site % len(sites)], step)
                for sites, history in zip(self.sites, self.histories, strict=True)
                for step in history.steps[number : number + 1]
            ]
            self._read(turn, is_built=number == build_after)
            self.assert_nothing_is_untrue()
        for site in self.all_sites():
            site.finish()
        self._read([])
        catch_up(self.all_sites())
        self._weeks += 1
        self._read([], is_built=True)
        self.hostile.assert_adds_up()

    def _read(self, turn: list[tuple[Site, Step]], is_built: bool = False) -> None:
        meanwhile = {when: [(site, step) for site, step in turn if step.when == when] for when in WHENS}
        for site, step in meanwhile["before reading"]:
            site.do(step)
        self._weeks += any(step.kind == "fill a gap" for _, step in turn)

        def list_then_move(*asked: Any) -> list[LandedFile]:
            found = changed_files(*asked)
            for site, step in meanwhile["after listing"]:
                site.do(step)
            return found

        left = list(meanwhile["between files"])

        def after_a_file(_: str) -> None:
            if left:
                site, step = left.pop()
                site.do(step)

        was = day_files.now
        with self._patch.context() as patch:
            patch.setattr(pipeline.ingest, "changed_files", list_then_move)
            patch.setattr(pipeline.ingest, "now", lambda: was() + timedelta(weeks=self._weeks))
            if is_built:
                self.hostile.run(after_a_file)
            else:
                self.hostile.ingest(after_a_file)
        for site, step in left:
            site.do(step)
        moved = {id(site) for when in WHENS[1:] for site, _ in meanwhile[when]}
        for site in self.all_sites():
            if id(site) not in moved:
                site.note_reading()

    def assert_nothing_is_untrue(self) -> None:
        """Files add up; no line counts more often than it happened.

        A line that never was can only be a file's first: a part of a line that looks like one, or two that look like a
        whole, while what would tell better has not come.
        """
        entries = _read(self.hostile, "ingested_files")
        for entry in entries:
            parts = [entry[f"lines_{name}"] for name in ("kept", "rejected", "duplicate", "blank")]
            assert entry["lines_read"] == sum(parts), entry
            assert min(parts) >= 0, entry
        for name in ("rejected", "duplicate"):
            assert len(_read(self.hostile, f"{name}_lines")) == sum(entry[f"lines_{name}"] for entry in entries)
        kept = _read(self.hostile, "raw_requests", ["source", "line_hash", "line_offset"])
        assert len(kept) == sum(entry["lines_kept"] for entry in entries)
        counts = Counter((line["source"], line["line_hash"]) for line in kept)
        for line in kept:
            key = (line["source"], line["line_hash"])
            is_true = key in self._true_hashes
            assert counts[key] <= self._true_hashes[key] if is_true else line["line_offset"] == 0, line


def _read(house: House, table: str, columns: list[str] | None = None) -> list[dict[str, Any]]:
    """Rows of a published table; ten times quicker than a connection with all tables."""
    paths = live_files(house.settings, table)
    return [row for path in paths for row in pq.read_table(path, columns=columns, partitioning=None).to_pylist()]


OF_FILES = {"ingested_files", "landing_files", "duplicate_lines"}


def all_tables(house: House) -> dict[str, list[tuple[Any, ...]]]:
    """Every table but those of files; without where in which file a line was, and when that was read."""
    with connect(house.settings) as connection:
        chosen = {name: "from {name}" for name in TABLES if name not in OF_FILES}
        chosen["raw_requests"] = "select * exclude (file_id, line_offset) from raw_requests"
        chosen["rejected_lines"] = "select source, text, text_bytes from rejected_lines"
        return {
            name: sorted(connection.execute(query.format(name=name)).fetchall(), key=repr)
            for name, query in chosen.items()
        }


@pytest.fixture(scope="module")
def done() -> Counter[str]:
    """How often each kind of step happened in all histories."""
    return Counter()


def _check(folder: Path, histories: list[History], monkeypatch: pytest.MonkeyPatch, done: Counter[str]) -> None:
    fleet = Fleet(folder, histories, monkeypatch)
    fleet.play(build_after=histories[0].seed % 8)
    plain, hostile = all_tables(fleet.plain), all_tables(fleet.hostile)
    for name, rows in plain.items():
        if hostile[name] != rows:
            extra, missing = Counter(map(repr, hostile[name])), Counter(map(repr, rows))
            raise AssertionError(f"{name}: too much {extra - missing}, too little {missing - extra}")
    for site in fleet.all_sites():
        done.update(site.done)
    done["histories"] += len(histories)
