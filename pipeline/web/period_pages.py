"""Pages about a period: who met something, which routes fail, which got slow."""

from __future__ import annotations

from urllib.parse import urlencode

import duckdb
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.audit import Subject
from pipeline.enrich.targets import read_route
from pipeline.lookup import (
    Met,
    QuestionError,
    failing_routes,
    in_common,
    read_met,
    read_period,
    slow_routes,
    who_met,
)
from pipeline.lookup.questions import KEYS, newest_day
from pipeline.lookup.rows import Row
from pipeline.web.showing import Showing, actor_of, allowed, download, file_kind, subject

_LISTED, _EXPORTED = 200, 100_000
_IN_FILES = (
    "name", "email", "user_id", "business_id", "business_name", "times", "first_at", "last_at", "next_did",
    "next_route",
)  # fmt: skip


class PeriodPages:
    """What answers requests about a period, once who asks is known."""

    def __init__(self, showing: Showing) -> None:
        """Open nothing yet.

        Args:
            showing: asks, notes and shows.
        """
        self._showing = showing

    def routes(self) -> list[Route]:
        """Every page with its address."""
        return [
            Route("/affected", self.affected),
            Route("/affected.{kind:str}", self.affected_file),
            Route("/routes", self.route_list),
        ]

    def affected(self, request: Request) -> Response:
        """Who met what is described; without a description, what can be."""
        actor = allowed(request, "affected")
        said = _said(request)
        try:
            with self._showing.ask(actor) as connection:
                met = read_met(said, newest_day(connection))
        except QuestionError as error:
            return self._showing.page(request, "affected.html", _nothing(said) | {"problem": str(error)}, 400)
        if not any(said[key] for key in KEYS if key not in ("from", "to")):
            return self._showing.page(request, "affected.html", _nothing(said))

        def ask(connection: duckdb.DuckDBPyConnection) -> Row:
            return who_met(connection, met, _LISTED) | {"common": in_common(connection, met)}

        return self._showing.look(
            request,
            "affected",
            ask,
            _of_listed,
            lambda found: self._showing.page(
                request,
                "affected.html",
                _nothing(said)
                | {"found": found, "period": met.period, "is_masked": actor_of(request).role == "support"},
            ),
            self._target(met),
        )

    def affected_file(self, request: Request) -> Response:
        """Who met it, as a list to keep."""
        kind = file_kind(request)
        try:
            with self._showing.ask(allowed(request, "export")) as connection:
                met = read_met(_said(request), newest_day(connection))
        except QuestionError as error:
            raise HTTPException(400, str(error)) from error
        return self._showing.look(
            request,
            "export",
            lambda connection: who_met(connection, met, _EXPORTED),
            _of_listed,
            lambda found: download("affected", kind, found["listed"], _IN_FILES),
            self._target(met),
        )

    def route_list(self, request: Request) -> Response:
        """Which routes fail more than usual, and which got slow; nobody is named, so nothing is noted."""
        actor = allowed(request, "errors")
        said = {key: request.query_params.get(key, "").strip() for key in ("from", "to", "least")}
        least = 400 if said["least"] == "400" else 500
        values: Row = {"said": said, "least": least, "period": None, "failing": [], "slow": [], "problem": None}
        try:
            with self._showing.ask(actor) as connection:
                period = read_period(said["from"], said["to"], newest_day(connection))
                values |= {
                    "period": period,
                    "failing": failing_routes(connection, period, least),
                    "slow": slow_routes(connection, period, 20),
                }
        except QuestionError as error:
            return self._showing.page(request, "routes.html", values | {"problem": str(error)}, 400)
        return self._showing.page(request, "routes.html", values)

    def _target(self, met: Met) -> str:
        """The route that was asked for: a path may hold whatever somebody typed."""
        return read_route(met.path.rstrip("*"), self._showing.settings) if met.path else ""


def _said(request: Request) -> dict[str, str]:
    return {key: request.query_params.get(key, "").strip() for key in KEYS}


def _nothing(said: dict[str, str]) -> Row:
    asked = {key: value for key, value in said.items() if value}
    return {"said": said, "found": None, "problem": None, "query": urlencode(asked)}


def _of_listed(found: Row) -> list[Subject]:
    return [subject(row) for row in found["listed"]]
