"""What tests of the support page share: a real server on the loopback, a browser of few words, and settings."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import uvicorn
from starlette.types import ASGIApp

from pipeline.settings import IpNetwork
from pipeline.web.safety import server_options

LOOPBACK = "127.0.0.1"
PAGE = "<!doctype html><title>{% block title %}{% endblock %}</title><main>{% block content %}{% endblock %}</main>"


@dataclass(frozen=True)
class Web:
    """The settings that the page reads."""

    sign_in: str = "none"
    sign_in_header: str = "X-Forwarded-Email"
    sign_in_proxies: tuple[IpNetwork, ...] = ()
    access: Path | None = None
    web_address: str = "127.0.0.1:8320"


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: str


@dataclass
class Browser:
    """Asks one server for pages and keeps its cookies; a form is sent as one of the server's own pages sends it."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"", said: int = -1) -> Answer:
        """Send exactly these headers, and what every request must have where they lack it."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=20)
        given = {name.lower() for name, _ in headers}
        try:
            connection.putrequest(method, path, skip_host="host" in given, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if method != "GET" and "transfer-encoding" not in given:
                connection.putheader("Content-Length", str(len(body) if said < 0 else said))
            connection.endheaders(body or None)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read().decode())
        finally:
            connection.close()
        for text in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(text).items():
                self.cookies[name] = morsel.value
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, self._headers(headers))

    def post(self, path: str, form: dict[str, str], **headers: str) -> Answer:
        headers = {"Sec_Fetch_Site": "same-origin", "Content_Type": "application/x-www-form-urlencoded"} | headers
        return self.ask("POST", path, self._headers(headers), urlencode(form).encode())

    def _headers(self, said: dict[str, str]) -> list[tuple[str, str]]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items() if value.strip('"'))
        headers = [(name.replace("_", "-"), value) for name, value in said.items()]
        return [*headers, ("Cookie", cookies)] if cookies else headers


@contextmanager
def served(app: ASGIApp) -> Iterator[Browser]:
    """Serve an application as `trail web` would, at a free port."""
    options = server_options("127.0.0.1:8320") | {"port": 0, "log_config": None, "log_level": logging.CRITICAL}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    with socket.create_server((LOOPBACK, 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield Browser(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()
