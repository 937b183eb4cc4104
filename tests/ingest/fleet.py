"""Services side by side: histories played on real files while a warehouse reads, and a plain one to compare it with.

What may happen to a file is in `histories`, what the true logs hold in `true_logs`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import pipeline.ingest
from pipeline.ingest import day_files
from pipeline.ingest.landing import LandedFile, changed_files
from pipeline.schemas import TABLES
from pipeline.warehouse import connect, live_files
from tests.ingest.deliveries import House
from tests.ingest.histories import WHENS, Site, Step, catch_up
from tests.ingest.true_logs import true_log

STEPS_A_READING = 3
SHARE_DAYS = 6  # services whose logs are of the same days; others' files need not be looked at
OF_FILES = {"ingested_files", "landing_files", "duplicate_lines", "blank_lines"}


@dataclass(frozen=True)
class History:
    """What happens to one service: a seed for its one to three true logs, and steps."""

    seed: int
    sites: int
    steps: tuple[Step, ...]


class Fleet:
    """Services with their true logs and sites, a warehouse that reads them meanwhile, and a plain one."""

    def __init__(self, folder: Path, histories: Sequence[History], patch: pytest.MonkeyPatch) -> None:
        self.histories = histories
        self.plain, self.hostile = House(folder / "plain", threads=1), House(folder / "hostile", threads=1)
        self.sites: list[list[Site]] = []
        self._patch = patch
        self._weeks = 0
        for service, history in enumerate(histories):
            logs = [
                true_log(history.seed + number, service, f"service{service}-web{number}", service // SHARE_DAYS)
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
        """The sites of all services."""
        return [site for sites in self.sites for site in sites]

    def play(self, build_after: int) -> None:
        """Let everything happen, reading after some steps of each service, and build all tables after one reading."""
        for first in range(0, max(len(history.steps) for history in self.histories), STEPS_A_READING):
            turn = [
                (sites[step.site % len(sites)], step)
                for sites, history in zip(self.sites, self.histories, strict=True)
                for step in history.steps[first : first + STEPS_A_READING]
            ]
            self._read(turn, is_built=first == build_after * STEPS_A_READING)
            self.assert_nothing_is_untrue()
        for site in self.all_sites():
            site.finish()
        self._read([])
        catch_up(self.all_sites())
        self._weeks += 3
        self._read([], is_built=True)
        self.hostile.assert_adds_up()

    def _read(self, turn: Sequence[tuple[Site, Step]], is_built: bool = False) -> None:
        """Do steps, some of them while the warehouse reads: really between its listing and its opening of files."""
        steps = {when: [(site, step) for site, step in turn if step.when == when] for when in WHENS}
        before, after_listing, between_files = steps.values()
        moving = {id(site) for site, _ in (*after_listing, *between_files)}
        for site, step in before:
            site.do(step)
        self._weeks += any(step.kind == "fill a gap" for _, step in turn)

        def list_then_move(*asked: Any) -> list[LandedFile]:
            found = changed_files(*asked)
            for site, step in after_listing:
                site.do(step)
            return found

        def move_after_a_file(_: str) -> None:
            if between_files:
                site, step = between_files.pop(0)
                site.do(step)

        with self._patch.context() as patch:
            patch.setattr(pipeline.ingest, "changed_files", list_then_move)
            patch.setattr(pipeline.ingest, "now", lambda: day_files.now() + timedelta(weeks=self._weeks))
            (self.hostile.run if is_built else self.hostile.ingest)(move_after_a_file)
        for site, step in between_files:
            site.do(step)
        for site in self.all_sites():
            if id(site) not in moving:
                site.note_reading()

    def assert_nothing_is_untrue(self) -> None:
        """Files add up; no line counts more often than it happened.

        A line that never was can only be a file's first: a part of a line that looks like one, or two that look like a
        whole, while what would tell better has not come.
        """
        entries = _read(self.hostile, "ingested_files")
        for entry in entries:
            parts = [entry[f"lines_{name}"] for name in ("kept", "rejected", "duplicate", "blank", "erased")]
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


def all_tables(house: House) -> dict[str, list[tuple[Any, ...]]]:
    """Every table but those of files; without where in which file a line was, and when that was read."""
    chosen = {name: "from {name}" for name in TABLES if name not in OF_FILES}
    chosen["raw_requests"] = "select * exclude (file_id, line_offset) from raw_requests"
    chosen["rejected_lines"] = "select source, text, text_bytes from rejected_lines"
    with connect(house.settings) as connection:
        return {
            name: sorted(connection.execute(query.format(name=name)).fetchall(), key=repr)
            for name, query in chosen.items()
        }
