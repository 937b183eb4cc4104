"""The web application as a whole: pages, files, sign-in and the shell around them."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from pipeline.features import catalogue_of
from pipeline.page_templates import template_environment
from pipeline.settings import Settings
from pipeline.web.look_pages import LookPages
from pipeline.web.looks import Looks
from pipeline.web.pages import Pages
from pipeline.web.period_pages import PeriodPages
from pipeline.web.privacy_pages import PrivacyPages
from pipeline.web.safety import safety_middleware
from pipeline.web.showing import Showing
from pipeline.web.shown import FILTERS
from pipeline.web.signin import SignIn, signin_routes


def make_app(settings: Settings) -> Starlette:
    """Make the web application.

    Args:
        settings: where the warehouse is, how people sign in, and who may see what.

    Raises:
        SettingError: a setting, the `access` file or the features' catalogue cannot be used.
    """
    catalogue_of(settings)
    looks = Looks(settings)
    sign_in = SignIn(settings, looks.note_sign_in)
    templates = _templates(sign_in.mode)
    showing = Showing(settings, templates, looks)

    def refuse(request: Request, refused: Exception) -> Response:
        assert isinstance(refused, HTTPException)
        values = {"status": refused.status_code, "problem": refused.detail}
        return templates.TemplateResponse(request, "refused.html", values, refused.status_code, refused.headers)

    return Starlette(
        routes=[
            *Pages(showing).routes(),
            *PeriodPages(showing).routes(),
            *LookPages(showing).routes(),
            *PrivacyPages(showing).routes(),
            *signin_routes(sign_in, templates),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ],
        middleware=safety_middleware(sign_in.who, settings.sign_in_proxies, refuse),
        exception_handlers={HTTPException: refuse},
    )


def _templates(mode: str) -> Jinja2Templates:
    environment = template_environment("pipeline.web", FILTERS)
    environment.globals["mode"] = mode
    return Jinja2Templates(env=environment)
