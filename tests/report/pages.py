"""What tests of the weekly page share: a page read with Python's own parser, and small logs of a few weeks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

from pipeline.report import gather, last_whole_week, log_days, make_page
from pipeline.settings import Settings
from pipeline.warehouse import connect

FAR = date(2026, 12, 31)  # a day after all that the logs of tests hold
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Gecko/20100101 Firefox/148.0"
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_VOID = {"meta", "link", "line", "rect", "circle", "br", "img", "input"}


@dataclass
class Page(HTMLParser):
    """A page as it is read.

    Attributes:
        text: of the page.
        headings: their levels and texts.
        tables: each with its caption, and the cells of its rows.
        tags: each with its attributes.
        fragments: what stands between the tags, but for styles.
    """

    text: str
    headings: list[tuple[int, str]] = field(default_factory=list)
    tables: list[tuple[str, list[list[str]]]] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)
    _said: list[str] = field(default_factory=list)
    _rows: list[list[str]] = field(default_factory=list)
    _caption: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)
        assert self._open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in _VOID:
            return
        self._open.append(tag)
        if tag in (*_HEADINGS, "caption", "td", "th"):
            self._said = []
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self._open.pop() == tag, f"{tag} closes what it did not open"
        said = " ".join(" ".join(self._said).split())
        if tag in _HEADINGS:
            self.headings.append((int(tag[1]), said))
        if tag == "caption":
            self._caption = said
        if tag in ("td", "th"):
            self._rows[-1].append(said)
        if tag == "table":
            self.tables.append((self._caption, self._rows))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self._said.append(data)
            self.fragments.append(data)

    @property
    def shown(self) -> str:
        """All that is read on it, in one line."""
        return " ".join(" ".join(self.fragments).split())

    def all_rows(self, caption: str) -> list[list[list[str]]]:
        """The rows of all tables whose caption begins so, with those of their heads."""
        return [rows for known, rows in self.tables if known.startswith(caption)]

    def table(self, caption: str) -> dict[str, list[str]]:
        """The rows of the table whose caption begins so, by their first cell."""
        (rows,) = self.all_rows(caption)
        return {row[0]: row[1:] for row in rows[1:]}


def page_of(settings: Settings, until: date | None = None, today: date = FAR) -> Page:
    """Make the page of a week, and read it."""
    with connect(settings) as connection:
        week = last_whole_week(log_days(connection), today, until)
        return Page(make_page(gather(connection, settings, week)))


def line(at: date, user: str | None, target: str = "/notes", hour: int = 10, status: int = 200) -> bytes:
    """Write a request."""
    told = {"time": f"{at}T{hour:02}:00:00+00:00", "remote_addr": "198.51.100.7", "method": "GET", "target": target}
    told |= {"status": str(status), "visitor_id": f"c{user or 'x'}", "user_agent": _BROWSER}
    return json.dumps(told | ({"user_id": user, "business_id": "b1"} if user else {})).encode() + b"\n"


def lines(days: Iterable[date], users: Iterable[str], target: str = "/notes", status: int = 200) -> bytes:
    """Write a request of each user on each day."""
    known = list(users)
    return b"".join(line(day, user, target, 10, status) for day in days for user in known)


def catalogue(folder: Path, title: str = "Notes", more: str = "") -> Path:
    """Write a catalogue of one feature."""
    path = folder / "features.toml"
    said = f'[features.notes]\ntitle = {json.dumps(title)}\ndescription = "d"\nowner = "o"\n'
    path.write_text(said + 'patterns = [{ route = "/notes" }]\n' + more, encoding="utf-8")
    return path
