"""Who acted, and in which visit: the definitions read plainly over a whole history at once.

Independent of the models' SQL; what a history holds is in `histories_of_people`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import TypeVar

GAP, DAY = timedelta(minutes=30), timedelta(days=1)
CHANGES = ("POST", "PUT", "PATCH", "DELETE")
KINDS = ("page", "api", "event", "download")
_Key = TypeVar("_Key")


@dataclass(frozen=True)
class Act:
    """A request that is an act, as its line tells of it."""

    request_id: str
    at: datetime
    visitor: str
    agent: str
    kind: str
    method: str
    user: str | None
    business: str | None
    login: str | None

    @property
    def order(self) -> tuple[datetime, int, bool, str]:
        """Acts of one instant are ordered by what they are."""
        return self.at, KINDS.index(self.kind), self.method not in CHANGES, self.request_id


@dataclass(frozen=True)
class Told:
    """What must come of an act: whose it is and why, and its place in a visit that is known by its first act."""

    user: str | None
    business: str | None
    linked_by: str | None
    first_act: str
    seq: int
    seconds_to_next: float | None


def tell(acts: Iterable[Act], mailboxes: dict[str, str]) -> dict[str, Told]:
    """Tell of every act what must come of it.

    Args:
        acts: of the whole history.
        mailboxes: the directory: user by email.
    """
    ordered = sorted(acts, key=lambda act: act.order)
    logins = _logins(ordered, mailboxes)
    whose: dict[str, tuple[str | None, str | None, str | None]] = {}
    for visitor, mine in _grouped(ordered, lambda act: act.visitor).items():
        ever = {_known(act, logins) for act in mine} - {None}
        ever_businesses = {act.business for act in mine if _known(act, logins)} - {None}
        for piece in cut(mine):
            users = {_known(act, logins) for act in piece} - {None}
            businesses = {act.business for act in piece if _known(act, logins)} - {None}
            for act in piece:
                if act.user:
                    whose[act.request_id] = act.user, act.business, "on_line"
                elif act.login in logins:
                    whose[act.request_id] = logins[act.login], act.business, "identifier"
                elif len(users) == 1:
                    whose[act.request_id] = _only(users), act.business or _only(businesses), "same_visit"
                elif not users and visitor.startswith("c-") and len(ever) == 1:
                    whose[act.request_id] = _only(ever), act.business or _only(ever_businesses), "visitor_cookie"
                else:
                    whose[act.request_id] = None, act.business, None

    def actor(act: Act) -> tuple[str | None, ...]:
        user, business, _ = whose[act.request_id]
        device = act.visitor if act.visitor.startswith("c-") else act.agent
        return (business, user, device) if user else (business, None, act.visitor)

    told = {}
    for mine in _grouped(ordered, actor).values():
        for visit in cut(mine):
            for seq, act in enumerate(visit):
                after = visit[seq + 1].at - act.at if seq + 1 < len(visit) else None
                seconds = after.total_seconds() if after is not None else None
                told[act.request_id] = Told(*whose[act.request_id], visit[0].request_id, seq + 1, seconds)
    return told


def cut(acts: Sequence[Act]) -> list[list[Act]]:
    """Cut acts in order where a gap is over half an hour, and at a midnight after a day that was active throughout."""
    by_day = _grouped(acts, lambda act: act.at.date())
    pieces = [[act] for act in acts[:1]]
    for before, act in pairwise(acts):
        is_bound = before.at.date() != act.at.date() and _is_full(before.at.date(), by_day[before.at.date()])
        if act.at - before.at > GAP or is_bound:
            pieces.append([])
        pieces[-1].append(act)
    return pieces


def _is_full(day: date, acts: Sequence[Act]) -> bool:
    start = datetime.combine(day, time(), acts[0].at.tzinfo)
    moments = [act.at for act in acts]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    return moments[0] - start <= GAP and start + DAY - moments[-1] <= GAP and all(gap <= GAP for gap in gaps)


def _logins(acts: Sequence[Act], mailboxes: dict[str, str]) -> dict[str | None, str]:
    """The user of each login name: the directory's; else the only one that lines ever gave it."""
    found: dict[str | None, str] = {}
    for login, mine in _grouped([act for act in acts if act.login], lambda act: act.login).items():
        users = {act.user for act in mine} - {None}
        user = mailboxes.get(str(login).lower()) or _only(users)
        if user:
            found[login] = user
    return found


def _known(act: Act, logins: dict[str | None, str]) -> str | None:
    return act.user or logins.get(act.login)


def _only(values: set[str | None]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None


def _grouped(acts: Iterable[Act], key: Callable[[Act], _Key]) -> dict[_Key, list[Act]]:
    groups: dict[_Key, list[Act]] = defaultdict(list)
    for act in acts:
        groups[key(act)].append(act)
    return groups
