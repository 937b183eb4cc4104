"""Hostile strings in every field of the log and of the directory: nothing on a page changes but text.

Each string is a user, of whom the pages must be as those of a user with harmless words. The strings are in `hostile`;
what a reader makes of odd lines is tested in `tests/ingest`.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit

import duckdb
import pytest
from click.testing import CliRunner
from selenium.webdriver.chrome.webdriver import WebDriver

from assets.launch import RunSummary, run_everything
from pipeline.cli import look, main
from pipeline.cli import scope as asked_by
from pipeline.lookup import open_scope
from pipeline.people.directory import read_directory
from pipeline.plain import plain
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import connect
from pipeline.web import pages
from pipeline.web.app import make_app
from pipeline.web.safety import HEADERS, LONGEST_TARGET
from tests.beacon.servers import chromium
from tests.web import LOOPBACK, Answer, Browser, served
from tests.web.hostile import (
    HARMLESS,
    HOSTILE,
    LONGEST_ID,
    MARK,
    NO_TEXT,
    STRINGS,
    TEXTS,
    Case,
    bare_path,
    deliver,
    find_cases,
)

MARKUP = ("elements", "endings", "attributes", "addresses", "encoded", "templates", "styles")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_LOOKUPS = ("find_users", "user_story", "visit_story", "request_story")


@dataclass(frozen=True)
class Site:
    """The warehouse of the strings."""

    root: Path
    settings: Settings
    summary: RunSummary
    cases: list[Case]


Answers = dict[str, list[tuple[Case, Answer]]]


def _asked_once(patch: pytest.MonkeyPatch) -> None:
    """Ask the warehouse once for each story, which several pages and commands show."""
    for name in _LOOKUPS:
        known: dict[str, Any] = {}
        patch.setattr(pages, name, _remembered(getattr(pages, name), known))
        patch.setattr(look, name, _remembered(getattr(look, name), known))


def _remembered(ask: Callable[..., Any], known: dict[str, Any]) -> Callable[..., Any]:
    def answer(connection: Any, *given: Any, **named: Any) -> Any:
        key = repr([one for one in given if isinstance(one, str)])
        if key not in known:
            known[key] = ask(connection, *given, **named)
        return copy.deepcopy(known[key])

    return answer


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("hostile")
    deliver(root)
    (root / "cwd").mkdir()
    settings = load_settings(root / "trail.toml", {})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root / "cwd")
        summary = run_everything(settings, root / "trail.toml")
        _asked_once(patch)
        yield Site(root, settings, summary, find_cases(settings))


def _ask(browser: Browser, who: str, path: str) -> Answer:
    """Ask for a page; search may lead on to another."""
    answer = browser.ask("GET", path, [("X-Forwarded-Email", f"{who}@example.net")])
    return _ask(browser, who, _led_to(answer)) if answer.status == 303 else answer


def _led_to(answer: Answer) -> str:
    """Where an answer leads to: a path here, whatever was asked."""
    (location,) = answer.headers.get_all("Location", [])
    assert re.fullmatch("/(?![/\\\\])[!-~]*", location), f"led to {location!r}"
    return location


@pytest.fixture(scope="module")
def answers(site: Site) -> Answers:
    """Every page of every string, by name, the harmless ones first."""
    asked = [(name, case, path) for place, case in enumerate(site.cases) for name, path in case.paths(place).items()]
    with served(make_app(site.settings)) as browser, ThreadPoolExecutor(2) as pool:
        came = pool.map(lambda one: _ask(browser, one[0].split()[1], one[2]), asked)
        found: Answers = {}
        for (name, case, _), answer in zip(asked, came, strict=True):
            found.setdefault(name, []).append((case, answer))
    return found


# What a page is made of


class Page(HTMLParser):
    """Reads a page: its elements with their attributes in order, and its text."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.tags: list[Any] = []
        self.text = ""
        self.feed(body)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append([tag, attrs])

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")

    def unknown_decl(self, data: str) -> None:
        self.tags.append("declaration")

    def handle_pi(self, data: str) -> None:
        self.tags.append("instruction")


