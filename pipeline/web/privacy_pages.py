"""The page of what Businesses asked about their users' data, for those who look after privacy; reading it is a look."""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.audit import Subject
from pipeline.build.stale import today
from pipeline.lookup.rows import Row
from pipeline.privacy import Record
from pipeline.privacy import Request as Asked
from pipeline.web.access import Actor
from pipeline.web.showing import Showing, allowed

_LISTED = 200


class PrivacyPages:
    """What answers requests about the record."""

    def __init__(self, showing: Showing) -> None:
        """Open nothing yet.

        Args:
            showing: asks, notes and shows.
        """
        self._showing = showing

    def routes(self) -> list[Route]:
        """The page with its address."""
        return [Route("/privacy", self.privacy)]

    def privacy(self, request: Request) -> Response:
        """What Businesses in scope asked: what is still to be done, due first at first, then what was closed."""
        actor = allowed(request, "privacy")
        asked = [one for one in Record(self._showing.settings).all() if _in_scope(one, actor)]
        waiting = [_row(one) for one in asked if one.is_open]
        closed = [_row(one) for one in asked if not one.is_open][:_LISTED]
        answer = self._showing.page(request, "privacy.html", {"waiting": waiting, "closed": closed})
        subjects = [Subject(one.user, (one.business,)) for one in asked if one.is_open]
        self._showing.looks.note(actor, "privacy", subjects=subjects, is_shown=bool(asked))
        return answer


def _in_scope(asked: Asked, actor: Actor) -> bool:
    return actor.businesses is None or asked.business in actor.businesses


def _row(asked: Asked) -> Row:
    of_tables = sum(asked.rows.values()) if asked.rows else None
    return asdict(asked) | {"due": asked.due.isoformat(), "days_left": asked.days_left(today()), "rows": of_tables}
