"""The page of who looked, for those who look after privacy; reading it is a look as well."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.audit import Entry, access_key, read_entries, user_hash
from pipeline.lookup import Period, QuestionError, read_period
from pipeline.lookup.rows import Row
from pipeline.settings import Settings
from pipeline.web.access import Actor
from pipeline.web.showing import Showing, allowed

_LISTED = 200
_KEYS = ("user", "business", "actor", "from", "to")


class LookPages:
    """What answers requests about looks."""

    def __init__(self, showing: Showing) -> None:
        """Open nothing yet.

        Args:
            showing: asks, notes and shows.
        """
        self._showing = showing

    def routes(self) -> list[Route]:
        """The page with its address."""
        return [Route("/looks", self.looks)]

    def looks(self, request: Request) -> Response:
        """Who looked at whom, newest first: all, or at one user or Business, or by one person."""
        actor = allowed(request, "who_looked")
        said = {key: request.query_params.get(key, "").strip() for key in _KEYS}
        values: Row = {"said": said, "listed": [], "period": None, "problem": None}
        try:
            period = read_period(said["from"], said["to"], datetime.now(UTC).date())
        except QuestionError as error:
            return self._showing.page(request, "looks.html", values | {"problem": str(error)}, 400)
        listed = _listed(self._showing.settings, actor, said, period)
        answer = self._showing.page(request, "looks.html", values | {"listed": listed, "period": period})
        self._showing.looks.note(actor, "who_looked", is_shown=bool(listed))
        return answer


def _listed(settings: Settings, actor: Actor, said: dict[str, str], period: Period) -> list[Row]:
    """The last looks that concern somebody in scope; of what is not in scope nothing is told."""
    key = access_key(settings.secret)
    user = user_hash(key, said["user"]) if said["user"] else None
    entries = read_entries(
        settings.access_log,
        since=period.since,
        until=period.until,
        business=said["business"] or None,
        actor=said["actor"] or None,
        user=user,
    )
    found = deque((row for entry in entries if (row := _in_scope(entry, actor.businesses, user))), maxlen=_LISTED)
    return list(found)[::-1]


def _in_scope(entry: Entry, allowed_ones: tuple[str, ...] | None, user: str | None) -> Row | None:
    subjects = entry.subjects
    if allowed_ones is not None:
        subjects = tuple(one for one in subjects if set(one.businesses) & set(allowed_ones))
        if not subjects or (user is not None and user not in [one.user for one in subjects]):
            return None
    businesses = {business for one in subjects for business in one.businesses}
    return {
        "at": entry.at,
        "actor": entry.actor,
        "role": entry.role,
        "action": entry.action,
        "target": entry.target if len(subjects) == len(entry.subjects) else "",
        "users": len({one.user for one in subjects if one.user is not None}),
        "businesses": sorted(businesses & set(allowed_ones) if allowed_ones is not None else businesses),
        "outcome": entry.outcome,
        "why": entry.why,
    }
