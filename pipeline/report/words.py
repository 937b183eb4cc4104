"""How numbers are said on a page: what is unknown is said to be, and so few people are not told apart.

Escaping for HTML is Jinja's, and always on.
"""

from __future__ import annotations

from datetime import date, datetime

from pipeline.formats import REASONS
from pipeline.lookup.rows import Row
from pipeline.plain import plain
from pipeline.plain import share as share_text
from pipeline.product.scoring import FEWEST_USERS
from pipeline.report.weeks import Week

UNKNOWN = "unknown"
FEW = f"fewer than {FEWEST_USERS}"
TOO_FEW = "too few to say"
_GAP = "\N{NO-BREAK SPACE}"  # between a number and its unit


def is_few(people: int | None) -> bool:
    """Whether a number of people is told only as few."""
    return people is not None and 0 < people < FEWEST_USERS


def count(number: int | None) -> str:
    """Write how many things."""
    return UNKNOWN if number is None else f"{number:,}"


def people(number: int | None) -> str:
    """Write how many people."""
    return FEW if is_few(number) else count(number)


def signed(number: float, digits: int) -> str:
    """Write a difference with its sign; 0 has none."""
    rounded = round(number, digits)
    sign = "+" if rounded > 0 else "\N{MINUS SIGN}" if rounded < 0 else ""
    return f"{sign}{abs(rounded):,.{digits}f}"


def change(now: float | None, before: float | None) -> str:
    """Write how much more or less something is than it was."""
    if now is None or before is None:
        return UNKNOWN
    if now == before:
        return "the same"
    return signed(now - before, 0) + (f" ({signed(100 * (now - before) / before, 1)}{_GAP}%)" if before else "")


def change_of_people(now: int | None, before: int | None) -> str:
    """Write how many more or fewer people; of few it is not told."""
    return TOO_FEW if is_few(now) or is_few(before) else change(now, before)


def share(value: float) -> str:
    """Write a share as per cent."""
    return share_text(value).replace(" ", _GAP)


def part(people_in_it: int | None, of: int | None) -> str:
    """Write which share of people; of few it is not told."""
    if people_in_it is None or of is None:
        return UNKNOWN
    if not of:
        return "of nobody"
    return TOO_FEW if is_few(people_in_it) or is_few(of) else share(people_in_it / of)


def interval(score: Row) -> str:
    """Write a share of the scores with the ends of its interval; why it is unknown, where it is."""
    if score["value"] is None:
        return score["note"] or UNKNOWN
    if is_few(score["people"]):
        return f"{FEW} of {score['of_people']:,}"
    return f"{_percent(score['value'])}{_GAP}% ({_percent(score['low'])} to {_percent(score['high'])})"


def points(score: Row) -> str:
    """Write a difference of shares with its interval, in points; why it is unknown, where it is."""
    if score["value"] is None:
        return score["note"] or UNKNOWN
    value, low, high = (signed(100 * score[end], 1) for end in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def day(value: date) -> str:
    """Write a day, such as Monday 9 March 2026."""
    return f"{value:%A} {value.day} {value:%B %Y}"


def days(week: Week) -> str:
    """Write a week by its days, in words that are as few as they can be."""
    first, last = week.first, week.last
    if first.year != last.year:
        return f"{first.day} {first:%B %Y} to {last.day} {last:%B %Y}"
    begin = f"{first.day}" if first.month == last.month else f"{first.day} {first:%B}"
    return f"{begin} to {last.day} {last:%B %Y}"


def duration(seconds: float | None) -> str:
    """Write how long something took, in the two largest units that it has."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    for name, inner, size, part_size in (("d", "h", 86_400, 3_600), ("h", "min", 3_600, 60), ("min", "s", 60, 1)):
        if whole >= size:
            return f"{whole // size:,}{_GAP}{name} {whole % size // part_size}{_GAP}{inner}"
    return f"{whole}{_GAP}s"


def instant(value: datetime | None) -> str:
    """Write an instant to the minute."""
    return UNKNOWN if value is None else f"{value:%Y-%m-%d %H:%M} UTC"


def reason(code: str) -> str:
    """Write why a line was rejected."""
    return REASONS.get(code, code)


FILTERS = {
    "plain": plain,
    "duration": duration,
    "share": share,
    "count": count,
    "people": people,
    "change": change,
    "change_of_people": change_of_people,
    "part": part,
    "interval": interval,
    "points": points,
    "day": day,
    "days": days,
    "instant": instant,
    "reason": reason,
}
