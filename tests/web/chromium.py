"""The support page in a real Chromium: the table of its pages, people who sign in, and what is asked of a page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from pipeline.lookup import open_scope
from pipeline.lookup.rows import Row, rows
from pipeline.privacy import DONE, Record, add_hold
from pipeline.settings import Settings
from pipeline.web.access import Actor, Person, write_person
from pipeline.web.app import make_app
from pipeline.web.passwords import hash_password
from tests.beacon.servers import chromium
from tests.web import served


class Page(NamedTuple):
    """A page as somebody sees it; `path` and `shows`, a text in it, name columns of `somebody`."""

    name: str
    who: str
    path: str
    shows: str


# A new page of the support page is a new line here: it is then looked at by axe, walked by keyboard and drawn.
PAGES = (
    Page("sign-in", "nobody", "/sign-in", "Password"),
    Page("search", "engineer", "/", "Find a user"),
    Page("search, found", "engineer", "/?q={surname}", "{email}"),
    Page("search, found by support", "support", "/?q={surname}", "{name}"),
    Page("search, nobody found", "engineer", "/?q=xqzxqzxqz", "Nobody found"),
    Page("search, why", "asked", "/?q={surname}", "Why do you look?"),
    Page("why", "asked", "/user/{user_id}", "Why do you look?"),
    Page("user", "engineer", "/user/{user_id}", "{email}"),
    Page("user, masked", "support", "/user/{user_id}", "{name}"),
    Page("visit", "engineer", "/visit/{visit_id}", "What happened"),
    Page("visit beside a healthy one", "engineer", "/visit/{visit_id}/beside", "{path}"),
    Page("request", "engineer", "/request/{request_id}", "Whose it is"),
    Page("request by support", "support", "/request/{request_id}", "Whose it is"),
    Page("who met it", "engineer", "/affected", "Who met it"),
    Page("who met it, found", "engineer", "/affected?path={path}&status=5xx&from=2026-03-02", "{email}"),
    Page("who met it, found by support", "support", "/affected?path={path}&status=5xx&from=2026-03-02", "{name}"),
    Page("who met it, mistyped", "engineer", "/affected?path={path}&status=many", "many"),
    Page("routes", "engineer", "/routes?from=2026-03-02&least=400", "Failing"),
    Page("who looked", "privacy", "/looks", "Who looked"),
    Page("privacy", "privacy", "/privacy", "overdue"),
    Page("not found", "stranger", "/user/{user_id}", "Not found"),
    Page("not for this role", "support", "/routes", "may not see this"),
    Page("refused", "engineer", "/?q=" + "long" * 1024, "This cannot be shown"),
)
PASSWORD = "correct horse battery"
# Each has a host of their own, `support.localhost`, so that all are signed in at once in one browser.
PEOPLE = {
    "engineer": Actor("engineer", "engineer", None),
    "support": Actor("support", "support", ("b01",)),
    "stranger": Actor("stranger", "support", ("b02",)),
    "outsider": Actor("outsider", "engineer", ("b02",)),
    "privacy": Actor("privacy", "privacy", None),
    "asked": Actor("asked", "engineer", None),
    "answering": Actor("answering", "support", ("b01",)),
}
_ASKED_WHY = ("asked", "answering")
_AXE = (files("selenium_axe_python") / "axe-core" / "axe.min.js").read_text("utf-8")
_RUN_AXE = """
const [options, done] = arguments;
const failed = (error) => done([{id: String(error), nodes: []}]);
axe.run(document, options).then((results) => done(results.violations), failed);
"""
_WIDTHS = "const all = document.documentElement; return [Math.min(all.clientWidth, screen.width), all.scrollWidth];"
_OPTIONS = {"preload": False, "rules": {"target-size": {"enabled": True}}}  # which WCAG 2.2 added; axe has it off


class Sight(NamedTuple):
    """How somebody's screen is, and which of axe's rules it makes a difference to; all where none are named."""

    scheme: str
    width: int
    rules: tuple[str, ...] = ()


SIGHTS = {
    "light": Sight("light", 1280),
    "dark": Sight("dark", 1280, ("color-contrast", "link-in-text-block")),
    "narrow": Sight("light", 390),
}


@dataclass
class Window:
    """A browser, and the support page that it opens.

    Attributes:
        driver: the browser.
        ports: of the server that asks why, and of the one that does not.
        somebody: of Business b01 alone, with a visit that has one before and one after it, and a failed request in it.
    """

    driver: WebDriver
    ports: Mapping[bool, int]
    somebody: Row
    _signed_in: set[str] = field(default_factory=set)

    @property
    def path(self) -> str:
        """Where the browser is, with the query and without the host."""
        parts = urlsplit(self.driver.current_url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def main(self) -> str:
        """The text of the page but for its header."""
        return self.one("main").text

    def fill(self, text: str) -> str:
        """Put what is known of somebody into a text."""
        return text.format_map(self.somebody)

    def go(self, who: str, path: str) -> None:
        """Open an address as somebody, who signs in first where they have not yet."""
        if who in PEOPLE and who not in self._signed_in:
            self._signed_in.add(who)
            self._open(who, "/sign-in")
            self.enter(who, PASSWORD)
        self._open(who, path.format_map({name: quote(str(value)) for name, value in self.somebody.items()}))

    def _open(self, who: str, path: str) -> None:
        self.driver.get(f"http://{who}.localhost:{self.ports[who in _ASKED_WHY]}{path}")

    def open(self, page: Page) -> None:
        """Open a page, which shows what it should."""
        self.go(page.who, page.path)
        assert self.fill(page.shows) in self.main, f"{page.name} at {self.path} shows {self.main[:400]!r}"

    def enter(self, name: str, password: str) -> None:
        """Fill in the sign-in page and send it."""
        for label, text in (("Name", name), ("Password", password)):
            box = self.labelled(label)
            box.clear()
            box.send_keys(text)
        self.click(self.button("Sign in"))

    def search(self, text: str) -> None:
        """Type into the search box and send it."""
        box = self.labelled("Find a user")
        box.clear()
        box.send_keys(text)
        self.click(self.button("Find"))

    def one(self, css: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def link(self, text: str) -> WebElement:
        return self.driver.find_element(By.LINK_TEXT, text)

    def button(self, text: str) -> WebElement:
        return self.driver.find_element(By.XPATH, f"//button[normalize-space()='{text}']")

    def labelled(self, text: str) -> WebElement:
        label = self.driver.find_element(By.XPATH, f"//label[normalize-space()='{text}']")
        return self.one(f"#{label.get_attribute('for')}")

    def click(self, element: WebElement) -> None:
        """Click what leads to another page, and wait for that page."""
        self.js("window.isOld = true;")
        element.click()
        self.wait(lambda: bool(self.js("return !window.isOld && document.readyState === 'complete'")))

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def focused(self) -> WebElement:
        return self.driver.switch_to.active_element

    def js(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def cdp(self, command: str, **values: Any) -> Any:
        """Tell the browser what no page can."""
        return self.driver.execute_cdp_cmd(command, values)

    def wait(self, is_so: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until something is so."""
        late = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < late, f"waited in vain at {self.path}"
            time.sleep(0.02)

    def see(self, sight: Sight) -> None:
        """Look at pages on such a screen from now on."""
        scheme = {"name": "prefers-color-scheme", "value": sight.scheme}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme])
        size = {"width": sight.width, "height": 900, "deviceScaleFactor": 1, "mobile": sight.width < 600}
        size |= {"screenWidth": sight.width, "screenHeight": 900}
        self.cdp("Emulation.setDeviceMetricsOverride", **size)

    def unfold(self) -> None:
        """Open what is folded, as axe and the eye see only what is open."""
        self.js("for (const folded of document.querySelectorAll('details')) folded.open = true;")

    def faults(self, sight: Sight) -> list[str]:
        """What axe finds on the page, a line for each element, and whether it is wider than the screen."""
        self.see(sight)
        self.unfold()
        self.js(_AXE)
        options = _OPTIONS | ({"runOnly": {"type": "rule", "values": sight.rules}} if sight.rules else {})
        found = self.driver.execute_async_script(_RUN_AXE, options)
        said = {one["id"]: [f"{node['html']}: {node.get('failureSummary')}" for node in one["nodes"]] for one in found}
        faults = [f"{rule}: {element}" for rule, elements in said.items() for element in elements or ["?"]]
        wide, content = self.js(_WIDTHS)
        return faults if content <= wide else [*faults, f"the page scrolls sideways: {content} of {wide} px"]

    def complaints(self) -> list[str]:
        """What the browser's console has since it was last asked, but that a page itself was refused."""
        driver: Any = self.driver  # selenium has no types for its log
        said = [str(entry["message"]) for entry in driver.get_log("browser")]
        refused = "Failed to load resource: the server responded with a status of 4"
        return [text for text in said if refused not in text or "/static/" in text]