IDS = {text[:LONGEST_ID] for text in TEXTS}
_FREE = ("value", "title")
_OWN = re.compile(r"/[a-z-]*|/static/[a-z.]+|#content|(/visit/|/request/)\d{8}-[0-9a-f]{16}(\.csv|\.json|/beside)?")
_ONE_ID = re.compile(r"\d{8}-[0-9a-f]{16}")


def _attribute(name: str, value: str) -> str:
    """Write an attribute with what may differ left out: which user, visit or request, and texts to read or send."""
    if name in ("href", "action", "src"):
        landed = urlsplit(urljoin("http://trail/visit/x", value))
        user = unquote(landed.path.removeprefix("/user/"))
        is_user = landed.netloc == "trail" and landed.path.startswith("/user/")
        if is_user and {user, user.removesuffix("/reveal")} & IDS:
            return f"{name}=user"
        if value in ("/user/.", "/user/.."):  # a browser leads to the first page: such a segment is in no address
            return f"{name}=user"
        bare = value.partition("#")[0] if value.startswith("/visit/") else value
        return f"{name}={_ONE_ID.sub('ID', value) if _OWN.fullmatch(bare) else f'elsewhere: {value!r}'}"
    if name == "id":
        return f"{name}={_ONE_ID.sub('ID', value)}"
    return name if name in _FREE else f"{name}={value}"


_FACT = re.compile(r"(<div>\n<dt>\n/dt\n<dd>\n/dd\n/div\n)\1+")
_ROW = re.compile(r"(<tr>\n(?:(?!/tr\n).*\n)*/tr\n)\1+")


def structure(tags: list[Any]) -> str:
    """Write what a page is made of, a tag a line; equal rows and facts that follow each other count as one."""
    lines = [tag if isinstance(tag, str) else _start(*tag) for tag in tags]
    written = "\n".join(line if line.startswith("<") else f"/{line}" for line in lines) + "\n"
    return _ROW.sub(r"\1", _FACT.sub(r"\1", written))


def _start(tag: str, attributes: list[tuple[str, str | None]]) -> str:
    return "<" + " ".join([tag, *(_attribute(name, value or "") for name, value in attributes)]) + ">"


def _told(problems: list[str]) -> str:
    return f"{len(problems)} problems:\n" + "\n".join(problems[:20])


def _shown(text: str) -> str:
    return ascii(text if len(text) < 100 else f"{text[:100]}…")


def _first_difference(found: str, usual: set[str]) -> str:
    """Where a structure parts from the usual one that is most like it."""
    lines = found.split("\n")
    parts = [list(zip_longest(lines, one.split("\n"))) for one in usual]
    places = [next((at for at, (one, other) in enumerate(pairs) if one != other), len(pairs) - 1) for pairs in parts]
    one, other = parts[places.index(max(places))][max(places)]
    return f"{one!r} in place of {other!r}"


def _obeyed(text: str) -> str:
    """What of a text a page or a terminal would obey; empty where nothing."""
    found = sorted({char for char in set(text) if not char.isprintable() and char != "\n"})
    return f"{''.join(found)!a} as they are" if found else ""


def _problems(answers: Answers, names: tuple[str, ...], check: Callable[[Case, Answer], str]) -> list[str]:
    """What a check says of each answer, with the page and the string."""
    return [
        f"{name} of {_shown(case.text)}: {found}"
        for name in names
        for case, answer in answers[name]
        if (found := check(case, answer))
    ]


# What must hold


PAGES = ("search sup", "user eng", "visit eng", "act eng", "silent eng", "silent sup", "text eng")
FILES = ("csv eng", "json eng")


def test_every_line_is_kept_but_what_is_no_text(site: Site) -> None:
    lines = site.summary.lines
    spoilt = len(NO_TEXT) + sum(not half.isascii() for half in NO_TEXT) + sum("\0" in text for text in TEXTS)
    assert (lines["rejected"], lines["duplicate"], lines["blank"]) == (spoilt, 0, 0)
    assert lines["kept"] == len(TEXTS) * 6 + len(NO_TEXT) * 2 - spoilt
    assert len(STRINGS) == len(set(STRINGS)) >= 200
    # Some of the strings are emails and tokens; of which kind is told, and none as it is.
    (told,) = site.summary.failed_checks
    assert told.startswith("requests: addresses hold what `trail privacy found` tells, such as ")


