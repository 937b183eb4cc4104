"""Which week a page is about."""

from __future__ import annotations

from datetime import date

import pytest

from pipeline.report import Week, last_whole_week
from pipeline.report.weeks import last_whole_weeks

MONDAY = date(2026, 3, 9)
THIS, BEFORE = Week(MONDAY), Week(date(2026, 3, 2))
LATER = date(2026, 4, 1)


@pytest.mark.parametrize(
    ("log", "today", "until", "week"),
    [
        (None, LATER, None, None),
        ((BEFORE.first, THIS.last), LATER, None, THIS),
        ((BEFORE.first, THIS.last), THIS.last, None, BEFORE),  # Sunday is not over yet
        ((BEFORE.first, date(2026, 3, 18)), LATER, None, THIS),
        ((BEFORE.first, date(2026, 3, 14)), LATER, None, BEFORE),  # the log does not hold the Sunday
        ((BEFORE.first, date(2026, 3, 18)), LATER, THIS.last, THIS),
        ((BEFORE.first, date(2026, 3, 18)), LATER, MONDAY, THIS),  # the week that holds the day
        ((BEFORE.first, date(2026, 3, 18)), LATER, BEFORE.last, BEFORE),
        ((BEFORE.first, date(2026, 3, 18)), LATER, date(2026, 3, 18), THIS),  # its own is not whole
        ((BEFORE.first, date(2026, 3, 18)), LATER, date(2026, 3, 1), None),
        ((date(2026, 3, 3), THIS.last), LATER, None, THIS),
        ((date(2026, 3, 3), THIS.last), LATER, BEFORE.last, None),  # the log does not hold the Monday
        ((date(2026, 3, 10), date(2026, 3, 15)), LATER, None, None),
        ((date(2025, 12, 1), date(2026, 1, 20)), LATER, date(2026, 1, 1), Week(date(2025, 12, 29))),
    ],
)
def test_it_is_the_last_that_is_over_and_in_the_log(
    log: tuple[date, date] | None, today: date, until: date | None, week: Week | None
) -> None:
    assert last_whole_week(log, today, until) == week


def test_the_last_weeks_go_back_to_where_the_log_begins() -> None:
    log = (date(2026, 2, 18), date(2026, 3, 16))
    weeks = last_whole_weeks(log, LATER, 9)
    assert [week.first for week in weeks] == [date(2026, 3, 9), date(2026, 3, 2), date(2026, 2, 23)]
    assert last_whole_weeks(log, LATER, 2) == weeks[:2]
    assert last_whole_weeks(None, LATER, 2) == []
