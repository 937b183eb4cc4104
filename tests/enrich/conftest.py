"""Published cases that tests of several subjects read; the folder itself is in the fixtures of all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

Case = dict[str, str | None]


@pytest.fixture(scope="session")
def browser_cases(shared_data: Path) -> list[Case]:
    """User agents with the browser that ua-parser's own tests expect."""
    return _cases(shared_data, "test_ua")


@pytest.fixture(scope="session")
def system_cases(shared_data: Path) -> list[Case]:
    """User agents with the system that ua-parser's own tests expect."""
    return _cases(shared_data, "test_os")


def _cases(shared_data: Path, name: str) -> list[Case]:
    text = (shared_data / f"peer-tests/uap-core/{name}.yaml").read_text(encoding="utf-8")
    cases: list[Case] = yaml.load(text, Loader=yaml.CSafeLoader)["test_cases"]
    return cases
