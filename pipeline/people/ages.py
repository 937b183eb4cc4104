"""Who is a child: younger than thirteen, by COPPA, 16 CFR 312.2."""

from __future__ import annotations

from datetime import date

CHILD_UNTIL = 13  # years of age


def grown_on(born: date) -> date:
    """The day from which somebody is no child; of one born on 29 February, where there is none, the day before."""
    year = born.year + CHILD_UNTIL
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
