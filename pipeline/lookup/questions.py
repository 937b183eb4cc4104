"""What may be asked of a period: which acts, by path, status, browser, country and time, read from what was typed.

What is answered does not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb

DAYS = 7  # the period where none is said
_AROUND = timedelta(minutes=5)  # on either side of a time of day: people say "around four"
_METHOD = re.compile(r"[A-Za-z][A-Za-z-]{1,19}", re.ASCII)
_STATUS = re.compile(r"([1-5])xx|([1-5]\d\d)(?:-([1-5]\d\d))?", re.ASCII)
_TYPED = re.compile(
    r"(?:(?P<method>[A-Za-z-]+)\s+)?(?P<path>/\S*)"
    r"(?:\s+(?P<status>[1-5](?:xx|\d\d)))?"
    r"(?:\s+(?P<at>(?:\d{4}-\d\d-\d\d)?[ T]?(?:\d\d?:\d\d(?::\d\d)?)?))?",
    re.ASCII,
)
KEYS = ("path", "method", "status", "browser", "version", "os", "country", "business", "from", "to")


class QuestionError(ValueError):
    """What was asked cannot be read; the message names the word and what it may be."""


@dataclass(frozen=True)
class Period:
    """From an instant up to, and without, another.

    Attributes:
        since: the first instant.
        until: the first instant after it.
    """

    since: datetime
    until: datetime

    @property
    def days(self) -> dict[str, date]:
        """The first and last UTC day of it, as parameters."""
        return {"first": self.since.date(), "last": (self.until - timedelta(microseconds=1)).date()}

    @property
    def parameters(self) -> dict[str, Any]:
        """Days and instants as parameters."""
        return self.days | {"since": self.since, "until": self.until}


@dataclass(frozen=True)
class Met:
    """Acts of a period that somebody met; each condition that is given must hold.

    Attributes:
        period: when.
        path: a path or a route; with * at its end all that begin so.
        method: request method.
        status: the lowest and highest status.
        browser: browser family, in any case.
        version: browser version, or its first parts.
        os: system family, in any case.
        country: ISO 3166 code.
        business: a Business's id.
    """

    period: Period
    path: str | None = None
    method: str | None = None
    status: tuple[int, int] | None = None
    browser: str | None = None
    version: str | None = None
    os: str | None = None
    country: str | None = None
    business: str | None = None

    @property
    def met_by_all(self) -> Met:
        """The same acts however they ended and whatever they were met with: what a share is a share of."""
        return Met(self.period, self.path, self.method)

    @property
    def condition(self) -> tuple[str, dict[str, Any]]:
        """The condition on rows of `clickstream`, and its parameters."""
        given = {name: getattr(self, name) for name in _CONDITIONS if getattr(self, name) is not None}
        parts = [_PERIOD, *(_CONDITIONS[name] for name in given)]
        if self.path and self.path.endswith("*"):
            parts[parts.index(_CONDITIONS["path"])] = _BEGINS
            given["path"] = self.path[:-1]
        if self.status is not None:
            low, high = given.pop("status")
            given |= {"low": low, "high": high}
        return "\n    and ".join(parts), given | self.period.parameters


_PERIOD = "date between $first and $last and occurred_at >= $since and occurred_at < $until and not is_bot"
_BEGINS = "(starts_with(path, $path) or starts_with(route, $path))"
_CONDITIONS = {
    "path": "(path = $path or route = $path)",
    "method": "method = $method",
    "status": "status between $low and $high",
    "browser": "lower(browser) = lower($browser)",
    "version": "(browser_version = $version or starts_with(browser_version, $version || '.'))",
    "os": "lower(os) = lower($os)",
    "country": "country = upper($country)",
    "business": "business_id = $business",
}


def read_met(said: Mapping[str, str], newest: date) -> Met:
    """Read a question.

    Args:
        said: texts by `KEYS`, as typed; empty ones are not said. A status is 500, 5xx or 400-599. A time is a UTC
            day, a day and a time of day, or a time of day of `newest`; a time alone means some minutes around it.
        newest: the newest day there is, with which the period ends where nothing else is said.

    Raises:
        QuestionError: a text is not what it may be.
    """
    given = {key: said.get(key, "").strip() for key in KEYS}
    method = given["method"]
    if method and not _METHOD.fullmatch(method):
        raise QuestionError(f"method is {method!r}; it must be a method such as POST")
    return Met(
        read_period(given["from"], given["to"], newest),
        given["path"] or None,
        method.upper() or None,
        _status(given["status"]) if given["status"] else None,
        given["browser"] or None,
        given["version"] or None,
        given["os"] or None,
        given["country"] or None,
        given["business"] or None,
    )


def read_period(since: str, until: str, newest: date) -> Period:
    """Read a period from the texts of its ends; see `read_met`.

    Raises:
        QuestionError: an end is no time, or the period ends before it begins.
    """
    end = _instant("to", until, newest) if until else None
    begin = _instant("from", since, newest) if since else None
    if begin and not end and begin[1] != timedelta(days=1):
        return Period(begin[0] - _AROUND, begin[0] + begin[1] + _AROUND)
    last = end[0] + end[1] if end else _midnight(newest) + timedelta(days=1)
    first = begin[0] if begin else last - timedelta(days=DAYS)
    if first >= last:
        raise QuestionError(f"from is {first:%Y-%m-%d %H:%M}, which is not before to, {last:%Y-%m-%d %H:%M}")
    return Period(first, last)


def read_typed(text: str) -> dict[str, str] | None:
    """Take apart what was typed into the search box: `POST /clients 500 2026-03-15 16:05`; None where it is no path."""
    found = _TYPED.fullmatch(text.strip())
    if not found:
        return None
    said = {name: value for name, value in found.groupdict().items() if value}
    return {"from" if name == "at" else name: value for name, value in said.items()}


def newest_day(connection: duckdb.DuckDBPyConnection) -> date:
    """The newest day with an act, of whomever; today where there is none."""
    found = connection.execute("select newest_day from span").fetchone()
    return found[0] if found and found[0] else datetime.now(UTC).date()


def before(period: Period, days: int) -> Period:
    """The days before a period, to compare it with; whole ones, up to the midnight it begins after."""
    until = _midnight(period.since.date())
    return replace(period, since=until - timedelta(days=days), until=until)


def _status(text: str) -> tuple[int, int]:
    found = _STATUS.fullmatch(text.lower())
    if not found:
        raise QuestionError(f"status is {text!r}; it must be such as 500, 5xx or 400-599")
    if found[1]:
        return int(found[1]) * 100, int(found[1]) * 100 + 99
    return int(found[2]), int(found[3] or found[2])


_FORMATS = (
    ("%Y-%m-%d", timedelta(days=1)),
    ("%Y-%m-%d %H:%M", timedelta(minutes=1)),
    ("%Y-%m-%d %H:%M:%S", timedelta(seconds=1)),
    ("%H:%M", timedelta(minutes=1)),
    ("%H:%M:%S", timedelta(seconds=1)),
)


def _instant(key: str, text: str, newest: date) -> tuple[datetime, timedelta]:
    """Read an instant, and how long what was said lasts: a day, a minute or a second."""
    for form, lasts in _FORMATS:
        try:
            read = datetime.strptime(text.strip().replace("T", " "), form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return (read if "%d" in form else datetime.combine(newest, read.timetz())), lasts
    raise QuestionError(f"{key} is {text!r}; it must be such as 2026-03-15, 2026-03-15 16:05 or 16:05, in UTC")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)
