"""The script for pages in a real browser against a real web server, whose log is then read as any other."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By

from pipeline.cli import main
from tests.beacon.servers import ROOT, chromium, nginx
from tests.ingest.deliveries import House

SCRIPT = ROOT / "pipeline" / "beacon" / "trail.js"
PAGES = {
    "page": """<!doctype html><title>A page</title><script src="/trail.js" defer></script>
      <button data-trail="save note">Save the note of Ann Miller</button> <button id="plain">x</button>
      <a id="next" href="/notes?q=secret">Notes</a> <a href="https://elsewhere.example/path" id="">Elsewhere</a>
      <a class="odd" href="mailto:ann.miller@example.com">Write</a> <a class="odd" href="tel:+15550100">Call</a>
      <a class="odd" href="javascript:void('Ann Miller')">Open</a>
      <form><input id="box" name="box"><textarea id="area"></textarea></form><div id="free" contenteditable></div>""",
    "cookie": '<!doctype html><script src="/trail.js" defer data-cookie="visitor"></script>',
}
# Time passes as quickly as a test wants, and timers look at it at once.
CLOCK = """
  window.ahead = 0;
  const date = Date.now.bind(Date), clock = performance.now.bind(performance), timer = setInterval;
  Date.now = () => date() + window.ahead;
  performance.now = () => clock() + window.ahead;
  window.setInterval = (work, ms) => timer(work, 20);
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    with nginx(tmp_path, PAGES) as address:
        yield address


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    with chromium(tmp_path) as opened:
        yield opened


@pytest.fixture
def read(site: str, tmp_path: Path) -> Callable[[], House]:
    """Reads what the web server has logged, once nothing more comes."""

    def reads() -> House:
        log, size = tmp_path / "landing" / "web" / "access.log", -1
        while log.stat().st_size != size:
            size = log.stat().st_size
            time.sleep(0.4)
        house = House(tmp_path)
        house.run()
        return house

    return reads


def test_it_is_small_and_keeps_what_it_promises() -> None:
    assert CliRunner().invoke(main, ["beacon"]).output == SCRIPT.read_text()
    text = SCRIPT.read_bytes()
    assert len(gzip.compress(text, 9)) < 1500
    for typed in (b".value", b"innerText", b"textContent", b"innerHTML", b"event.key", b"localStorage", b"search"):
        assert typed not in text


def test_browsing_hiding_coming_back_and_closing(site: str, browser: WebDriver, read: Callable[[], House]) -> None:
    started = time.monotonic()
    browser.get(f"{site}/clients/7")
    first = browser.current_window_handle
    time.sleep(1.5)
    browser.find_element(By.CSS_SELECTOR, "[data-trail]").click()
    browser.find_element(By.ID, "plain").click()
    browser.switch_to.new_window("tab")
    time.sleep(2)
    browser.switch_to.window(first)
    time.sleep(1)
    browser.find_element(By.ID, "next").click()
    left = time.monotonic()
    time.sleep(0.7)
    browser.close()
    closed = time.monotonic()
    time.sleep(0.5)
    house = read()
    told = house.rows(
        """
        select event, event_label, event_page, linked_by from clickstream where kind = 'event'
        order by occurred_at, event
        """
    )
    assert told == [
        ("click", "save note", "/clients/7", None),
        ("click", "#plain", "/clients/7", None),
        ("hide", None, "/clients/7", None),
        ("click", "#next", "/clients/7", None),
        ("hide", None, "/clients/7", None),
        ("hide", None, "/notes", None),
    ]
    pages = dict(house.rows("select path, engaged_s from clickstream where kind = 'page'"))
    assert 2.4 < pages["/clients/7"] < left - started - 1.9  # the two seconds behind another tab are not among them
    assert 0.5 < pages["/notes"] < closed - left + 0.5
    assert house.rows("select count(*) from clickstream where kind = 'event' and engaged_s is not null") == [(0,)]
    ((basis, length, observed, engaged, acts, entry, end),) = house.rows(
        "select length_basis, length_s, observed_s, engaged_s, acts, entry_path, exit_path from visits"
    )
    assert (basis, acts, entry, end) == ("events", 3, "/clients/7", "/notes")
    assert length == observed > 5
    assert engaged == pytest.approx(pages["/clients/7"] + pages["/notes"])


