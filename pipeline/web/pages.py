"""Pages about a person: search, a user, a visit, a visit beside a healthy one, a request.

What is out of scope is not found; it is answered as what does not exist is.
"""

from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import urlencode

import duckdb
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pipeline.audit import Subject
from pipeline.lookup import (
    find_users,
    healthy_visit,
    request_story,
    requests_of_reference,
    user_story,
    users_at,
    visit_story,
)
from pipeline.lookup.questions import read_typed
from pipeline.lookup.rows import Row
from pipeline.lookup.traces import read_address
from pipeline.web.access import Capability
from pipeline.web.safety import read_form
from pipeline.web.showing import Showing, actor_of, allowed, download, file_kind, subject
from pipeline.web.signin import path_here

_WEEKS = 26
_IN_FILES = (
    "occurred_at", "kind", "method", "status", "duration_ms", "usual_ms", "host", "path", "route", "event",
    "event_label", "features", "gap_s", "linked_by", "request_id",
)  # fmt: skip


class Pages:
    """What answers requests about a person, once who asks is known."""

    def __init__(self, showing: Showing) -> None:
        """Open nothing yet.

        Args:
            showing: asks, notes and shows.
        """
        self._showing = showing

    def routes(self) -> list[Route]:
        """Every page with its address."""
        return [
            Route("/", self.search),
            Route("/why", self.give_why, methods=["POST"]),
            Route("/user/{user_id:path}/reveal", self.reveal, methods=["POST"]),
            Route("/user/{user_id:path}", self.user),
            Route("/visit/{visit_id}.{kind:str}", self.visit_file),
            Route("/visit/{visit_id}/beside", self.beside),
            Route("/visit/{visit_id}", self.visit),
            Route("/request/{request_id}", self.request),
        ]

    def search(self, request: Request) -> Response:
        """Find people by what is asked; an id leads on to its visit or request, a path to who met it."""
        actor = allowed(request, "search")
        asked = request.query_params.get("q", "").strip()
        looks = self._showing.looks
        if "why" in request.query_params:
            looks.give_why(actor, request.query_params["why"])
        if not asked:
            return self._showing.page(request, "search.html", {"asked": "", "found": None})
        if looks.lacks_why(actor):
            return self._showing.page(request, "search.html", {"asked": asked, "found": None, "lacks_why": True}, 400)
        if typed := read_typed(asked):
            return RedirectResponse(f"/affected?{urlencode(typed)}", 303)
        with self._showing.ask(actor) as connection:
            for kind, story in (("visit", visit_story), ("request", self._request_story)):
                if story(connection, asked):
                    return RedirectResponse(f"/{kind}/{asked}", 303)
            address = read_address(asked)
            found = users_at(connection, address) if address else find_users(connection, asked)
            referred = [] if found or address else requests_of_reference(connection, asked)
        looks.note(actor, "search", "", map(subject, [*found, *referred]), bool(found or referred))
        if len(referred) == 1:
            return RedirectResponse(f"/request/{referred[0]['request_id']}", 303)
        return self._showing.page(request, "search.html", {"asked": asked, "found": found, "referred": referred})

    async def give_why(self, request: Request) -> Response:
        """Take the reason that a page asked for first, and lead back to it."""
        form = await read_form(request)
        self._showing.looks.give_why(allowed(request, "search"), form.get("why", ""))
        return RedirectResponse(path_here(form.get("next", "")), 303)

    def user(self, request: Request) -> Response:
        """Who somebody is, and what happened to them."""
        return self._user(request, "user")

    def reveal(self, request: Request) -> Response:
        """The same, with what is masked."""
        return self._user(request, "reveal")

    def _user(self, request: Request, action: Capability) -> Response:
        asked = request.path_params["user_id"]
        is_masked = actor_of(request).role == "support" and action == "user"
        return self._showing.look(
            request,
            action,
            lambda connection: user_story(connection, asked, 50, self._showing.catalogue()),
            lambda user: [subject(user)],
            lambda user: self._showing.page(
                request, "user.html", {"user": user, "weeks": _strip(user["days"]), "is_masked": is_masked}
            ),
        )

    def visit(self, request: Request) -> Response:
        """A visit, act by act."""
        visit_id = request.path_params["visit_id"].strip()
        return self._showing.look(
            request,
            "visit",
            lambda connection: visit_story(connection, visit_id, self._showing.catalogue()),
            _of_visit,
            lambda visit: self._showing.page(request, "visit.html", {"visit": visit, "entries": _folded(visit)}),
            visit_id,
        )

    def beside(self, request: Request) -> Response:
        """A visit beside a healthy one of somebody else."""
        visit_id = request.path_params["visit_id"].strip()

        def ask(connection: duckdb.DuckDBPyConnection) -> Row | None:
            visit = visit_story(connection, visit_id)
            return visit and {"visit": visit, "beside": healthy_visit(connection, visit)}

        return self._showing.look(
            request,
            "errors",
            ask,
            _of_both,
            lambda found: self._showing.page(request, "beside.html", found),
            visit_id,
        )

    def visit_file(self, request: Request) -> Response:
        """A visit as a file to keep."""
        visit_id, kind = request.path_params["visit_id"].strip(), file_kind(request)
        return self._showing.look(
            request,
            "export",
            lambda connection: visit_story(connection, visit_id, self._showing.catalogue()),
            _of_visit,
            lambda visit: download(f"visit-{visit['visit_id']}", kind, visit["acts_in_order"], _IN_FILES, visit),
            visit_id,
        )

    def request(self, request: Request) -> Response:
        """A request explained."""
        request_id = request.path_params["request_id"].strip()
        return self._showing.look(
            request,
            "request",
            lambda connection: self._request_story(connection, request_id),
            lambda story: [subject(story["act"] or story["request"])],
            lambda story: self._showing.page(
                request,
                "request.html",
                # `request` is the browser's in every template.
                {name: value for name, value in story.items() if name != "request"}
                | {"request_row": story["request"], "is_masked": not actor_of(request).may("raw_line")},
            ),
            request_id,
        )

    def _request_story(self, connection: duckdb.DuckDBPyConnection, request_id: str) -> Row | None:
        return request_story(connection, self._showing.settings, request_id)


