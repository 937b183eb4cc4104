"""Who is signed in and what they may see, through a real server: each mode, the `access` file, sessions, guessing."""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from pipeline import web
from pipeline.settings import SettingError
from pipeline.web import sessions, signin
from pipeline.web.access import Actor, Person, write_person
from pipeline.web.passwords import NOBODYS, hash_password, matches
from pipeline.web.safety import safety_middleware
from pipeline.web.sessions import IDLE_SECONDS, LONGEST_SECONDS, Attempts, Sessions
from pipeline.web.signin import FAILURE_SECONDS, FAILURES_OF_ADDRESS, FAILURES_OF_NAME, SignIn, path_here, signin_routes
from tests.web import PAGE, Answer, Browser, Clock, Web, served

LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)
ELSEWHERE = (ipaddress.ip_network("10.0.0.0/8"),)
PASSWORD, OTHER_PASSWORD = "correct horse battery", "another horse, same field"
HASH, OTHER_HASH = hash_password(PASSWORD), hash_password(OTHER_PASSWORD)
ANA = Person(Actor("ana@support.example", "support", ("b1", "b7")), HASH)
BEN = Person(Actor("ben", "admin", None), OTHER_HASH)


def application(sign_in: SignIn) -> Starlette:
    async def show(request: Request) -> Response:
        actor = request.state.actor
        return PlainTextResponse(f"{actor.name} {actor.role} {actor.businesses}" if actor else "nobody")

    folder = Path(web.__file__).parent / "templates"
    loader = jinja2.ChoiceLoader([jinja2.DictLoader({"page.html": PAGE}), jinja2.FileSystemLoader(folder)])
    templates = Jinja2Templates(env=jinja2.Environment(loader=loader, autoescape=True))
    return Starlette(
        routes=[
            Route("/", show),
            Route("/users/{name}", show, methods=["GET", "POST"]),
            Route("/static/page.css", show),
            *signin_routes(sign_in, templates),
        ],
        middleware=safety_middleware(sign_in.who, sign_in.proxies),
    )


class Site:
    """A server in one mode, with its access file, clock and what was reported."""

    def __init__(self, folder: Path) -> None:
        self.access = folder / "access.toml"
        self.clock = Clock()
        self.reported: list[tuple[str, str]] = []
        self.write(ANA, BEN)

    def write(self, *people: Person) -> None:
        self.access.write_text("\n".join(write_person(person) for person in people), encoding="utf-8")

    @contextmanager
    def serve(self, settings: Web) -> Iterator[Browser]:
        sign_in = SignIn(settings, lambda name, outcome: self.reported.append((name, outcome)), self.clock)
        with served(application(sign_in)) as browser:
            yield browser


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def accounts(site: Site) -> Iterator[Browser]:
    with site.serve(Web("accounts", access=site.access)) as browser:
        yield browser


def enter(browser: Browser, name: str = "ben", password: str = OTHER_PASSWORD, path: str = "/", **more: str) -> Answer:
    return browser.post("/sign-in", {"name": name, "password": password, "next": path}, **more)


# Nobody needs to sign in


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:99"}, 200),
        ({"Host": "[::1]:99"}, 200),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:8320"}, 403),
        ({"Host": "192.168.1.5"}, 403),
        ({"Host": ""}, 403),
        ({"X_Forwarded_For": "203.0.113.9"}, 403),
        ({"Forwarded": "for=203.0.113.9"}, 403),
    ],
)
def test_on_this_machine_everybody_is_local(site: Site, headers: dict[str, str], status: int) -> None:
    with site.serve(Web()) as browser:
        answer = browser.get("/", **headers)
    assert answer.status == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (answer.body == "local engineer None") == (status == 200)


def test_who_is_not_on_this_machine_is_not_local() -> None:
    headers = [(b"host", b"localhost")]
    for peer, status in (("192.168.1.5", 403), ("127.0.0.1", None), ("::1", None), ("::ffff:127.0.0.1", None)):
        request = Request({"type": "http", "client": (peer, 5), "headers": headers})
        with pytest.raises(HTTPException) if status else nullcontext():
            SignIn(Web(), print).who(request)


