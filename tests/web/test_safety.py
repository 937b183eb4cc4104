"""The shell around every page, through a real server: headers, limits, other sites, errors that tell nothing."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from pipeline.settings import IpNetwork, SettingError
from pipeline.web.access import Actor
from pipeline.web.safety import (
    HEADERS,
    LARGEST_BODY,
    LONGEST_TARGET,
    address_of,
    host_and_port,
    own_origin,
    read_form,
    safety_middleware,
    server_options,
)
from tests.web import Answer, Browser, served

PROXY = (ipaddress.ip_network("127.0.0.0/8"),)
ELSEWHERE = (ipaddress.ip_network("10.0.0.0/8"),)


async def home(request: Request) -> Response:
    actor = request.state.actor
    return PlainTextResponse(actor.name if actor else "nobody", headers={"Cache-Control": "public, max-age=600"})


async def echo(request: Request) -> Response:
    return PlainTextResponse("&".join(f"{key}={value}" for key, value in (await read_form(request)).multi_items()))


async def broken(request: Request) -> Response:
    raise ValueError("ana@support.example was looked up")


async def broken_late(request: Request) -> Response:
    class Torn(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise ValueError("too late")

    return Torn()


async def elsewhere(request: Request) -> Response:
    return RedirectResponse("/", 303)


async def opened(socket: WebSocket) -> None:
    await socket.accept()


def who(request: Request) -> Actor | None:
    refusal = request.headers.get("x-refusal")
    if refusal:
        raise HTTPException(int(refusal), "no", {"Retry-After": "7"} if refusal == "429" else None)
    return Actor("ana", "support", ("b1",))


def application(proxies: tuple[IpNetwork, ...]) -> Starlette:
    return Starlette(
        routes=[
            Route("/", home),
            Route("/static/page.css", home),
            Route("/echo", echo, methods=["POST", "PUT", "DELETE"]),
            Route("/broken", broken),
            Route("/broken-late", broken_late),
            Route("/elsewhere", elsewhere),
            WebSocketRoute("/", opened),
        ],
        middleware=safety_middleware(who, proxies),
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with served(application(())) as found:
        yield found


@pytest.fixture(scope="module")
def behind_proxy() -> Iterator[Browser]:
    with served(application(PROXY)) as found:
        yield found


def answers(browser: Browser) -> dict[str, Answer]:
    return {
        "200": browser.get("/"),
        "303": browser.get("/elsewhere"),
        "400": browser.ask("POST", "/echo", [("Sec-Fetch-Site", "same-origin")], b"name=%ff"),
        "401": browser.get("/", X_Refusal="401"),
        "403": browser.post("/echo", {}, Sec_Fetch_Site="cross-site"),
        "404": browser.get("/nowhere"),
        "405": browser.get("/echo"),
        "413": browser.ask("POST", "/echo", [("Sec-Fetch-Site", "same-origin")], said=LARGEST_BODY + 1),
        "414": browser.get("/?q=" + "x" * LONGEST_TARGET),
        "429": browser.get("/", X_Refusal="429"),
        "500": browser.get("/broken"),
        "503": browser.get("/", X_Refusal="503"),
    }


def test_every_answer_has_the_headers(browser: Browser) -> None:
    for status, answer in answers(browser).items():
        assert answer.status == int(status)
        for name, value in HEADERS.items():
            assert answer.headers.get_all(name) == [value], (status, name)
        assert answer.headers.get_all("Cache-Control") == ["no-store"], status
        assert "Server" not in answer.headers
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy.split("; "))


def test_only_static_files_are_kept(browser: Browser) -> None:
    assert browser.get("/static/page.css").headers["Cache-Control"] == "public, max-age=600"
    assert browser.get("/static/absent.css").headers["Cache-Control"] == "no-store"


def test_a_refusal_keeps_its_own_headers(browser: Browser) -> None:
    assert browser.get("/", X_Refusal="429").headers["Retry-After"] == "7"


def test_an_error_is_logged_under_a_number_and_tells_nothing(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "trail"):
        answer = browser.get("/broken?who=ana")
    assert "ana" not in answer.body
    assert "Traceback" not in answer.body
    (record,) = [record for record in caplog.records if record.name == "trail"]
    number = answer.body.split()[-1].rstrip(".")
    assert number in record.getMessage()
    assert "who=ana" not in record.getMessage()
    assert record.exc_info is not None


def test_an_error_after_the_beginning_begins_no_second_answer(caplog: pytest.LogCaptureFixture) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/broken-late",
        "raw_path": b"",
        "query_string": b"",
        "headers": [],
    }
    assert sent_by_application(scope) == ["http.response.start"]
    assert "too late" in caplog.text


SAME, OTHER = "http://127.0.0.1:{port}", "https://evil.example"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 403),
        ([("Sec-Fetch-Site", "same-origin")], 200),
        ([("Sec-Fetch-Site", "none")], 200),
        ([("Sec-Fetch-Site", "same-site")], 403),
        ([("Sec-Fetch-Site", "cross-site")], 403),
        ([("Sec-Fetch-Site", "cross-site"), ("Origin", SAME)], 403),
        ([("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")], 403),
        ([("Sec-Fetch-Site", "")], 403),
        ([("Origin", SAME)], 200),
        ([("Origin", "http://127.0.0.1:1")], 403),
        ([("Origin", "https://127.0.0.1:{port}")], 403),
        ([("Origin", "http://localhost:{port}")], 403),
        ([("Origin", OTHER)], 403),
        ([("Origin", SAME), ("Origin", OTHER)], 403),
        ([("Origin", "null")], 403),
        ([("Referer", SAME + "/")], 403),
        # Whoever is no proxy may say of itself what it likes.
        ([("Origin", OTHER), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example")], 403),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_own_pages_may_change_something(
    browser: Browser, method: str, headers: list[tuple[str, str]], status: int
) -> None:
    sent = [(name, value.format(port=browser.port)) for name, value in headers]
    assert browser.ask(method, "/echo", sent, b"a=1").status == status


def test_behind_a_proxy_the_origin_is_the_proxys(behind_proxy: Browser) -> None:
    forwarded = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "trail.example")]
    for origin, status in (("https://trail.example", 200), ("http://trail.example", 403), (OTHER, 403)):
        assert behind_proxy.ask("POST", "/echo", [*forwarded, ("Origin", origin)]).status == status


def test_a_form_is_read_whole(browser: Browser) -> None:
    assert browser.post("/echo", {"a": "", "b": "ü & \n", "c": "1"}).body == "a=&b=ü & \n&c=1"


def test_a_body_sent_in_pieces_is_limited_too(browser: Browser) -> None:
    piece = b"%x\r\n%s\r\n" % (LARGEST_BODY // 2 + 1, b"x" * (LARGEST_BODY // 2 + 1))
    headers = [("Sec-Fetch-Site", "same-origin"), ("Transfer-Encoding", "chunked")]
    answer = browser.ask("POST", "/echo", headers, piece * 2 + b"0\r\n\r\n")
    assert answer.status == 413
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_form_of_the_largest_size_is_read(browser: Browser) -> None:
    assert browser.ask("POST", "/echo", [("Sec-Fetch-Site", "none")], b"a=" + b"x" * (LARGEST_BODY - 2)).status == 200


def request(peer: str, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "scheme": "http", "client": (peer, 5), "headers": Headers(raw=raw).raw})


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.7, 127.0.0.2", "198.51.100.7"),
        ("127.0.0.1", "junk, 198.51.100.7:4711", "198.51.100.7"),
        ("::ffff:127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9", "10.0.0.1"),
        ("", "203.0.113.9", ""),
    ],
)
def test_an_address_is_the_last_that_no_proxy_has(peer: str, forwarded: str, address: str) -> None:
    assert address_of(request(peer, x_forwarded_for=forwarded), PROXY) == address


def test_the_nearest_proxy_is_believed_about_the_origin() -> None:
    said = {
        "host": "inside:8320",
        "x_forwarded_proto": "http, https",
        "x_forwarded_host": "evil.example, Trail.example",
    }
    assert own_origin(request("127.0.0.1", **said), PROXY) == "https://trail.example"
    assert own_origin(request("127.0.0.1", **said), ELSEWHERE) == "http://inside:8320"


@pytest.mark.parametrize("address", ["8320", "localhost", ":8320", "::1:8320", "127.0.0.1:65536", "http://a:1", "a:1 "])
def test_an_address_to_listen_on_is_a_host_and_port(address: str) -> None:
    with pytest.raises(SettingError, match="web_address"):
        host_and_port(address)


def test_the_server_is_told_to_leave_addresses_alone() -> None:
    options = server_options("[::1]:8320")
    assert (options["host"], options["port"]) == ("::1", 8320)
    assert not options["proxy_headers"]


def test_no_websocket_is_opened() -> None:
    assert sent_by_application({"type": "websocket", "path": "/", "headers": []}) == ["websocket.close"]


def sent_by_application(scope: Scope) -> list[str]:
    sent: list[str] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    asyncio.run(application(())(scope, receive, send))
    return sent
