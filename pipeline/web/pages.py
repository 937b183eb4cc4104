"""The pages: search, a user, a visit, a request. Each asks the look-up within the actor's scope, notes it, then shows.

What is out of scope is not found; it is answered as what does not exist is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from pipeline.audit import Subject
from pipeline.lookup import find_users, request_story, user_story, visit_story
from pipeline.lookup.rows import Row
from pipeline.plain import csv_text, json_text
from pipeline.settings import Settings
from pipeline.web.access import Actor, Capability
from pipeline.web.looks import Looks
from pipeline.web.safety import read_form
from pipeline.web.scopes import Scopes
from pipeline.web.signin import path_here

_WEEKS = 26
_NOTHING = "There is nothing of that name here, or not in your Businesses."
_IN_FILES = (
    "occurred_at", "kind", "method", "status", "duration_ms", "usual_ms", "host", "path", "route", "event",
    "event_label", "gap_s", "linked_by", "request_id",
)  # fmt: skip


class Pages:
    """What answers requests, once who asks is known."""

    def __init__(self, settings: Settings, templates: Jinja2Templates, looks: Looks) -> None:
        """Open nothing yet.

        Args:
            settings: where the warehouse is.
            templates: the pages' templates.
            looks: writes looks down.
        """
        self._settings, self._templates, self._looks = settings, templates, looks
        self._scopes = Scopes(settings)

    def routes(self) -> list[Route]:
        """Every page with its address."""
        return [
            Route("/", self.search),
            Route("/why", self.give_why, methods=["POST"]),
            Route("/user/{user_id:path}/reveal", self.reveal, methods=["POST"]),
            Route("/user/{user_id:path}", self.user),
            Route("/visit/{visit_id}.{kind:str}", self.visit_file),
            Route("/visit/{visit_id}", self.visit),
            Route("/request/{request_id}", self.request),
        ]

    def search(self, request: Request) -> Response:
        """Find people by what is asked; leads on to the only one, or to a visit or request named by its id."""
        actor = _allowed(request, "search")
        asked = request.query_params.get("q", "").strip()
        if "why" in request.query_params:
            self._looks.give_why(actor, request.query_params["why"])
        if not asked:
            return self._page(request, "search.html", {"asked": "", "found": None})
        if self._looks.lacks_why(actor):
            return self._page(request, "search.html", {"asked": asked, "found": None, "lacks_why": True}, 400)
        with self._scopes.ask(actor.businesses) as connection:
            for kind, story in (("visit", visit_story), ("request", self._request_story)):
                if story(connection, asked):
                    return RedirectResponse(f"/{kind}/{asked}", 303)
            found = find_users(connection, asked)
        self._looks.note(actor, "search", "", map(_subject, found), bool(found))
        return self._page(request, "search.html", {"asked": asked, "found": found})

    async def give_why(self, request: Request) -> Response:
        """Take the reason that a page asked for first, and lead back to it."""
        form = await read_form(request)
        self._looks.give_why(_allowed(request, "search"), form.get("why", ""))
        return RedirectResponse(path_here(form.get("next", "")), 303)

    def user(self, request: Request) -> Response:
        """Who somebody is, and what happened to them."""
        return self._user(request, "user")

    def reveal(self, request: Request) -> Response:
        """The same, with what is masked."""
        return self._user(request, "reveal")

    def _user(self, request: Request, action: Capability) -> Response:
        actor = _allowed(request, action)
        asked = request.path_params["user_id"]
        return self._look(
            request,
            action,
            lambda connection: user_story(connection, asked, visits=50),
            lambda user: [_subject(user)],
            lambda user: self._page(
                request,
                "user.html",
                {
                    "user": user,
                    "weeks": _strip(user["days"]),
                    "is_masked": actor.role == "support" and action == "user",
                },
            ),
        )

    def visit(self, request: Request) -> Response:
        """A visit, act by act."""
        return self._look(
            request,
            "visit",
            lambda connection: visit_story(connection, request.path_params["visit_id"]),
            _of_visit,
            lambda visit: self._page(request, "visit.html", {"visit": visit}),
        )

    def visit_file(self, request: Request) -> Response:
        """A visit as a file to keep."""
        kind = request.path_params["kind"]
        if kind not in ("csv", "json"):
            raise HTTPException(404, _NOTHING)
        return self._look(
            request,
            "export",
            lambda connection: visit_story(connection, request.path_params["visit_id"]),
            _of_visit,
            lambda visit: _file(visit, kind),
        )

    def request(self, request: Request) -> Response:
        """A request explained."""
        return self._look(
            request,
            "request",
            lambda connection: self._request_story(connection, request.path_params["request_id"]),
            lambda story: [_subject(story["act"] or story["request"])],
            lambda story: self._page(
                request,
                "request.html",
                {name: story[name] for name in ("act", "link", "correction", "lines")}
                | {"request_row": story["request"], "is_masked": not _actor(request).may("raw_line")},
            ),
        )

    def _request_story(self, connection: Any, request_id: str) -> Row | None:
        return request_story(connection, self._settings, request_id)

    def _look(
        self,
        request: Request,
        action: Capability,
        ask: Callable[[Any], Row | None],
        whom: Callable[[Row], list[Subject]],
        show: Callable[[Row], Response],
    ) -> Response:
        """Ask, write down who looks at whom, and only then show; what is not found is written down, too."""
        actor = _allowed(request, action)
        if self._looks.lacks_why(actor):
            return self._page(request, "why.html", {"next": request.url.path}, 403)
        with self._scopes.ask(actor.businesses) as connection:
            found = ask(connection)
        if found is None:
            self._looks.note(actor, action, is_shown=False)
            raise HTTPException(404, _NOTHING)
        answer = show(found)
        self._looks.note(actor, action, _target(request, action), whom(found))
        return answer

    def _page(self, request: Request, template: str, values: Row, status: int = 200) -> Response:
        actor = _actor(request)
        known = {"why": self._looks.why(actor) or "", "must_say_why": self._settings.ask_why}
        return self._templates.TemplateResponse(request, template, known | values, status)


def _allowed(request: Request, what: Capability) -> Actor:
    actor = _actor(request)
    if not actor.may(what):
        raise HTTPException(403, f"Your role, {actor.role}, may not see this.")
    return actor


def _actor(request: Request) -> Actor:
    actor: Actor = request.state.actor
    return actor


def _target(request: Request, action: str) -> str:
    """The visit or request looked at; a user's id stands hashed among the subjects."""
    return "" if action in ("user", "reveal") else next(iter(request.path_params.values()))


def _subject(row: Row) -> Subject:
    businesses = row["business_ids"] if "business_ids" in row else [row["business_id"]]
    return Subject(row["user_id"], tuple(business for business in businesses if business))


def _of_visit(visit: Row) -> list[Subject]:
    return [_subject(visit)]


def _file(visit: Row, kind: str) -> Response:
    name = f'attachment; filename="visit-{visit["visit_id"]}.{kind}"'
    if kind == "csv":
        text, media = csv_text(visit["acts_in_order"], _IN_FILES), "text/csv"
    else:
        text, media = json_text(visit), "application/json"
    return PlainTextResponse(text, headers={"Content-Disposition": name}, media_type=media)


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