def test_nothing_typed_and_no_cookie_is_kept(
    site: str, browser: WebDriver, read: Callable[[], House], tmp_path: Path
) -> None:
    browser.get(f"{site}/clients/7?search=swordfish")
    for name in ("box", "area", "free"):
        browser.find_element(By.ID, name).send_keys("swordfish")
    browser.find_element(By.ID, "plain").click()
    browser.find_element(By.CSS_SELECTOR, "[data-trail]").click()
    for link in browser.find_elements(By.CLASS_NAME, "odd"):
        browser.execute_script("arguments[0].addEventListener('click', e => e.preventDefault())", link)
        link.click()
    browser.get(f"{site}/notes")
    assert browser.get_cookies() == []
    assert browser.execute_script("return localStorage.length + sessionStorage.length") == 0
    reports = [
        line for line in (tmp_path / "landing/web/access.log").read_text().splitlines() if "/trail/event" in line
    ]
    assert len(reports) >= 3
    for line in reports:
        assert "swordfish" not in line
        assert "iller" not in line
        assert "5550100" not in line
    assert sum("l=mailto%3A" in line or "l=tel%3A" in line or "l=javascript%3A" in line for line in reports) == 3


def test_a_cookie_that_is_asked_for_names_the_visitor(site: str, browser: WebDriver, read: Callable[[], House]) -> None:
    browser.get(f"{site}/cookie")
    cookie = browser.get_cookie("visitor")
    assert cookie is not None
    assert re.fullmatch("[0-9a-z]{20,32}", cookie["value"])
    assert cookie["sameSite"] == "Lax"
    browser.get(f"{site}/cookie?as=u1")
    assert browser.get_cookie("visitor") == cookie
    browser.get("about:blank")
    house = read()
    assert set(house.rows("select visitor_id from clickstream where kind = 'event'")) == {(f"c-{cookie['value']}",)}
    assert set(house.rows("select user_id, linked_by from clickstream where kind = 'event'")) == {("u1", "same_visit")}


def test_a_page_without_requests_of_its_own_and_words_of_its_own(
    site: str, browser: WebDriver, read: Callable[[], House]
) -> None:
    browser.get(f"{site}/app")
    browser.execute_script("history.replaceState({}, '', '/app?sorted=yes')")
    browser.execute_script("history.pushState({}, '', '/app/inbox?typed=swordfish')")
    time.sleep(0.6)
    again = "const s = document.createElement('script'); s.src = '/trail.js'; document.body.append(s)"
    browser.execute_script(again)  # as pages do that put their body together anew
    browser.execute_script("trail('saved', 'a report & more')")
    browser.execute_script("history.back()")
    time.sleep(0.3)
    browser.get("about:blank")
    house = read()
    told = house.rows(
        """
        select event, event_label, event_page from clickstream where kind = 'event' order by occurred_at, event
        """
    )
    assert told == [
        ("hide", None, "/app"),
        ("view", None, "/app/inbox"),
        ("saved", "a report & more", "/app/inbox"),
        ("hide", None, "/app/inbox"),
        ("view", None, "/app"),
        ("hide", None, "/app"),
    ]
    looked_at = house.rows("select event, event_page from clickstream where kind = 'event' and engaged_s > 0.4")
    assert ("view", "/app/inbox") in looked_at
    assert house.rows("select exit_path, length_basis, page_views from visits") == [("/app", "events", 1)]


def test_a_page_in_view_for_long_speaks_up_until_nobody_is_there(
    site: str, browser: WebDriver, read: Callable[[], House]
) -> None:
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": CLOCK})
    browser.get(f"{site}/long")
    for minutes in (10, 10, 10, 10, 200):
        browser.execute_script(f"window.ahead += {minutes} * 60000")
        time.sleep(0.3)
    browser.get("about:blank")
    house = read()
    reports = house.rows("select query from requests where kind = 'event' order by occurred_at")
    told = [re.match(r"e=(\w+)&v=\w+&a=(\d+)&t=(\d+)&p=%2Flong", query) for (query,) in reports]
    found = [(each[1], round(int(each[2]) / 60000), round(int(each[3]) / 60000)) for each in told if each]
    assert found == [("still", 20, 20), ("still", 40, 10), ("hide", 240, 0)]