@pytest.mark.parametrize("address", ["0.0.0.0:8320", "192.168.1.5:80", "[::]:8320", "trail.example:8320", "0:8320"])
def test_without_sign_in_it_listens_on_this_machine_only(site: Site, address: str) -> None:
    with pytest.raises(SettingError, match=r"web_address is .* while sign_in is none"):
        SignIn(Web(web_address=address), print)
    SignIn(Web("accounts", access=site.access, web_address=address), print)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"])
def test_this_machine_has_several_names(address: str) -> None:
    SignIn(Web(web_address=address), print)


# A proxy says who it is


def test_a_proxy_is_believed(site: Site) -> None:
    with site.serve(Web("proxy", access=site.access, sign_in_proxies=LOOPBACK)) as browser:
        assert browser.get("/", X_Forwarded_Email="ben").body == "ben admin None"
        assert browser.get("/", X_Forwarded_Email=ANA.actor.name).body == "ana@support.example support ('b1', 'b7')"
        assert browser.get("/sign-in", X_Forwarded_Email="ben").status == 404
        stranger = browser.get("/", X_Forwarded_Email="cyd@support.example")
        assert stranger.status == 403
        assert "cyd@support.example" in stranger.body


def test_nobody_else_is_believed_about_who_it_is(site: Site) -> None:
    with site.serve(Web("proxy", access=site.access, sign_in_proxies=ELSEWHERE)) as browser:
        for forged in ({}, {"X_Forwarded_For": "10.0.0.1"}, {"X_Real_IP": "10.0.0.1"}, {"Forwarded": "for=10.0.0.1"}):
            answer = browser.get("/", X_Forwarded_Email="ben", **forged)
            assert answer.status == 401
            assert "ben" not in answer.body
        assert browser.get("/sign-in", X_Forwarded_Email="ben").status == 401


@pytest.mark.parametrize(
    "names",
    [[], [""], ["ben", "ben"], ["ben", ANA.actor.name], ["be\x07n"], ["ben\x7f"], ["b\xff"], ["\xe2\x80\xaeben"]],
)
def test_a_proxy_must_say_one_name(site: Site, names: list[str]) -> None:
    with site.serve(Web("proxy", access=site.access, sign_in_proxies=LOOPBACK)) as browser:
        answer = browser.ask("GET", "/", [("X-Forwarded-Email", name) for name in names])
    # The server itself refuses some control characters.
    assert answer.status == 401 or (answer.status == 400 and any(char < " " for name in names for char in name))


def test_a_header_of_ones_own_is_the_only_one(site: Site) -> None:
    settings = Web("proxy", "X-Auth-User", LOOPBACK, site.access)
    with site.serve(settings) as browser:
        assert browser.get("/", X_Auth_User="ben").status == 200
        assert browser.get("/", X_Forwarded_Email="ben").status == 401


@pytest.mark.parametrize(
    ("changed", "setting"),
    [
        ({"sign_in": "magic"}, "sign_in is 'magic'"),
        ({"sign_in": "proxy"}, "sign_in_proxies is empty"),
        ({"sign_in": "proxy", "sign_in_proxies": LOOPBACK, "access": None}, "access is absent"),
        ({"sign_in": "accounts", "access": None}, "access is absent"),
        ({"sign_in": "accounts", "web_address": "8320"}, "web_address is '8320'"),
    ],
)
def test_a_mode_that_cannot_be_does_not_start(site: Site, changed: dict[str, Any], setting: str) -> None:
    with pytest.raises(SettingError, match=setting):
        SignIn(replace(Web(access=site.access), **changed), print)


# Accounts


def test_without_a_session_there_is_only_the_sign_in_page(accounts: Browser) -> None:
    answer = accounts.get("/users/ana?visits=3&q=a%20b")
    assert (answer.status, answer.headers["Location"]) == (
        303,
        f"/sign-in?next={quote('/users/ana?visits=3&q=a%20b', '')}",
    )
    page = accounts.get(answer.headers["Location"])
    assert page.status == 200
    assert 'value="/users/ana?visits=3&amp;q=a%20b"' in page.body
    assert accounts.post("/users/ana", {}).status == 401
    assert accounts.get("/users/ana", Sec_Fetch_Dest="empty").status == 401
    assert accounts.get("/static/page.css").body == "nobody"
    assert accounts.get("/users/" + "%C3%A9" * 600).headers["Location"] == "/sign-in"


