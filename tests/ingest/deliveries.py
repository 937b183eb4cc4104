"""What ingestion tests share: a landing folder to deliver into, and everything run over it without the orchestrator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.build import bring_up_to_date, build_directory, build_requests, stale_days
from pipeline.ingest import IngestReport, Progress, ingest
from pipeline.settings import Settings
from pipeline.warehouse import connect, open_run

TABLES_OF_WHAT_HAPPENED = (
    *("requests", "identifier_days", "identifier_links", "acts", "same_visit_days"),
    *("clickstream", "visits", "user_days", "user_links", "user_lookup"),
)


class House:
    """A landing folder and a warehouse.

    Attributes:
        builds_all: whether a run builds the product team's tables too; left out where a test is not about them, since
            there are many.
    """

    def __init__(self, folder: Path, builds_all: bool = False, **more: Any) -> None:
        self.builds_all = builds_all
        self.landing = folder / "landing"
        self.landing.mkdir(parents=True, exist_ok=True)
        self.settings = Settings(**{"landing": self.landing, "warehouse": folder / "warehouse", **more})

    def deliver(self, name: str, data: bytes) -> Path:
        """Put a file into the landing folder."""
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def ingest(self, progress: Progress | None = None) -> IngestReport:
        """Read what is new, and publish the raw tables."""
        with open_run(self.settings) as run:
            report = ingest(run, self.settings, progress)
            run.publish()
        return report

    def run(self, progress: Progress | None = None) -> IngestReport:
        """Read what is new, build what is stale, publish."""
        with open_run(self.settings) as run:
            report = ingest(run, self.settings, progress)
            build_directory(run, self.settings)
            bring_up_to_date(run, with_product=self.builds_all)
            run.publish()
        return report

    def read(self) -> IngestReport:
        """Read what is new, build requests only, publish: the quick way where visits do not matter."""
        with open_run(self.settings) as run:
            report = ingest(run, self.settings)
            build_requests(run, self.settings, stale_days(run, "requests"))
            run.publish()
        return report

    def requests(self) -> list[tuple[Any, ...]]:
        """Requests and rejected lines, whatever files they came in."""
        found = [*self.rows("from requests"), *self.rows("select source, reason, text from rejected_lines")]
        return sorted(found, key=repr)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the published tables."""
        with connect(self.settings) as connection:
            return connection.execute(query).fetchall()

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that happened, whatever files it came in."""
        with connect(self.settings) as connection:
            return {
                name: sorted(connection.execute(f"from {name}").fetchall(), key=repr)
                for name in TABLES_OF_WHAT_HAPPENED
            } | {"rejected": sorted(connection.execute("select source, reason, text from rejected_lines").fetchall())}

    def assert_adds_up(self) -> None:
        """Every file's lines are kept, rejected, duplicate or blank, and the raw tables hold them."""
        assert (
            self.rows(
                """
            select path from ingested_files
            where lines_read <> lines_kept + lines_rejected + lines_duplicate + lines_blank + lines_erased
            """
            )
            == []
        )
        assert self.rows(
            """
            select (select count(*) from raw_requests) = sum(lines_kept),
                (select count(*) from rejected_lines) = sum(lines_rejected),
                (select count(*) from duplicate_lines) = sum(lines_duplicate),
                (select count(*) from blank_lines) = sum(lines_blank)
            from ingested_files
            """
        ) in ([(True, True, True, True)], [(None, None, None, None)])
