"""The support page driven as people do: with a mouse, with keys alone, without scripts, in the dark, on a phone."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

from tests.conftest import Demo
from tests.web.chromium import PAGES, PASSWORD, SIGHTS, Page, Sight, Window, support_page

EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


@pytest.fixture(scope="module")
def browser(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    with support_page(demo.settings, tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def window(browser: Window) -> Iterator[Window]:
    """The browser on an ordinary screen, whose console must stay empty."""
    browser.see(SIGHTS["light"])
    yield browser
    assert browser.complaints() == []


def test_who_signs_in_is_led_to_what_they_asked_for(window: Window) -> None:
    window.go("guest", "/user/{user_id}")
    assert window.path == f"/sign-in?next={quote(window.fill('/user/{user_id}'), safe='')}"
    window.wait(lambda: window.focused().get_attribute("id") == "name")
    window.enter("support", "not the password")
    assert window.one("[role=alert]").text == "Name and password do not fit."
    window.enter("support", PASSWORD)
    assert window.path == window.fill("/user/{user_id}")
    window.click(window.button("Sign out"))
    assert window.path == "/sign-in"
    window.go("guest", "/")
    assert window.path.startswith("/sign-in")


def test_somebody_is_found_by_a_misheard_name_and_followed_to_a_request_and_back(window: Window) -> None:
    window.go("support", "/")
    window.wait(lambda: window.focused().get_attribute("id") == "q")
    window.search(window.fill("{misheard}"))
    hit = window.link(window.fill("{name}"))
    assert "spelt alike" in hit.find_element("xpath", "ancestor::tr").text
    _open_visit_and_request(window)
    window.click(window.one(f"main a[href^='{window.fill('/visit/{visit_id}')}']"))
    assert urlsplit(window.driver.current_url).fragment == window.somebody["request_id"]
    window.click(window.link(window.fill("{name}")))
    assert window.path == window.fill("/user/{user_id}")
    window.click(window.link("Trail"))
    assert window.path == "/"


def _open_visit_and_request(window: Window) -> None:
    """From the hits to the user, the visit and the request, by links."""
    window.click(window.link(window.fill("{name}")))
    assert (window.path, window.one("h1").text) == (window.fill("/user/{user_id}"), window.fill("{name}"))
    window.click(window.one(window.fill("main a[href='/visit/{visit_id}']")))
    assert window.path == window.fill("/visit/{visit_id}")
    window.click(window.one(window.fill("main a[href='/request/{request_id}']")))
    assert window.path == window.fill("/request/{request_id}")
    assert "Whose it is" in window.main


def test_without_scripts_everything_is_found_and_opened(demo: Demo, tmp_path: Path) -> None:
    with support_page(demo.settings, tmp_path, has_scripts=False) as window:
        window.go("support", "/")
        window.search(window.fill("{misheard}"))
        _open_visit_and_request(window)
        window.driver.back()
        assert window.path == window.fill("/visit/{visit_id}")
        assert not window.one("button.copy").is_displayed(), "scripts run, or a button is shown that needs them"
        window.click(window.link("Visit before"))
        assert window.path == window.fill("/visit/{before}")
        assert window.complaints() == []


@pytest.mark.parametrize("kind", ["CSV", "JSON"])
def test_a_visit_is_saved_as_it_is_shown(window: Window, tmp_path: Path, kind: str) -> None:
    window.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    window.go("support", "/visit/{visit_id}")
    path = tmp_path / f"{window.fill('visit-{visit_id}')}.{kind.lower()}"
    window.link(kind).click()
    window.wait(path.exists)
    text = path.read_text("utf-8")
    saved = list(csv.DictReader(io.StringIO(text))) if kind == "CSV" else json.loads(text)["acts_in_order"]
    window.unfold()
    shown = [(row.get_attribute("id"), row.text) for row in window.all(".acts > li")]
    assert len(saved) == len(shown) > 1
    for act, (request_id, row) in zip(saved, shown, strict=True):
        assert act["request_id"] == request_id
        for value in (act["occurred_at"][11:19], str(act["status"]), f"{act['method']} {act['path']}"):
            assert value in row


def test_the_link_of_a_page_is_copied(window: Window) -> None:
    window.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    window.go("support", "/visit/{visit_id}")
    window.button("Copy link").click()
    window.wait(lambda: window.one("button.copy").text == "Copied")
    copied = window.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0], arguments[0])")
    assert copied == window.driver.current_url


def test_support_reveals_an_email(window: Window) -> None:
    window.go("support", "/user/{user_id}")
    email = window.somebody["email"]
    assert email not in window.driver.page_source
    assert f"{email[:2]}…@{email.partition('@')[2]}" in window.main
    window.click(window.button("Reveal"))
    assert email in window.main


def test_a_reason_is_asked_for_once(window: Window) -> None:
    window.go("answering", "/visit/{visit_id}")
    assert window.somebody["name"] not in window.driver.page_source
    window.labelled("Ticket or reason").send_keys("ticket 4711", Keys.ENTER)
    window.wait(lambda: window.path == window.fill("/visit/{visit_id}"))
    assert window.somebody["name"] in window.main
    assert window.labelled("Why").get_attribute("value") == "ticket 4711"


# Whom somebody may not see


def test_somebody_of_another_business_is_not_to_be_found(window: Window) -> None:
    somebody = window.somebody
    for asked in (somebody["name"], somebody["email"], somebody["user_id"], *somebody["identifiers"]):
        for who, is_found in (("support", True), ("stranger", False)):
            window.go(who, "/")
            window.search(asked)
            links = window.all(window.fill("a[href*='/user/{user_id}']"))
            assert bool(links) == is_found, f"{who} asked for {asked!r}"
        shown = window.main.replace(asked, "")
        assert not [value for value in (somebody["name"], somebody["email"]) if value in shown], asked


@pytest.mark.parametrize("kind", ["visit", "request"])
def test_an_id_of_another_business_leads_nowhere(window: Window, kind: str) -> None:
    for who, leads_to in (("support", f"/{kind}/{{{kind}_id}}"), ("stranger", f"/?q={{{kind}_id}}")):
        window.go(who, "/")
        window.search(window.somebody[f"{kind}_id"])
        assert window.path == window.fill(leads_to)
    assert "Nobody found" in window.main


@pytest.mark.parametrize("who", ["stranger", "outsider"])
@pytest.mark.parametrize(
    ("path", "absent"),
    [
        ("/user/{user_id}", "/user/u999999"),
        ("/visit/{visit_id}", "/visit/20260303-0123456789abcdef"),
        ("/visit/{visit_id}.csv", "/visit/20260303-0123456789abcdef.csv"),
        ("/visit/{visit_id}.json", "/visit/20260303-0123456789abcdef.json"),
        ("/visit/{visit_id}/beside", "/visit/20260303-0123456789abcdef/beside"),
        ("/request/{request_id}", "/request/20260303-0123456789abcdef"),
    ],
)
def test_an_address_of_another_business_is_as_one_of_nothing(window: Window, who: str, path: str, absent: str) -> None:
    seen = []
    for asked in (path, absent):
        window.driver.get("about:blank")  # where the browser stays if a file comes
        window.go(who, asked)
        status = window.js("return performance.getEntriesByType('navigation')[0].responseStatus")
        seen.append((status, window.driver.title, window.driver.page_source))
    assert seen[0] == seen[1]
    assert seen[0][:2] in ((404, "Not found · Trail"), (403, "Refused · Trail"))


@pytest.mark.parametrize("who", ["stranger", "outsider"])
def test_who_met_it_names_nobody_of_another_business(window: Window, who: str) -> None:
    for asks, is_named in (("support", True), (who, False)):
        window.go(asks, "/affected?path={path}&from=2026-03-02")
        assert bool(window.all(window.fill("a[href='/user/{user_id}']"))) == is_named
    assert window.somebody["name"] not in window.driver.page_source


# By keyboard alone


def test_keys_find_and_go_through_links(window: Window) -> None:
    window.go("engineer", "/user/{user_id}")
    window.press("/")
    assert window.focused().get_attribute("id") == "q"
    window.press(window.fill("{surname}j/"))
    assert window.focused().get_attribute("value") == window.fill("{surname}j/"), "keys are letters in a box"
    window.press(Keys.BACKSPACE, Keys.BACKSPACE, Keys.ENTER)
    window.wait(lambda: window.path.startswith("/?q="))
    hits = [hit.get_attribute("href") for hit in window.all("tbody th a")]
    assert len(hits) > 1
    for key, place in (("j", 0), ("j", 1), ("k", 0), ("k", 0)):
        window.press(key)
        assert window.focused().get_attribute("href") == hits[place]
    window.press(Keys.ENTER)
    window.wait(lambda: window.driver.current_url == hits[0])


def _is_at_visit(window: Window, which: str) -> bool:
    return window.path == f"/visit/{window.somebody[which]}"


def test_keys_go_through_a_visit_and_to_those_beside_it(window: Window) -> None:
    window.go("engineer", "/visit/{visit_id}")
    times = [act.get_attribute("href") for act in window.all(".acts .time") if act.is_displayed()]
    for key, place in (("k", -1), ("k", -2), ("j", -1)):
        window.press(key)
        assert window.focused().get_attribute("href") == times[place]
    for key, visit in (("]", "after"), ("[", "visit_id"), ("[", "before")):
        window.press(key)
        window.wait(partial(_is_at_visit, window, visit))
    window.press("j", Keys.ENTER)
    window.wait(lambda: window.path.startswith("/request/"))


def test_the_first_stop_skips_to_the_content(window: Window) -> None:
    window.go("engineer", "/user/{user_id}")
    window.press(Keys.TAB)
    assert window.focused().text == "To the content"
    window.press(Keys.ENTER)
    window.wait(lambda: window.focused().tag_name == "main")
    window.press(Keys.TAB)
    assert window.js("return document.querySelector('main').contains(document.activeElement)")


STOPS = """
window.stops = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((one) => one.checkVisibility() && one.type !== "hidden" && !one.disabled);
return window.stops.map((one) => one.outerHTML.slice(0, 120));
"""
STOP = """
const now = document.activeElement, style = getComputedStyle(now), box = now.getBoundingClientRect();
const isOutlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
const isInView = box.left < innerWidth && box.right > 0 && box.top < innerHeight && box.bottom > 0;
return [window.stops.indexOf(now), isOutlined, isInView];
"""


@EACH_PAGE
def test_tab_reaches_everything_and_shows_where_it_is(window: Window, page: Page) -> None:
    window.open(page)
    stops = window.js(STOPS)
    unreached = set(range(len(stops)))
    for _ in range(2 * len(stops) + 10):
        if not unreached:
            break
        window.press(Keys.TAB)
        at, is_outlined, is_in_view = window.js(STOP)
        if at >= 0:
            unreached.discard(at)
            assert (is_outlined, is_in_view) == (True, True), stops[at]
    assert [stops[at] for at in sorted(unreached)] == []


# Every page


@EACH_PAGE
@pytest.mark.parametrize("sight", SIGHTS.values(), ids=SIGHTS)
def test_a_page_keeps_nobody_out(window: Window, page: Page, sight: Sight) -> None:
    window.see(sight)
    window.open(page)
    assert window.faults(sight) == []


@EACH_PAGE
def test_a_page_asks_its_own_site_only(window: Window, page: Page) -> None:
    window.open(page)
    asked = window.js("return performance.getEntries().map((entry) => entry.name)")
    named = window.js(
        "return [...document.querySelectorAll('[src], [href], [action]')]"
        ".map((one) => one.src || one.href || one.action)"
    )
    hosts = {urlsplit(address).netloc for address in [*asked, *named] if "://" in address}
    assert hosts == {urlsplit(window.driver.current_url).netloc}
    assert any(address.endswith("/static/trail.css") for address in asked)
