"""The shell around every page: headers, limits, no requests on behalf of other sites, errors that tell nothing.

Who asks is found by a function that is given; what a page shows does not belong here.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.enrich.addresses import client_address, read_address
from pipeline.settings import IpNetwork, SettingError
from pipeline.web.access import Actor

_LOG = logging.getLogger("trail")
STATIC = "/static/"
LONGEST_TARGET = 4_096
LARGEST_BODY = 64 * 1024
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
Who = Callable[[Request], Actor | None]
Refuse = Callable[[Request, HTTPException], Response]


def plain_refusal(request: Request, refused: HTTPException) -> Response:  # noqa: ARG001 what a handler is given
    """Answer a refused request with its reason as plain text."""
    return PlainTextResponse(refused.detail, refused.status_code, refused.headers)


def safety_middleware(who: Who, proxies: Sequence[IpNetwork], refuse: Refuse = plain_refusal) -> list[Middleware]:
    """Return the middleware of the application, all of it.

    Args:
        who: tells who asks, or raises HTTPException; it is asked before every page. An endpoint finds what it tells
            as `request.state.actor`, which is None only on pages that need no sign-in.
        proxies: networks of proxies whose word on scheme and host is believed.
        refuse: makes the answer to a request that never reaches an endpoint; it may be the application's handler of
            HTTPException.
    """
    return [
        Middleware(Shell, who=who, proxies=proxies, refuse=refuse),
        Middleware(RequestBodyLimitMiddleware, max_body_size=LARGEST_BODY),
    ]


def server_options(web_address: str) -> dict[str, Any]:
    """Return what uvicorn is to be run with, so that nothing of it undoes what is done here.

    Args:
        web_address: the setting: host and port.

    Raises:
        SettingError: it is no host and port.
    """
    host, port = host_and_port(web_address)
    return {
        "host": host,
        "port": port,
        "proxy_headers": False,  # it would put a forwarded address in the place of the one that sign-in trusts
        "server_header": False,
        "access_log": False,  # it would write down whom somebody searched for
        "http": "h11",  # it limits the size of headers
        "ws": "none",
        "workers": 1,  # sessions and counts are in the memory of one process
        "limit_concurrency": 200,
    }


def host_and_port(web_address: str) -> tuple[str, int]:
    """Split the setting `web_address`.

    Raises:
        SettingError: it is no host and port.
    """
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})", web_address)
    if found is None or not int(found[3]) < 65_536:
        raise SettingError(f"web_address is {web_address!r}; it must be a host and port such as 127.0.0.1:8320")
    return found[1] or found[2], int(found[3])


def is_from(request: Request, networks: Sequence[IpNetwork]) -> bool:
    """Whether the connecting address, whatever headers say, is in one of the networks."""
    address = read_address(request.client.host) if request.client else None
    return address is not None and any(address in network for network in networks)


def address_of(request: Request, proxies: Sequence[IpNetwork]) -> str:
    """Return the client's address: the first that is no proxy, from the connecting one back along the forwarded."""
    peer = request.client.host if request.client else ""
    return client_address(peer, ",".join(request.headers.getlist("x-forwarded-for")), proxies)


def own_origin(request: Request, proxies: Sequence[IpNetwork]) -> str:
    """Return the origin that the browser knows this site by, such as `https://trail.example.net`."""
    scheme, host = request.scope["scheme"], request.headers.get("host", "")
    if is_from(request, proxies):
        scheme = _nearest(request, "x-forwarded-proto") or scheme
        host = _nearest(request, "x-forwarded-host") or host
    return f"{scheme}://{host}".lower()


def _nearest(request: Request, header: str) -> str:
    return ",".join(request.headers.getlist(header)).rpartition(",")[2].strip()


async def read_form(request: Request) -> ImmutableMultiDict[str, str]:
    """Read the fields of a form that was sent.

    Raises:
        HTTPException: 400, it is none.
    """
    try:
        fields = parse_qsl((await request.body()).decode(), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:
        raise HTTPException(400, "What was sent is no form.") from error
    return ImmutableMultiDict(fields)


class Shell:
    """ASGI middleware: refuses what no page should see, asks who it is, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp, who: Who, proxies: Sequence[IpNetwork], refuse: Refuse) -> None:
        self._app = app
        self._who = who
        self._proxies = proxies
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(Request(scope, receive), send)
        else:  # a websocket, which nothing here uses and another site could open
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, request: Request, send: Send) -> None:
        has_started = False

        async def send_safely(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                _put_headers(message, request.scope["path"])
            await send(message)

        try:
            app = self._refused(request) or self._app
            await app(request.scope, request.receive, send_safely)
        except Exception:
            number = secrets.token_hex(4)
            # The path is left out: it says whom somebody looked at.
            _LOG.exception("error %s on a page, %s", number, request.method)
            if not has_started:
                text = f"Something went wrong here. It is in Trail's log as error {number}."
                await PlainTextResponse(text, 500)(request.scope, request.receive, send_safely)

    def _refused(self, request: Request) -> Response | None:
        """Return the answer to a request that may not go on; else note who asks."""
        request.state.actor = None
        try:
            if len(request.scope["raw_path"]) + len(request.scope["query_string"]) > LONGEST_TARGET:
                raise HTTPException(414, "This address is too long.")
            if request.method not in ("GET", "HEAD") and not self._is_from_own_page(request):
                raise HTTPException(403, "This did not come from a page of this site. Open the page and try again.")
            request.state.actor = self._who(request)
        except HTTPException as refused:
            if refused.status_code < 400:
                return Response(None, refused.status_code, refused.headers)
            return self._refuse(request, refused)
        return None

    def _is_from_own_page(self, request: Request) -> bool:
        """Whether a browser says so: where it says nothing, it is none, or one too old to be asked."""
        if sites := request.headers.getlist("sec-fetch-site"):
            return sites in (["same-origin"], ["none"])
        return request.headers.getlist("origin") == [own_origin(request, self._proxies)]


def _put_headers(start: Message, path: str) -> None:
    headers = MutableHeaders(scope=start)
    for name, value in HEADERS.items():
        headers[name] = value
    if path.startswith(STATIC) and start["status"] < 400:
        headers.setdefault("Cache-Control", "no-cache")  # kept, and asked about each time
    else:
        headers["Cache-Control"] = "no-store"
