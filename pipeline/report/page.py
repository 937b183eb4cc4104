"""One HTML file of what was gathered: nothing in it is fetched from elsewhere, and no script runs."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from jinja2 import Environment

from pipeline.lookup.rows import Row
from pipeline.page_templates import template_environment
from pipeline.report import charts
from pipeline.report.words import FILTERS
from pipeline.warehouse.files import replace_atomically


def make_page(numbers: Row, made_of: str = "") -> str:
    """Write the page of a week.

    Args:
        numbers: what `gather` gives.
        made_of: another text for every other content of the tables it was made of, kept in the page; empty where that
            is not known.
    """
    return _environment().get_template("report.html").render(numbers, made_of=made_of, charts=charts)


@cache
def _environment() -> Environment:
    return template_environment("pipeline.report", FILTERS)


def write_page(path: Path, page: str) -> None:
    """Write a page, so that whoever opens the file sees the one before or this one, never a part.

    Raises:
        OSError: its folder does not exist, or cannot be written to.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path}: the folder {path.parent} cannot be written to")
    replace_atomically(path, page)