def _of_visit(visit: Row) -> list[Subject]:
    return [subject(visit)]


def _of_both(found: Row) -> list[Subject]:
    visits = [found["visit"], *([found["beside"]["healthy"]] if found["beside"] else [])]
    return [subject(visit) for visit in visits]


def _folded(visit: Row) -> list[Row]:
    """Put API acts under the page that made them; each other act is an entry of its own."""
    entries: dict[str, Row] = {}
    for act in visit["acts_in_order"]:
        if act["made_by"] is None:
            entries[act["request_id"]] = {"act": act, "calls": []}
        else:
            entries[act["made_by"]]["calls"].append(act)
    return list(entries.values())


def _strip(days: list[Row]) -> list[list[Row]]:
    """Lay the last half year before somebody's last day out in weeks of seven days, Monday first."""
    if not days:
        return []
    acts: dict[date, Row] = {}
    for day in days:
        seen = acts.setdefault(day["date"], {"date": day["date"], "requests": 0, "errors": 0})
        seen["requests"] += day["requests"]
        seen["errors"] += day["errors"]
    last = max(acts)
    monday = last - timedelta(days=last.weekday(), weeks=_WEEKS - 1)
    weeks = [[monday + timedelta(weeks=week, days=day) for day in range(7)] for week in range(_WEEKS)]
    return [[_cell(day, acts.get(day)) for day in week] for week in weeks]


def _cell(day: date, acts: Row | None) -> Row:
    requests = acts["requests"] if acts else 0
    level = 0 if not requests else 1 + (requests > 10) + (requests > 40) + (requests > 150)
    return {"date": day, "requests": requests, "errors": acts["errors"] if acts else 0, "level": level}
