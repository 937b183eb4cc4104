"""The small house, built once for each process that tests, and a copy of it for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.ingest.deliveries import House
from tests.privacy.houses import house_in, small_house


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "house"
    small_house(folder)
    return folder


@pytest.fixture
def house(built: Path, tmp_path: Path) -> House:
    """A few people of two Businesses in a folder of its own, `tmp_path / "house"`."""
    shutil.copytree(built, tmp_path / "house")
    return house_in(tmp_path / "house")
