"""The page of an export in a real Chromium, as a file: what axe finds in the light, in the dark, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.privacy import Asking, answer_access
from tests.beacon.servers import chromium
from tests.privacy.houses import small_house
from tests.web.chromium import SIGHTS, Window


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of somebody who did little, since axe looks at each cell."""
    folder = tmp_path_factory.mktemp("export")
    answer_access(small_house(folder).settings, "b1", "u1", folder / "out", Asking("ana"))
    return folder / "out"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield Window(driver, {}, {})


@pytest.mark.parametrize("sight", SIGHTS)
def test_axe_finds_nothing(browser: Window, out: Path, sight: str) -> None:
    browser.driver.get((out / "index.html").as_uri())
    assert "What is held on" in browser.one("h1").text
    assert browser.faults(SIGHTS[sight]) == []
    assert browser.complaints() == []
