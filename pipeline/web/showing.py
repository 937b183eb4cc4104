"""What every page does: ask within the actor's scope, write down who looks at whom, and only then show.

What each page asks and shows is in `pages.py` and `period_pages.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import duckdb
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.templating import Jinja2Templates

from pipeline.audit import Subject
from pipeline.features import NO_FEATURES, Catalogue, CatalogueError, catalogue_of
from pipeline.lookup.rows import Row
from pipeline.plain import csv_text, json_text
from pipeline.settings import Settings
from pipeline.web.access import Actor, Capability
from pipeline.web.looks import Looks
from pipeline.web.scopes import Scopes

_LOG = logging.getLogger("trail")
_MEDIA = {"csv": "text/csv", "json": "application/json"}
NOTHING = "There is nothing of that name here, or not in your Businesses."


class Showing:
    """Asks, notes and shows for the pages."""

    def __init__(self, settings: Settings, templates: Jinja2Templates, looks: Looks) -> None:
        """Open nothing yet.

        Args:
            settings: where the warehouse is.
            templates: the pages' templates.
            looks: writes looks down.
        """
        self.settings, self.looks = settings, looks
        self._templates = templates
        self._scopes = Scopes(settings)

    def ask(self, actor: Actor) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Give a connection to what somebody may see."""
        return self._scopes.ask(actor.businesses)

    def catalogue(self) -> Catalogue:
        """The service's features; none while the file that says them cannot be used, which keeps nobody from a page."""
        try:
            return catalogue_of(self.settings)
        except CatalogueError as error:
            _LOG.warning("%s", error)
            return NO_FEATURES

    def look(
        self,
        request: Request,
        action: Capability,
        ask: Callable[[duckdb.DuckDBPyConnection], Row | None],
        whom: Callable[[Row], list[Subject]],
        show: Callable[[Row], Response],
        target: str = "",
    ) -> Response:
        """Ask, write down who looks at whom, and only then show; what is not found is written down, too.

        Args:
            request: what was asked for.
            action: what kind of look it is, which their role must allow.
            ask: what to ask; None is nothing.
            whom: whom the answer shows.
            show: makes the page.
            target: what is noted as looked at; never a name or an address.
        """
        actor = allowed(request, action)
        if self.looks.lacks_why(actor):
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return self.page(request, "why.html", {"next": here}, 403)
        with self.ask(actor) as connection:
            found = ask(connection)
        if found is None:
            self.looks.note(actor, action, is_shown=False)
            raise HTTPException(404, NOTHING)
        answer = show(found)
        self.looks.note(actor, action, target, whom(found))
        return answer

    def page(self, request: Request, template: str, values: Row, status: int = 200) -> Response:
        """Make a page of a template."""
        actor = actor_of(request)
        known = {"why": self.looks.why(actor) or "", "must_say_why": self.settings.ask_why}
        return self._templates.TemplateResponse(request, template, known | values, status)


def allowed(request: Request, what: Capability) -> Actor:
    """Return who asks.

    Raises:
        HTTPException: 403, their role may not.
    """
    actor = actor_of(request)
    if not actor.may(what):
        raise HTTPException(403, f"Your role, {actor.role}, may not see this.")
    return actor


def actor_of(request: Request) -> Actor:
    """Return who asks."""
    actor: Actor = request.state.actor
    return actor


def subject(row: Row) -> Subject:
    """Whom a row of a user, a visit or an act concerns."""
    businesses = row["business_ids"] if "business_ids" in row else [row["business_id"]]
    return Subject(row["user_id"], tuple(business for business in businesses if business))


def file_kind(request: Request) -> str:
    """Return which file is asked for, csv or json.

    Raises:
        HTTPException: 404, another.
    """
    kind: str = request.path_params["kind"]
    if kind not in _MEDIA:
        raise HTTPException(404, NOTHING)
    return kind


def download(name: str, kind: str, rows: Sequence[Row], columns: Sequence[str], whole: Any = None) -> Response:
    """Make a file to keep.

    Args:
        name: of the file, made of Trail's own words and ids.
        kind: csv or json.
        rows: what it lists.
        columns: which of their columns a CSV file has.
        whole: what a JSON file holds; the rows where None.
    """
    text = csv_text(rows, columns) if kind == "csv" else json_text(rows if whole is None else whole)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return PlainTextResponse(text, headers=headers, media_type=_MEDIA[kind])
