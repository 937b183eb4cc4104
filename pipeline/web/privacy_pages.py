"""The page of what Businesses asked about their users' data, who is held back, and what went to processors.

It is for those who look after privacy; reading it is a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.audit import Subject
from pipeline.build.stale import today
from pipeline.lookup.rows import Row
from pipeline.privacy import Hold, Record, all_holds
from pipeline.privacy import Request as Asked
from pipeline.privacy.share import Share, all_shares, recalled
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
        asked = [one for one in Record(self._showing.settings).all() if _sees(actor, [one.business])]
        waiting = [_row(one) for one in asked if one.is_open]
        closed = [_row(one) for one in asked if not one.is_open][:_LISTED]
        settings = self._showing.settings
        holds = [one for one in all_holds(settings) if _sees(actor, [one.business])]
        copies = [one for one in all_shares(settings) if _sees(actor, one.businesses or [None])]
        told = {
            "waiting": waiting,
            "closed": closed,
            "holds": list(map(_held, holds)),
            "copies": list(map(_copy, copies)),
        }
        answer = self._showing.page(request, "privacy.html", told)
        subjects = [Subject(one.user, (one.business,)) for one in asked if one.is_open]
        subjects += [Subject(one.user, (one.business,) if one.business else ()) for one in holds]
        self._showing.looks.note(actor, "privacy", subjects=subjects, is_shown=bool(asked or holds or copies))
        return answer


def _sees(actor: Actor, businesses: Sequence[str | None]) -> bool:
    """Whether somebody may see what concerns some Businesses; None is all of them."""
    return actor.businesses is None or set(businesses) <= set(actor.businesses)


def _held(hold: Hold) -> Row:
    return asdict(hold) | {"until": hold.until.isoformat(), "is_over": hold.until < today()}


def _copy(share: Share) -> Row:
    return asdict(share) | {"made_at": datetime.fromisoformat(share.made_at), "to_recall": len(recalled(share))}


def _row(asked: Asked) -> Row:
    of_tables = sum(asked.rows.values()) if asked.rows else None
    return asdict(asked) | {"due": asked.due.isoformat(), "days_left": asked.days_left(today()), "rows": of_tables}