@contextmanager
def support_page(settings: Settings, folder: Path, has_scripts: bool = True) -> Iterator[Window]:
    """Serve the support page to people with passwords, as it is and asking why, and open a browser.

    Args:
        settings: where the warehouse is.
        folder: an empty one, for what the browser and the server keep.
        has_scripts: whether the browser runs scripts.
    """
    access = folder / "access.toml"
    hashed = hash_password(PASSWORD)
    access.write_text("".join(write_person(Person(actor, hashed)) for actor in PEOPLE.values()), encoding="utf-8")
    settings = replace(settings, sign_in="accounts", access=access, access_log=folder / "access_log")
    settings = replace(settings, privacy=folder / "privacy")
    _ask(settings)
    asking = replace(settings, ask_why=True, access_log=folder / "access_log_why")
    if not has_scripts:
        preferences = folder / "profile" / "Default" / "Preferences"
        preferences.parent.mkdir(parents=True)
        blocked = {"profile": {"managed_default_content_settings": {"javascript": 2}}}
        preferences.write_text(json.dumps(blocked), encoding="utf-8")
    with (
        served(make_app(settings)) as plain,
        served(make_app(asking)) as why,
        chromium(folder) as driver,
    ):
        yield Window(driver, {False: plain.port, True: why.port}, _somebody(settings))


