"""The folder of weekly pages: which are due, and writing them.

A page is due where its week is one of the last whole ones, and it is absent or was made of other rows.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date
from pathlib import Path

from pipeline.build.stale import State, find_stale, stale_whole, today
from pipeline.features import Catalogue, catalogue_of
from pipeline.report.numbers import READS, gather
from pipeline.report.page import make_page, write_page
from pipeline.report.weeks import Days, Week, last_whole_weeks
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import Run

_WEEKS = 4  # late lines change the last ones; older ones are made by whoever asks for them
_VERSION = 1  # another one whenever the same rows give another page
_MADE_OF = re.compile(r'<meta name="trail-made-of" content="([0-9a-f]+)">')
_HEAD = 4096  # bytes of a page that hold it


def page_path(settings: Settings, week: Week) -> Path:
    """Where the page of a week is."""
    return settings.reports_folder / f"week-{week.first}.html"


def due_weeks(state: State, now: date | None = None) -> list[Week]:
    """Find the weeks whose pages are to be written.

    Args:
        state: a run, or a look at the staged state. Nothing is due while anything in it is stale.
        now: the current UTC day.

    Returns:
        Whole weeks, the latest first.
    """
    if find_stale(state) or stale_whole(state):
        return []
    weeks = last_whole_weeks(_log(state), now or today(), _WEEKS)
    return [week for week in weeks if _noted(page_path(state.settings, week)) != made_of(state, week)]


def write_due(run: Run) -> list[Path]:
    """Write the pages that are due; return them."""
    due = due_weeks(run)
    if not due:
        return []
    run.settings.reports_folder.mkdir(parents=True, exist_ok=True)
    with run.connect() as connection:
        for week in due:
            page = make_page(gather(connection, run.settings, week), made_of(run, week))
            write_page(page_path(run.settings, week), page)
    return [page_path(run.settings, week) for week in due]


def made_of(state: State, week: Week) -> str:
    """Fingerprint what a page is made of: files of days up to its Sunday, the catalogue, and how it is made.

    Tables that are not by day follow from those that are; what Trail read since then does not make a page due.
    """
    names = [
        f"{table}/{path.name}"
        for table in READS
        if TABLES[table].is_by_day and table != "rejected_lines"  # which is by the day of reading
        for day, paths in state.files(table).items()
        if day is not None and day <= week.last
        for path in paths
    ]
    said = [*sorted(names), _said(catalogue_of(state.settings)), str(_VERSION)]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


def _said(catalogue: Catalogue) -> str:
    features = [(one.name, one.title, one.effort, one.strategy) for one in catalogue.features]
    return repr((catalogue.version, features, catalogue.funnels))


def _log(state: State) -> Days | None:
    days = [day for day in state.files("visits") if day is not None]
    return (min(days), max(days)) if days else None


def _noted(path: Path) -> str | None:
    """What a page says that it was made of; None where there is none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            found = _MADE_OF.search(file.read(_HEAD))
    except OSError:
        return None
    return found and found[1]
