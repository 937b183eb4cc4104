"""Which week a page is about: from Monday to Sunday, in UTC, over, and in the log from end to end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

_WEEK = timedelta(days=7)
Days = tuple[date, date]  # the first and the last


@dataclass(frozen=True)
class Week:
    """A week.

    Attributes:
        first: its Monday.
    """

    first: date

    @property
    def last(self) -> date:
        """Its Sunday."""
        return self.first + timedelta(days=6)

    @property
    def before(self) -> Week:
        """The week before it."""
        return Week(self.first - _WEEK)

    @property
    def days(self) -> list[date]:
        """Its seven days."""
        return [self.first + timedelta(days=number) for number in range(7)]

    def is_in(self, log: Days) -> bool:
        """Whether the log begins at its Monday or earlier, and goes to its Sunday or further."""
        return log[0] <= self.first and self.last <= log[1]


def week_of(day: date) -> Week:
    """Give the week that holds a day."""
    return Week(day - timedelta(days=day.weekday()))


def log_days(connection: duckdb.DuckDBPyConnection) -> Days | None:
    """Give the first and last UTC day on which anything was done, by people or bots; None where nothing ever was."""
    found = connection.execute("select min(date), max(date) from visits").fetchone()
    return None if found is None or found[0] is None else (found[0], found[1])


def last_whole_week(log: Days | None, today: date, until: date | None = None) -> Week | None:
    """Find the last week that is whole: over, and in the log from Monday to Sunday.

    Args:
        log: what `log_days` gives.
        today: the current UTC day, which is not over.
        until: a day; the week that holds it, or ends before it where that one is not whole. The last one where None.

    Returns:
        The week; None where none is whole.
    """
    if log is None:
        return None
    last_over = min(log[1], today - timedelta(days=1))
    week = week_of(last_over + timedelta(days=1)).before
    if until is not None and until < week.first:
        week = week_of(until)
    return week if week.is_in(log) else None


def last_whole_weeks(log: Days | None, today: date, most: int) -> list[Week]:
    """Find the last whole weeks, the latest first, at most so many."""
    found: list[Week] = []
    week = last_whole_week(log, today)
    while week is not None and len(found) < most:
        found.append(week)
        week = last_whole_week(log, today, week.before.last)
    return found
