"""What tests share: a small demo, run once through the assets, and where the published test data is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.launch import RunSummary, run_everything
from pipeline.demo import DemoPaths, make_demo
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import connect
from tests.buckets import Bucket, s3_server

SHARED = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def dagster_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give each process that tests a Dagster storage of its own: two that make one at once break it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRAIL_STATE", str(tmp_path_factory.mktemp("dagster")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real logs and published cases; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("../shared/data is absent")
    return SHARED


class Demo:
    """A small demo after its first run."""

    def __init__(self, paths: DemoPaths) -> None:
        self.paths = paths
        self.settings: Settings = load_settings(paths.config, {})
        self.summary: RunSummary = run_everything(self.settings, paths.config)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Make the demo at a twentieth of its size and run everything on it, once for all tests, which only read it."""
    return Demo(make_demo(tmp_path_factory.mktemp("demo"), scale=0.05))


@pytest.fixture
def demo_tables(demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    """The demo's published tables, with its truth as the views true_requests, true_visits and true_files."""
    with connect(demo.settings) as connection:
        for name in ("requests", "visits", "files"):
            path = demo.paths.truth / f"{name}.parquet"
            connection.execute(f"create view true_{name} as select * from read_parquet('{path}')")
        yield connection


@pytest.fixture(scope="session")
def s3_client() -> Iterator[Any]:
    """A client of an S3 server on the loopback, which is the only one that the usual variables name."""
    with pytest.MonkeyPatch.context() as patch, s3_server(patch) as client:
        yield client


_NUMBERS = count(1)


@pytest.fixture
def bucket(s3_client: Any) -> Bucket:
    """An empty bucket."""
    return Bucket(s3_client, f"logs-{next(_NUMBERS)}")
