"""The README against the code: every setting and table is named in it, in the code's own words."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.formats.catalogue import CATALOGUE, WRAPPER_CATALOGUE
from pipeline.schemas import TABLES
from pipeline.settings import DESCRIPTIONS, Settings

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def settings_rows() -> list[str]:
    return [f"| `{field.name}` | {DESCRIPTIONS[field.name]} |" for field in fields(Settings)]


def table_rows() -> list[str]:
    return [f"| `{t.name}` | {t.grain} | {'yes' if t.is_by_day else 'no'} |" for t in TABLES.values()]


def format_rows() -> list[str]:
    wrapped = {f"{name}:…": words for name, words in WRAPPER_CATALOGUE.items()}
    return [f"| `{name}` | {words} |" for name, words in (CATALOGUE | wrapped).items()]


@pytest.mark.parametrize("row", [*settings_rows(), *table_rows(), *format_rows()])
def test_readme_has_the_row(row: str) -> None:
    assert row in README.splitlines()


def test_readme_names_every_command() -> None:
    assert [name for name in main.commands if f"trail {name}" not in README] == []


def test_nothing_downloads_from_a_named_address() -> None:
    lock = (Path(__file__).resolve().parents[1] / "requirements.txt").read_text(encoding="utf-8")
    assert "://" not in lock
    assert "index-url" not in lock
    assert all("--hash" in line or "==" in line or not line.strip() for line in lock.splitlines())
