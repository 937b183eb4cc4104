"""Who is signed in: nobody needs to be on this machine only, a proxy says so, or a local account's password does.

What somebody may see is in `access.py`; what is written down about it is done by who is told, `on_sign_in`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from pipeline.enrich.addresses import read_address
from pipeline.settings import IpNetwork, SettingError
from pipeline.web.access import AccessError, AccessFile, Actor, Person
from pipeline.web.passwords import NOBODYS, matches
from pipeline.web.safety import LONGEST_TARGET, STATIC, address_of, host_and_port, is_from, own_origin, read_form
from pipeline.web.sessions import Attempts, Clock, Sessions

_LOG = logging.getLogger("trail")
SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
FAILURES_OF_NAME, FAILURES_OF_ADDRESS, FAILURE_SECONDS = 5, 20, 15 * 60
_AT_A_TIME = 2  # each hash takes 32 MiB and a core
_LONGEST_NAME = 254
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_LOOPBACK: tuple[IpNetwork, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))

Outcome = Literal["signed_in", "refused", "limited", "signed_out"]
OnSignIn = Callable[[str, Outcome], None]


class WebSettings(Protocol):
    """The settings that sign-in reads."""

    @property
    def sign_in(self) -> str:
        """How people sign in: none, proxy or accounts."""

    @property
    def sign_in_header(self) -> str:
        """The header in which the proxy names who is signed in."""

    @property
    def sign_in_proxies(self) -> tuple[IpNetwork, ...]:
        """Networks of proxies that are believed."""

    @property
    def access(self) -> Path | None:
        """The file of who may see what."""

    @property
    def web_address(self) -> str:
        """Host and port to listen on."""


class SignIn:
    """Tells who asks for a page, by the mode that is set."""

    def __init__(self, settings: WebSettings, on_sign_in: OnSignIn, clock: Clock = time.monotonic) -> None:
        """Check the settings and read the `access` file.

        Args:
            settings: what is configured.
            on_sign_in: told of every attempt with a password, and of signing out; the name is as typed, cut to 254
                characters. It is called before somebody is let in: where it raises, they are not.
            clock: the time, in seconds that only grow.

        Raises:
            SettingError: a mode cannot be as the other settings are, with the setting's name; or the `access` file
                cannot be used, with the person and key.
        """
        access = _check(settings)
        self.mode = settings.sign_in
        self.proxies = settings.sign_in_proxies
        self._header = settings.sign_in_header.lower().encode("latin-1")
        self._on_sign_in = on_sign_in
        self._access = AccessFile(access, self.mode == "accounts") if access else None
        self._last_error = ""
        self._sessions = Sessions(clock)
        self._of_name = Attempts(FAILURES_OF_NAME, FAILURE_SECONDS, clock)
        self._of_address = Attempts(FAILURES_OF_ADDRESS, FAILURE_SECONDS, clock)
        self._turns = asyncio.Semaphore(_AT_A_TIME)

    def who(self, request: Request) -> Actor | None:
        """Tell who asks for a page.

        Returns:
            Who it is; None where the page is for everybody.

        Raises:
            HTTPException: 303 to the sign-in page, 401 not signed in, 403 signed in and may see nothing, 503 nobody
                knows who may.
        """
        if self.mode == "none":
            return _local(request)
        path = request.scope["path"]
        if path.startswith(STATIC) or (self.mode == "accounts" and path in (SIGN_IN, SIGN_OUT)):
            return None
        if self.mode == "proxy":
            return self._named_by_proxy(request)
        actor = self._of_session(request)
        if actor is None:
            raise _sign_in_first(request)
        return actor

    def _named_by_proxy(self, request: Request) -> Actor:
        names = [value for key, value in request.headers.raw if key == self._header]
        name = _readable(names[0]) if len(names) == 1 and is_from(request, self.proxies) else ""
        if not name:
            raise HTTPException(401, "You are not signed in. Open Trail through the page where your team signs in.")
        person = self._people().get(name)
        if person is None:
            raise HTTPException(
                403, f"You are signed in as {name}, whom Trail does not know. Ask who runs Trail to add that name."
            )
        return person.actor

    def _of_session(self, request: Request) -> Actor | None:
        token = request.cookies.get(self._cookie(request), "")
        session = self._sessions.find(token)
        if session is None:
            return None
        person = self._people().get(session.name)
        if person is None or person.password != session.password:
            self._sessions.close(token)
            return None
        return person.actor

    def _people(self) -> Mapping[str, Person]:
        assert self._access is not None
        try:
            people = self._access.people()
        except AccessError as error:
            if str(error) != self._last_error:  # once, not for each page that is asked for
                _LOG.error("nobody can use Trail's pages: %s", error)
            self._last_error = str(error)
            text = "Trail cannot read who may see what, so it shows nothing. Tell who runs Trail."
            raise HTTPException(503, text) from error
        self._last_error = ""
        return people

    async def sign_in(self, request: Request, name: str, password: str) -> str | int | None:
        """Try a name and a password.

        Args:
            request: which brings them.
            name: as typed.
            password: as typed.

        Returns:
            The token of a new session; for how many seconds nothing may be tried, if so; None where name and password
            do not fit, whichever of them is wrong.

        Raises:
            HTTPException: 503, nobody knows who may.
        """
        name = name[:_LONGEST_NAME]
        address = _household(address_of(request, self.proxies))
        person = self._people().get(name)
        hashed = person.password if person else None
        if wait := max(self._of_name.wait(name), self._of_address.wait(address)):
            self._on_sign_in(name, "limited")
            return wait
        # Counted before it is known to fail: many that are sent at once must not all be tried.
        self._of_name.count(name)
        self._of_address.count(address)
        async with self._turns:
            fits = await asyncio.to_thread(matches, password, hashed or NOBODYS)
        if hashed is None or not fits:
            self._on_sign_in(name, "refused")
            return None
        self._on_sign_in(name, "signed_in")
        self._of_name.forget(name)
        self._of_address.take_back(address)
        self.end_session(request)
        return self._sessions.open(name, hashed)

    def end_session(self, request: Request) -> None:
        """End the session whose cookie a request brings, if it does."""
        self._sessions.close(request.cookies.get(self._cookie(request), ""))

    def sign_out(self, request: Request) -> Response:
        """End the session, also while nobody knows who may see what, and lead to the sign-in page."""
        session = self._sessions.find(request.cookies.get(self._cookie(request), ""))
        if session is not None:
            self._on_sign_in(session.name, "signed_out")
        self.end_session(request)
        response = RedirectResponse(SIGN_IN, 303)
        response.delete_cookie(
            self._cookie(request), secure=self._is_secure(request), httponly=True, samesite="lax", path="/"
        )
        return response

    def is_signed_in(self, request: Request) -> bool:
        """Whether a request has a session, on the sign-in page itself."""
        return self._of_session(request) is not None

    def let_in(self, request: Request, token: str, path: str) -> Response:
        """Return the answer that gives the browser its token and leads to a path."""
        response = RedirectResponse(path, 303)
        # Lax, not Strict: a link in a ticket should open signed in, and no GET changes anything.
        response.set_cookie(
            self._cookie(request), token, secure=self._is_secure(request), httponly=True, samesite="lax", path="/"
        )
        return response

    def _is_secure(self, request: Request) -> bool:
        return own_origin(request, self.proxies).startswith("https://")

    def _cookie(self, request: Request) -> str:
        return "__Host-trail" if self._is_secure(request) else "trail"


def signin_routes(sign_in: SignIn, templates: Jinja2Templates) -> list[Route]:
    """Return the pages to sign in and out; none where that is not done here.

    Args:
        sign_in: tells who asks.
        templates: has `sign_in.html` and the `page.html` that it extends.
    """

    def page(request: Request, path: str, status: int, problem: str = "", wait: int = 0) -> Response:
        headers = {"Retry-After": str(wait)} if wait else None
        return templates.TemplateResponse(request, "sign_in.html", {"next": path, "problem": problem}, status, headers)

    async def show(request: Request) -> Response:
        path = path_here(request.query_params.get("next", ""))
        return RedirectResponse(path, 303) if sign_in.is_signed_in(request) else page(request, path, 200)

    async def enter(request: Request) -> Response:
        form = await read_form(request)
        path = path_here(form.get("next", ""))
        result = await sign_in.sign_in(request, form.get("name", "").strip(), form.get("password", ""))
        if isinstance(result, str):
            return sign_in.let_in(request, result, path)
        if result is None:
            return page(request, path, 401, "Name and password do not fit.")
        return page(request, path, 429, f"Too many attempts. Try again in {result // 60 + 1} minutes.", result)

    async def leave(request: Request) -> Response:
        return sign_in.sign_out(request)

    if sign_in.mode != "accounts":
        return []
    return [
        Route(SIGN_IN, show, methods=["GET"]),
        Route(SIGN_IN, enter, methods=["POST"]),
        Route(SIGN_OUT, leave, methods=["POST"]),
    ]


def path_here(text: str) -> str:
    """Return a text if it is a path on this site, whatever a browser makes of it; else the first page's path."""
    is_here = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if is_here else "/"