@pytest.fixture(scope="module")
def wanted(site: Site, answers: Answers) -> dict[str, set[str]]:
    """What each page may be made of: as of harmless strings, or as where there is nothing of the kind."""
    made = {name: {structure(Page(answer.body).tags) for _, answer in answers[name][: len(HARMLESS)]} for name in PAGES}
    with served(make_app(site.settings)) as browser:
        for asked in ("zzzzzzzz", "", "/zzz", "reference-0"):
            made["search sup"].add(structure(Page(_ask(browser, "sup", f"/?q={asked}").body).tags))
        refused = structure(Page(_ask(browser, "eng", "/user/zzzzzzzz").body).tags)
    return made | {"refused": {refused}}


def _is_refused(case: Case, answer: Answer) -> bool:
    """Whether a user's page is one that no address leads to: too long, or with an end of a line."""
    is_odd = "\n" in case.user or len(quote(case.user, safe="")) > LONGEST_TARGET - 10
    return is_odd and answer.status in (404, 414)


def test_nothing_of_a_page_changes_but_text(answers: Answers, wanted: dict[str, set[str]]) -> None:
    problems = []
    for name in PAGES:
        for case, answer in answers[name]:
            may = wanted["refused" if name == "user eng" and _is_refused(case, answer) else name]
            if (found := structure(Page(answer.body).tags)) not in may:
                problems.append(f"{name} of {_shown(case.text)}: {_first_difference(found, may)}")
    assert not problems, _told(problems)


def test_strings_are_shown_and_what_would_be_obeyed_as_escapes(answers: Answers) -> None:
    def is_raw(case: Case, answer: Answer) -> str:
        return _obeyed(answer.body)

    def is_missing(case: Case, answer: Answer) -> str:
        text = Page(answer.body).text
        path = plain(f"POST /p/{bare_path(case.text)}")
        said = [plain(case.text), plain(case.user), path]
        return "" if all(one in text for one in said) or _is_refused(case, answer) else "a field is not shown"

    problems = _problems(answers, (*PAGES, *FILES), is_raw)
    problems += _problems(answers, ("user eng", "visit eng"), is_missing)
    assert not problems, _told(problems)


def test_headers_are_those_of_a_harmless_page(answers: Answers) -> None:
    def is_other(case: Case, answer: Answer) -> str:
        found = sorted(name.lower() for name in answer.headers if name.lower() != "date")
        if found != sorted(usual) or any(answer.headers.get_all(name) != [value] for name, value in HEADERS.items()):
            return f"headers {answer.headers.items()}"
        name = answer.headers.get("Content-Disposition", "")
        is_named = not name or re.fullmatch(f'attachment; filename="visit-{case.visit}.(csv|json)"', name)
        return "" if is_named and "unsafe" not in answer.headers["Content-Security-Policy"] else f"named {name!r}"

    problems = []
    for name in (*PAGES, *FILES):
        usual = [key.lower() for key in answers[name][0][1].headers if key.lower() != "date"]
        problems += _problems(answers, (name,), is_other)
    assert not problems, _told(problems)


def _formulas(body: str, delimiter: str) -> list[str]:
    cells = [cell for row in csv.reader(io.StringIO(body, newline=""), delimiter=delimiter) for cell in row]
    return [cell for cell in cells if cell.startswith(FORMULA) and not re.fullmatch(r"-?[0-9.]+", cell)]


def test_no_cell_of_a_csv_is_a_formula(answers: Answers) -> None:
    def is_wrong(case: Case, answer: Answer) -> str:
        if found := _formulas(answer.body, ","):
            return f"cells {found}"
        acts = list(csv.DictReader(io.StringIO(answer.body, newline="")))
        is_whole = [act["kind"] for act in acts] == ["page", "page", "event"]
        is_said = acts[-1]["event_label"].replace("'", "") == plain(case.text).replace("'", "")
        return "" if is_whole and is_said else f"rows {acts}"

    problems = _problems(answers, ("csv eng",), is_wrong)
    assert not problems, _told(problems)


def test_no_cell_is_a_formula_where_a_semicolon_parts_cells(answers: Answers) -> None:
    """A spreadsheet takes it for the separator in countries where a comma begins a fraction."""
    problems = _problems(answers, ("csv eng",), lambda _, answer: ", ".join(_formulas(answer.body, ";")))
    assert not problems, _told(problems)