def test_signing_in_leads_to_the_page_asked_for(site: Site, accounts: Browser) -> None:
    answer = enter(accounts, path="/users/ana?visits=3")
    assert (answer.status, answer.headers["Location"]) == (303, "/users/ana?visits=3")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("trail=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert accounts.get("/users/ana").body == "ben admin None"
    assert accounts.get("/sign-in?next=/users/ana").headers["Location"] == "/users/ana"
    assert site.reported == [("ben", "signed_in")]
    assert "evil" not in enter(accounts, path="//evil.example").headers["Location"]


@pytest.mark.parametrize(("proxies", "name"), [(LOOPBACK, "__Host-trail"), (ELSEWHERE, "trail")])
def test_over_https_the_cookie_is_secure(site: Site, proxies: tuple[ipaddress.IPv4Network], name: str) -> None:
    with site.serve(Web("accounts", access=site.access, sign_in_proxies=proxies)) as browser:
        cookie = enter(browser, X_Forwarded_Proto="https").headers["Set-Cookie"]
        assert cookie.startswith(f"{name}=")
        assert ("Secure" in cookie.split("; ")) == (name == "__Host-trail")
        assert browser.get("/", X_Forwarded_Proto="https").status == 200
        out = browser.post("/sign-out", {}, X_Forwarded_Proto="https").headers["Set-Cookie"]
        assert ("Secure" in out.split("; ")) == (name == "__Host-trail")


def test_what_is_wrong_is_not_told(site: Site, accounts: Browser) -> None:
    page, *others = [
        enter(accounts, name, password)
        for name, password in [("ben", PASSWORD), ("nobody", PASSWORD), ("ben", ""), ("", ""), ("Ben", OTHER_PASSWORD)]
    ]
    assert page.status == 401
    assert "Set-Cookie" not in page.headers
    for other in others:
        assert (other.status, other.body, list(other.headers)) == (page.status, page.body, list(page.headers))
    assert site.reported == [(name, "refused") for name in ("ben", "nobody", "ben", "", "Ben")]


def test_an_unknown_name_costs_a_hash_too(accounts: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def noted(password: str, hashed: str) -> bool:
        tried.append(hashed)
        return matches(password, hashed)

    monkeypatch.setattr(signin, "matches", noted)
    enter(accounts, "nobody")
    enter(accounts, "ben", PASSWORD)
    assert tried == [NOBODYS, OTHER_HASH]


def test_a_password_that_fits_nobodys_hash_lets_nobody_in(accounts: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "matches", lambda *_: True)
    assert enter(accounts, "nobody").status == 401


def test_a_token_is_never_what_the_browser_brought(accounts: Browser) -> None:
    accounts.cookies["trail"] = "chosen-by-somebody-else"
    enter(accounts)
    first = accounts.cookies["trail"]
    assert first != "chosen-by-somebody-else"
    enter(accounts)
    assert accounts.cookies["trail"] != first
    assert Browser(accounts.port, {"trail": "chosen-by-somebody-else"}).get("/").status == 303
    assert Browser(accounts.port, {"trail": first}).get("/").status == 303
    assert accounts.get("/").status == 200


def test_signing_out_ends_the_session(site: Site, accounts: Browser) -> None:
    enter(accounts)
    token = accounts.cookies["trail"]
    assert accounts.get("/sign-out").status == 405
    assert accounts.post("/sign-out", {}, Sec_Fetch_Site="cross-site").status == 403
    assert accounts.get("/").status == 200
    assert accounts.post("/sign-out", {}).headers["Location"] == "/sign-in"
    assert accounts.cookies["trail"] == ""
    assert Browser(accounts.port, {"trail": token}).get("/").status == 303
    assert site.reported == [("ben", "signed_in"), ("ben", "signed_out")]
    assert accounts.post("/sign-out", {}).status == 303


def test_nobody_is_let_in_by_another_sites_form(accounts: Browser) -> None:
    assert enter(accounts, Sec_Fetch_Site="cross-site").status == 403
    assert not accounts.cookies


def test_a_session_ends_unused_or_after_half_a_day(site: Site, accounts: Browser) -> None:
    enter(accounts)
    site.clock.now += IDLE_SECONDS - 1
    assert accounts.get("/").status == 200
    site.clock.now += IDLE_SECONDS
    assert accounts.get("/").status == 303
    enter(accounts)
    for _ in range(LONGEST_SECONDS // 1_000):
        assert accounts.get("/").status == 200
        site.clock.now += 1_000
    site.clock.now += LONGEST_SECONDS % 1_000
    assert accounts.get("/").status == 303


def test_who_is_taken_out_of_the_file_is_out(site: Site, accounts: Browser) -> None:
    enter(accounts)
    site.write(ANA)
    assert accounts.get("/").status == 303
    site.write(ANA, BEN)
    assert accounts.get("/").status == 303, "a session that ended stays ended"


def test_a_changed_role_holds_at_once_and_a_changed_password_ends_the_session(site: Site, accounts: Browser) -> None:
    enter(accounts)
    site.write(ANA, replace(BEN, actor=Actor("ben", "support", ("b2",))))
    assert accounts.get("/").body == "ben support ('b2',)"
    site.write(ANA, replace(BEN, password=HASH))
    assert accounts.get("/").status == 303
    assert enter(accounts, password=OTHER_PASSWORD).status == 401
    assert enter(accounts, password=PASSWORD).status == 303


def test_an_access_file_that_broke_shows_nothing(
    site: Site, accounts: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    enter(accounts)
    good = site.access.read_bytes()
    for broken in (b"[people", b"", good.replace(b"admin", b"owner"), good.replace(b"scrypt$15", b"scrypt$01"), None):
        caplog.clear()
        site.access.unlink() if broken is None else site.access.write_bytes(broken)
        with caplog.at_level(logging.ERROR, "trail"):
            answers = [accounts.get("/"), accounts.get("/"), enter(accounts)]
        assert [answer.status for answer in answers] == [503, 503, 503]
        assert str(site.access) not in answers[0].body
        assert len([record for record in caplog.records if record.name == "trail"]) == 1
    assert accounts.post("/sign-out", {}).status == 303
    site.access.write_bytes(good)
    assert accounts.get("/").status == 303
    assert enter(accounts).status == 303


def test_if_signing_in_cannot_be_written_down_nobody_is_let_in(
    site: Site, accounts: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "reported", None)
    assert enter(accounts).status == 500
    assert not accounts.cookies


# Guessing


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords compared without their cost, for tests of many."""
    known = {(PASSWORD, HASH), (OTHER_PASSWORD, OTHER_HASH)}
    monkeypatch.setattr(signin, "matches", lambda password, hashed: (password, hashed) in known)


@pytest.mark.usefixtures("quick")
def test_a_name_is_tried_a_few_times_only(site: Site, accounts: Browser) -> None:
    for name in ("ben", "nobody"):
        for _ in range(FAILURES_OF_NAME):
            assert enter(accounts, name, "wrong").status == 401
            site.clock.now += 10
    late, unknown = enter(accounts, "ben"), enter(accounts, "nobody")
    assert (late.status, unknown.status) == (429, 429)
    assert "Set-Cookie" not in late.headers
    assert int(late.headers["Retry-After"]) == FAILURE_SECONDS - 2 * 10 * FAILURES_OF_NAME
    assert site.reported[-1] == ("nobody", "limited")
    assert enter(accounts, ANA.actor.name, PASSWORD).status == 303
    site.clock.now += int(late.headers["Retry-After"]) - 1
    assert enter(accounts, "ben").status == 429
    site.clock.now += 1
    assert enter(accounts, "ben").status == 303


@pytest.mark.usefixtures("quick")
def test_an_address_tries_a_few_names_only_whatever_it_says_it_is(site: Site, accounts: Browser) -> None:
    for number in range(FAILURES_OF_ADDRESS):
        enter(accounts)
        assert enter(accounts, f"n{number}", X_Forwarded_For=f"203.0.113.{number}").status == 401
    assert enter(accounts, "another", X_Forwarded_For="203.0.113.200").status == 429
    assert enter(accounts, ANA.actor.name, PASSWORD).status == 429


@pytest.mark.usefixtures("quick")
def test_behind_a_proxy_each_address_is_counted_by_itself(site: Site) -> None:
    with site.serve(Web("accounts", access=site.access, sign_in_proxies=LOOPBACK)) as browser:
        for number in range(FAILURES_OF_ADDRESS):
            forged = f"203.0.113.{number}, 2001:db8:0:1::{number:x}"
            assert enter(browser, f"n{number}", X_Forwarded_For=forged).status == 401
        assert enter(browser, "n", X_Forwarded_For="2001:db8:0:1:ffff::1").status == 429
        assert enter(browser, "n", X_Forwarded_For="2001:db8:0:2::1").status == 401


@pytest.mark.usefixtures("quick")
def test_a_success_forgives_its_name_only(site: Site, accounts: Browser) -> None:
    for _ in range(2):
        for _ in range(FAILURES_OF_NAME - 1):
            assert enter(accounts, "ben", "wrong").status == 401
        assert enter(accounts, "ben").status == 303
    for number in range(FAILURES_OF_ADDRESS - 2 * (FAILURES_OF_NAME - 1)):
        assert enter(accounts, f"n{number}").status == 401
    assert enter(accounts, "ben").status == 429


def test_many_at_once_wait_their_turn_and_hold_nobody_up(accounts: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, count = threading.Event(), threading.Lock()
    now, most, tried = 0, 0, 0

    def slow(password: str, hashed: str) -> bool:
        nonlocal now, most, tried
        with count:
            now, tried = now + 1, tried + 1
            most = max(most, now)
        let_go.wait(20)
        with count:
            now -= 1
        return False

    monkeypatch.setattr(signin, "matches", slow)
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(enter(accounts, "ben").status)) for _ in range(12)]
    for thread in threads:
        thread.start()
    late = time.monotonic() + 10
    while (tried < 2 or len(statuses) < 12 - FAILURES_OF_NAME) and time.monotonic() < late:
        time.sleep(0.01)  # until two are compared and those beyond the most are refused
    assert accounts.get("/static/page.css").status == 200
    let_go.set()
    for thread in threads:
        thread.join()
    assert (most, tried) == (2, FAILURES_OF_NAME)
    assert sorted(statuses) == [401] * FAILURES_OF_NAME + [429] * (12 - FAILURES_OF_NAME)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 3)
    monkeypatch.setattr(sessions, "MOST_KEYS", 3)
    kept = Sessions(Clock())
    tokens = [kept.open("ben", HASH) for _ in range(3)]
    assert kept.find(tokens[0])
    kept.open("ben", HASH)
    assert [kept.find(token) is not None for token in tokens] == [True, False, True]
    attempts = Attempts(1, 60, Clock())
    for key in "abcd":
        attempts.count(key)
    assert [attempts.wait(key) for key in "abcd"] == [0, 60, 60, 60]


def test_tokens_are_not_kept_as_they_are() -> None:
    kept = Sessions(Clock())
    token = kept.open("ben", HASH)
    assert len(token) >= 43
    assert token not in repr(vars(kept))


# Texts from outside


_TRICKY = st.text(alphabet=st.sampled_from(list("/\\.:@?#% \t\r\n\x00evil")), max_size=12)


@settings(deadline=None)
@given(st.text(max_size=30) | _TRICKY.map(lambda text: "/" + text) | _TRICKY)
def test_next_stays_on_this_site(text: str) -> None:
    path = path_here(text)
    # What a browser makes of it: it drops tabs and ends of lines, and takes a backslash for a slash.
    seen = "".join(char for char in path if char not in "\t\r\n").replace("\\", "/")
    assert urlsplit(urljoin("https://trail.example/sign-in", seen)).netloc == "trail.example"
    assert path.isprintable()
    assert path == text or path == "/"


@pytest.mark.parametrize("path", ["/", "/users/ana@x.example?visits=3#last", "/a//b", "/users/%2F%2Fevil"])
def test_next_takes_paths_as_they_are(path: str) -> None:
    assert path_here(path) == path