def _sign_in_first(request: Request) -> HTTPException:
    # A script would take the sign-in page for what it asked for.
    is_page = request.method in ("GET", "HEAD") and request.headers.get("sec-fetch-dest", "document") == "document"
    if not is_page:
        return HTTPException(401, "You are not signed in, or no longer. Sign in and try again.")
    asked = request.scope["raw_path"].decode("latin-1")
    if query := request.scope["query_string"].decode("latin-1"):
        asked += f"?{query}"
    target = f"{SIGN_IN}?{urlencode({'next': asked}, encoding='latin-1')}"
    return HTTPException(303, headers={"Location": target if len(target) <= LONGEST_TARGET else SIGN_IN})


def _local(request: Request) -> Actor:
    """Return who is on this machine; refuse what comes through a proxy, or by another site's name for this address."""
    if not (is_from(request, _LOOPBACK) and _is_loopback(request.headers.get("host", ""))):
        raise HTTPException(403, "Trail answers here as localhost only: nobody needs to sign in, so nobody else may.")
    if any(header in request.headers for header in _FORWARDED):
        raise HTTPException(403, "This came through a proxy, and nobody needs to sign in. Set sign_in to proxy.")
    return Actor("local", "engineer", None)


def _check(settings: WebSettings) -> Path | None:
    """Return the `access` file of a mode that needs one.

    Raises:
        SettingError: the mode cannot be as the other settings are.
    """
    host, _ = host_and_port(settings.web_address)
    if settings.sign_in == "none":
        if not _is_loopback(host):
            raise SettingError(
                f"web_address is {settings.web_address!r}; it must be a loopback address such as 127.0.0.1:8320 while "
                "sign_in is none, or everybody would see everything: set sign_in to proxy or accounts"
            )
        return None
    if settings.sign_in not in ("proxy", "accounts"):
        raise SettingError(f"sign_in is {settings.sign_in!r}; it must be none, proxy or accounts")
    if settings.access is None:
        raise SettingError(
            f"access is absent; it must be the file of who may see what while sign_in is {settings.sign_in}"
        )
    if settings.sign_in == "proxy" and not settings.sign_in_proxies:
        raise SettingError("sign_in_proxies is empty; it must be the networks of your proxies while sign_in is proxy")
    if not settings.sign_in_proxies and not _is_loopback(host):
        _LOG.warning(
            "passwords cross the network unencrypted: put a proxy with TLS before it, named in sign_in_proxies"
        )
    return settings.access


def _is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine only."""
    address = read_address(host)
    return host.lower().partition(":")[0] == "localhost" or (address is not None and address.is_loopback)


def _readable(name: bytes) -> str:
    """Return a name as the proxy sent it; empty where it cannot be one."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""


def _household(address: str) -> str:
    """Return what an address is counted as: of IPv6, everybody has a network of 64 bits to choose from."""
    ip = read_address(address)
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip is not None and ip.version == 6 else address