def test_json_gives_the_strings_back(answers: Answers) -> None:
    def is_other(case: Case, answer: Answer) -> str:
        visit = json.loads(answer.body)
        page, _, report = visit["acts_in_order"]
        found = [visit["user_id"], visit["user_name"], visit["business_name"], visit["referrer"], page["path"]]
        found += [page["referrer"], report["event"], report["event_label"], page["visitor_id"].removeprefix("c-")[:256]]
        path = bare_path(f"/p/{case.text}/end")
        said = [case.user, case.text, case.text, case.text, path, case.text, case.text, case.text]
        is_alike = found[:8] == said and (len(case.user) > 256 or found[8] == case.user)
        return "" if is_alike and answer.body.isascii() else f"not what was sent: {ascii(found)[:300]}"

    problems = _problems(answers, ("json eng",), is_other)
    assert not problems, _told(problems)


def test_a_terminal_is_told_nothing_to_obey(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = CliRunner()

    def trail(*arguments: str) -> str:
        return runner.invoke(main, ["--config", str(site.root / "trail.toml"), *arguments]).output

    problems = []
    log = trail("doctor", str(site.root / "landing" / "json" / "a.log"))
    assert "invalid_utf8" in log
    assert not _obeyed(log)
    with open_scope(site.settings, in_memory=True) as scope, connect(site.settings) as whole:
        monkeypatch.setattr(asked_by, "open_scope", lambda *_: _cursor(scope))
        monkeypatch.setattr(asked_by, "connect", lambda *_: _cursor(whole, "main"))
        for case in site.cases:
            told = {
                "user": trail("user", "--", case.user),
                "visit": trail("visit", case.visit),
                "explain": trail("explain", case.act if case.in_text is None else case.silent),
                "no Business": trail("user", "--business", f"{case.user}?", "--", "x"),
            }
            assert case.visit in told["visit"], f"visit of {_shown(case.text)}: {told['visit']}"
            assert "there is no Business" in told["no Business"]
            problems += [
                f"{name} of {_shown(case.text)}: {found}" for name, out in told.items() if (found := _obeyed(out))
            ]
    assert not problems, _told(problems)


def _cursor(connection: duckdb.DuckDBPyConnection, schema: str = "in_scope") -> duckdb.DuckDBPyConnection:
    cursor = connection.cursor()
    cursor.execute(f"set schema = '{schema}'")
    return cursor


def test_what_is_sent_leads_nowhere_else_and_is_told_as_text(site: Site, tmp_path: Path) -> None:
    """Reasons, and where to go on to, are sent by whoever is signed in, or by a link that they were given."""
    asking = replace(site.settings, ask_why=True, access_log=tmp_path / "asked")
    accounts = replace(site.settings, sign_in="accounts", sign_in_proxies=(), access_log=tmp_path / "accounts")
    headers = [("X-Forwarded-Email", "sup@example.net"), ("Sec-Fetch-Site", "same-origin")]
    problems: list[str] = []
    made: dict[str, str] = {}
    with served(make_app(asking)) as team, served(make_app(accounts)) as guest:
        for text in TEXTS:
            sent = team.ask("POST", "/why", headers, urlencode({"why": text, "next": text}).encode())
            assert sent.status == 303
            assert _led_to(sent) in ("/", quote(text, safe=":/%#?=@[]!$&'()*+,;")), _shown(text)
            led = guest.get(f"/{quote(text[:LONGEST_ID])}")
            found = {
                "why": _ask(team, "sup", "/user/harmless"),
                "search": _ask(team, "sup", "/?why=" + quote(text[:200])),
                "sign-in": guest.get(f"/sign-in?next={quote(text[:LONGEST_ID])}"),
                "led to sign-in": guest.get(_led_to(led)) if led.status == 303 else guest.get("/sign-in"),
            }
            for name, answer in found.items():
                key = f"{name} {bool(text.strip())}" if name == "why" else name
                now = structure(Page(answer.body).tags)
                if now != made.setdefault(key, now):
                    problems.append(f"{key} of {_shown(text)}: {_first_difference(now, {made[key]})}")
                if raw := _obeyed(answer.body):
                    problems.append(f"{key} of {_shown(text)}: {raw}")
    assert not problems, _told(problems)
    listed = CliRunner().invoke(main, ["--config", str(site.root / "trail.toml"), "audit", "list"])
    assert HARMLESS[0] in listed.output
    assert not _obeyed(listed.output)


_WATCH = """
window.obeyed = [];
for (const name of ["alert", "confirm", "prompt", "open"]) window[name] = () => window.obeyed.push(name);
addEventListener("securitypolicyviolation", (event) => window.obeyed.push(`policy: ${event.violatedDirective}`));
"""
_SEEN = f"""
const loaded = performance.getEntries().map((entry) => entry.name).filter((name) => name.includes("//"));
const away = loaded.filter((name) => new URL(name).host !== location.host);
return [window.obeyed, window.{MARK} ?? null, away, location.host, document.scripts.length];
"""
_TAGS = """
const walk = (node, out) => {
  for (const child of node.children) {
    out.push([child.localName, [...child.attributes].map((one) => [one.name, one.value])]);
    walk(child, out);
    out.push(child.localName);
  }
  return out;
};
return arguments[0].map((body) => walk(new DOMParser().parseFromString(body, "text/html"), []));
"""


def test_a_browser_runs_and_loads_nothing_of_them(site: Site, answers: Answers, tmp_path: Path) -> None:
    local = replace(site.settings, sign_in="none", sign_in_proxies=(), access_log=tmp_path / "access_log")
    markup = {text for group in MARKUP for text in HOSTILE[group]}
    problems = []
    with served(make_app(local)) as browser, chromium(tmp_path) as driver:
        here = f"{LOOPBACK}:{browser.port}"
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
        for place, case in enumerate(site.cases):
            name, path = list(case.paths(0).items())[place % 3]
            if case.text in markup:
                driver.get(f"http://{here}{path}")
                if (seen := driver.execute_script(_SEEN)) != [[], None, [], here, 1]:
                    problems.append(f"{name} of {_shown(case.text)}: {seen}")
        for name in PAGES:
            asked = [one for one in answers[name] if one[0].text in markup or one[0].text in HARMLESS]
            made = _read(driver, [answer.body for _, answer in asked])
            usual = set(made[: len(HARMLESS)])
            for (case, answer), found in zip(asked, made, strict=True):
                if not (found in usual or name == "search sup" or _is_refused(case, answer)):
                    problems.append(f"{name} of {_shown(case.text)}, read: {_first_difference(found, usual)}")
    assert not problems, _told(problems)


def _read(driver: WebDriver, bodies: list[str]) -> list[str]:
    """Read pages as the browser does, without opening them, and write what they are made of."""
    parts = [driver.execute_script(_TAGS, bodies[start : start + 50]) for start in range(0, len(bodies), 50)]
    return [structure(tags) for part in parts for tags in part]


def test_a_directory_in_csv_takes_each_string_as_it_is(tmp_path: Path) -> None:
    copies = [(f"{number}: {text[:LONGEST_ID]}", text) for number in range(8) for text in TEXTS]
    named = {
        "users": [*copies, *((text[:LONGEST_ID], text) for text in TEXTS)],
        "businesses": [(text, text) for text in TEXTS],
    }
    for name, listed in named.items():
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("id", "name"), *listed])
    found = read_directory(Settings(users=str(tmp_path)))
    for name, listed in named.items():
        key = "user_id" if name == "users" else "business_id"
        read = {row[key]: row["name"] for row in found[name].to_pylist()}
        lost = [_shown(text) for text, said in listed if read.get(text) != said]
        assert not lost, f"{name}: {_told(lost)}"


def test_nothing_of_them_is_a_path(site: Site, answers: Answers) -> None:
    assert answers
    known = {"landing", "users", "cwd", "warehouse", "access_log", "access.toml", "trail.toml"}
    assert {path.name for path in site.root.iterdir()} == known
    assert list((site.root / "cwd").iterdir()) == []
    assert not [path for path in (Path("/tmp") / MARK, *site.root.parent.glob(f"*{MARK}*")) if path.exists()]
    names = {part for path in site.root.rglob("*") for part in path.relative_to(site.root).parts}
    odd = sorted(name for name in names if not re.fullmatch(r"[A-Za-z0-9_.=-]+", name) or MARK in name)
    assert odd == []
