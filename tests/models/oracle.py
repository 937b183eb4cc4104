"""Who acted, and in which visit: the definitions read plainly over a whole history at once.

Independent of the models' SQL; what a history holds is in `histories_of_people`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
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
class Said:
    """What a person said: that an identifier (a visitor or a login) is a user's, for a span or always, or is not."""

    identifier: str
    user: str
    is_theirs: bool
    business: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def covers(self, act: Act) -> bool:
        """Whether it gives an act to its user."""
        is_inside = (self.start is None or act.at >= self.start) and (self.end is None or act.at <= self.end)
        return self.is_theirs and is_inside and self.identifier in (act.visitor, act.login)


@dataclass(frozen=True)
class Owner:
    """Whose an act is: user, Business, and by which link."""

    user: str | None
    business: str | None
    linked_by: str | None


@dataclass(frozen=True)
class Told:
    """What must come of an act: whose it is and why, and its place in a visit that is known by its first act."""

    owner: Owner
    first_act: str
    seq: int
    seconds_to_next: float | None


def tell(
    acts: Iterable[Act], mailboxes: dict[str, str], said: Sequence[Said] = (), shared_users: int = 5
) -> dict[str, Told]:
    """Tell of every act what must come of it.

    Args:
        acts: of the whole history.
        mailboxes: the directory: user by email.
        said: what persons said, which holds whatever rules say.
        shared_users: a cookie or login seen with more users than this is shared; an address is with two.
    """
    ordered = sorted(acts, key=lambda act: act.order)
    removed = {(word.identifier, word.user) for word in said if not word.is_theirs}
    said = [replace(word, business=word.business or _only_business(ordered, word.user)) for word in said]
    logins = _logins(ordered, mailboxes, removed, shared_users)
    whose: dict[str, Owner] = {}
    for visitor, mine in _grouped(ordered, lambda act: act.visitor).items():
        seen = {act.user or logins.get(act.login) for act in mine} - {None}
        seen_businesses = {act.business for act in mine if act.user or act.login in logins} - {None}
        most = shared_users if visitor.startswith("c-") else 1
        names = {visitor} | {act.login for act in mine}
        ever = seen | {word.user for word in said if word.is_theirs and word.identifier in names}
        for piece in cut(mine):
            known = {act.request_id: _known(act, logins, said) for act in piece}
            users = {owner.user for owner in known.values()} - {None}
            businesses = {owner.business for owner in known.values() if owner.user} - {None}
            for act in piece:
                if known[act.request_id].user:
                    whose[act.request_id] = known[act.request_id]
                elif len(users) == 1 and len(seen) <= most and (visitor, _only(users)) not in removed:
                    whose[act.request_id] = Owner(_only(users), act.business or _only(businesses), "same_visit")
                elif not users and visitor.startswith("c-") and _is_single(seen, ever, visitor, removed):
                    whose[act.request_id] = Owner(_only(ever), act.business or _only(seen_businesses), "visitor_cookie")
                else:
                    whose[act.request_id] = Owner(None, act.business, None)

    def actor(act: Act) -> tuple[str | None, ...]:
        user, business = whose[act.request_id].user, whose[act.request_id].business
        device = act.visitor if act.visitor.startswith("c-") else act.agent
        return (business, user, device) if user else (business, None, act.visitor)

    told = {}
    for mine in _grouped(ordered, actor).values():
        for visit in cut(mine):
            for seq, act in enumerate(visit):
                after = visit[seq + 1].at - act.at if seq + 1 < len(visit) else None
                seconds = after.total_seconds() if after is not None else None
                told[act.request_id] = Told(whose[act.request_id], visit[0].request_id, seq + 1, seconds)
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


def _logins(
    acts: Sequence[Act], mailboxes: dict[str, str], removed: set[tuple[str, str]], shared_users: int
) -> dict[str | None, str]:
    """The user of each login name: the directory's; else the only one that lines ever gave it; of a shared one none."""
    found: dict[str | None, str] = {}
    for login, mine in _grouped([act for act in acts if act.login], lambda act: act.login).items():
        users = {act.user for act in mine} - {None}
        user = mailboxes.get(str(login).lower()) or _only(users)
        if user and len(users) <= shared_users and (login, user) not in removed:
            found[login] = user
    return found


def _known(act: Act, logins: dict[str | None, str], said: Sequence[Said]) -> Owner:
    """Whose an act is by its own line, by what a person said of its login or else its visitor, or by its login."""
    if act.user:
        return Owner(act.user, act.business, "on_line")
    for identifier in (act.login, act.visitor):
        for word in said:
            if word.identifier == identifier and word.covers(act):
                return Owner(word.user, act.business or word.business, "correction")
    return Owner(logins.get(act.login), act.business, "identifier" if act.login in logins else None)


def _only_business(acts: Iterable[Act], user: str) -> str | None:
    """The Business of all lines that name a user, where it is one."""
    return _only({act.business for act in acts if act.user == user} - {None})


def _is_single(seen: set[str | None], ever: set[str | None], visitor: str, removed: set[tuple[str, str]]) -> bool:
    """Whether a cookie only ever had one user, whom lines named and nobody took away."""
    return len(ever) == 1 and ever == seen and (visitor, _only(ever)) not in removed


def _only(values: set[str | None]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None


def _grouped(acts: Iterable[Act], key: Callable[[Act], _Key]) -> dict[_Key, list[Act]]:
    groups: dict[_Key, list[Act]] = defaultdict(list)
    for act in acts:
        groups[key(act)].append(act)
    return groups
