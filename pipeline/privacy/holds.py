"""Who must not be erased for now, since law or business says so: with the reason, and until when.

A hold names the user as long as it lasts; once it is over it holds nothing back, and goes with the user.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date

from pipeline.privacy.numbered import NumberedFiles
from pipeline.settings import Settings


@dataclass(frozen=True)
class Hold:
    """What keeps a user from being erased.

    Attributes:
        number: its number, from 1.
        user: the user's id.
        business: where, by the Business's id; everywhere where None.
        reason: why, in words that a certificate may hold.
        until: the last UTC day.
        noted_by: who wrote it down.
    """

    number: int
    user: str
    business: str | None
    reason: str
    until: date
    noted_by: str

    def holds(self, user: str, business: str | None) -> bool:
        """Whether an erasure of a user in a Business, or everywhere where None, is held back."""
        return user == self.user and (self.business is None or business is None or business == self.business)


def add_hold(settings: Settings, user: str, business: str | None, reason: str, until: date, noted_by: str) -> Hold:
    """Write a hold down.

    Args:
        settings: where.
        user: the user's id.
        business: see `Hold`.
        reason: see `Hold`.
        until: see `Hold`.
        noted_by: who writes it down.
    """
    files = _files(settings)
    with files.locked():
        hold = Hold(files.next_number(), user, business, reason, until, noted_by)
        files.write(hold.number, asdict(hold))
    return hold


def all_holds(settings: Settings) -> list[Hold]:
    """Read all holds, also those that are over."""
    told = (json.loads(path.read_text(encoding="utf-8")) for path in _files(settings).paths())
    return [Hold(**one | {"until": date.fromisoformat(one["until"])}) for one in told]


def active_holds(settings: Settings, today: date) -> list[Hold]:
    """The holds that are not over on a day."""
    return [one for one in all_holds(settings) if one.until >= today]


def held_back(holds: Sequence[Hold], users: Collection[str], business: str | None) -> Hold | None:
    """The hold that keeps one of some users from being erased, the one that lasts longest.

    Args:
        holds: those that are not over.
        users: ids of the users whose rows would go.
        business: where they would, by the Business's id; everywhere where None.
    """
    found = [one for one in holds if any(one.holds(user, business) for user in users)]
    return max(found, key=lambda one: one.until, default=None)


def lift(settings: Settings, hold: Hold) -> None:
    """Take a hold away."""
    _files(settings).remove(hold.number)


def _files(settings: Settings) -> NumberedFiles:
    return NumberedFiles(settings.privacy / "holds")