def _ask(settings: Settings) -> None:
    """Write down what Businesses asked: an open request long ago, one today, and a closed one."""
    record = Record(settings)
    record.receive("access", "b01", "u1", "pia", "The office", "T-1", datetime(2026, 3, 1, tzinfo=UTC))
    for kind in ("erasure", "correction"):
        record.receive(kind, "b01", "u1", "pia")
    record.close(3, DONE, "the directory was corrected", {"users": 1})
    add_hold(settings, "u2", "b01", "an invoice is not paid", date(2027, 1, 31), "pia")


def _somebody(settings: Settings) -> Row:
    with open_scope(settings) as connection:
        found = rows(connection, _SOMEBODY)[0]
    # A name like theirs, as somebody types it who heard it on the phone.
    first, surname = str(found["name"]).split()[0], str(found["name"]).split()[-1]
    return found | {"surname": surname, "misheard": f"{surname[:3]}{surname[2:]} {first}".lower()}


_SOMEBODY = """
with stays as (
    select visit_id, user_id, lag(visit_id) over own as before, lead(visit_id) over own as after
    from visits
    window own as (partition by user_id order by started_at, visit_id)
)
select user_lookup.*, visit_id, before, after, request_id, path
from user_lookup
inner join stays using (user_id)
inner join clickstream using (user_id, visit_id)
where business_ids = ['b01'] and name is not null and email is not null and status >= 500
    and before is not null and after is not null
order by user_id, request_id
limit 1
"""
