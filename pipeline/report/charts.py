"""Where the marks of a chart stand, in per cent of its width and pixels of its height; `charts.html` draws them.

A chart is as wide as its place, with letters of one size: on a phone it is narrower, not smaller. So few people that
they are not told apart have no mark, since its height would tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.lookup.rows import Row
from pipeline.report.words import is_few, people

HEIGHT = 150  # of the highest column
_GROUP, _COLUMN = 0.72, 0.34  # of a day's place: its two columns together, and one


@dataclass(frozen=True)
class Column:
    """A column of a chart.

    Attributes:
        x: its left end, in per cent.
        width: in per cent.
        height: in pixels; None where nothing is to be drawn.
        label: what it says.
    """

    x: float
    width: float
    height: float | None
    label: str


@dataclass(frozen=True)
class DayColumns:
    """The columns of a day beside the same day a week before."""

    middle: float
    name: str
    now: Column
    before: Column


@dataclass(frozen=True)
class Span:
    """An interval on a scale: its ends and its value, in per cent."""

    low: float
    value: float
    high: float


def day_columns(daily: Sequence[Row]) -> list[DayColumns]:
    """Lay out the users of each day beside those of a week before.

    Args:
        daily: rows of `day`, `now` and `before`.
    """
    most = max((row[which] or 0 for row in daily for which in ("now", "before")), default=0)
    place = 100 / max(1, len(daily))
    has_before = any(row["before"] is not None for row in daily)

    def column(number: int | None, x: float) -> Column:
        height = None if number is None or is_few(number) or not most else HEIGHT * number / most
        return Column(round(x, 2), round(place * _COLUMN, 2), height and round(height, 1), _short(number))

    def both(number: int, row: Row) -> DayColumns:
        left = place * (number + (1 - _GROUP) / 2)
        right = left + place * (_GROUP - _COLUMN) / (1 if has_before else 2)
        middle = round(place * (number + 0.5), 2)
        return DayColumns(middle, f"{row['day']:%a}", column(row["now"], right), column(row["before"], left))

    return [both(number, row) for number, row in enumerate(daily)]


def _short(number: int | None) -> str:
    """Write a number of people so that it fits over a column."""
    if number is None:
        return "?"
    if is_few(number):
        return "<5"
    return people(number) if number < 10_000 else f"{number / 1000:,.0f}k"


def told_in_words(daily: Iterable[Row]) -> str:
    """Say what the chart of days shows."""
    return "; ".join(f"{row['day']:%A} {people(row['now'])}, week before {people(row['before'])}" for row in daily)


def scale_of(scores: Iterable[Row]) -> float:
    """The share at which the scale of intervals ends: the next tenth above all of them."""
    highest = max((score["high"] for score in scores if score["value"] is not None), default=0.0)
    return min(1.0, (int(highest * 10) + 1) / 10)


def span(score: Row, scale: float) -> Span | None:
    """Lay out an interval of a share on a scale; None where the share is unknown or of few people."""
    if score["value"] is None or is_few(score["people"]):
        return None
    low, value, high = (round(100 * score[end] / scale, 2) for end in ("low", "value", "high"))
    return Span(low, value, high)


def bar(number: int | None, of: int | None) -> float | None:
    """How long the bar of a share is, in per cent; None where it is unknown or of few people."""
    return None if not of or number is None or is_few(number) or is_few(of) else round(100 * number / of, 2)
