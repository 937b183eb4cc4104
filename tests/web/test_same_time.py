"""What is in another Business and what does not exist: the same answer, from the same work, noted alike.

A clock would say little here, and differently each time: `tests/benchmarks/same_time.py` has it. The work is what can
be held to be the same: which statements are asked, and how many rows each gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import duckdb
import pytest

from pipeline.audit import read_entries
from pipeline.lookup import find_users, open_scope, request_story, user_story, visit_story
from pipeline.settings import Settings
from pipeline.web import scopes
from pipeline.web.app import make_app
from tests.benchmarks.same_time import BUSINESS, WHO, Pair, pairs, support_settings
from tests.conftest import Demo
from tests.web import Answer, Browser, served

Statement = tuple[str, Any, int]


class Recording:
    """A connection that writes down each statement with its parameters and the rows that it gave."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, done: list[Statement]) -> None:
        self._connection = connection
        self._done = done

    def execute(self, query: str, parameters: object = None) -> Recording:
        self._connection.execute(query, parameters)
        self._done.append((query, parameters, 0))
        return self

    def sql(self, query: str, **given: Any) -> duckdb.DuckDBPyRelation:
        found = self._connection.sql(query, **given)
        self._done.append((query, given, len(found)))
        return found

    def fetchall(self) -> list[Any]:
        found = self._connection.fetchall()
        query, parameters, _ = self._done[-1]
        self._done[-1] = (query, parameters, len(found))
        return found

    def fetchone(self) -> Any:
        return self._connection.fetchone()

    @property
    def description(self) -> Any:
        return self._connection.description

    def cursor(self) -> Recording:
        return Recording(self._connection.cursor(), self._done)

    def close(self) -> None:
        self._connection.close()


class Desk:
    """Support of one Business at the page, and what their questions make the warehouse do."""

    def __init__(self, settings: Settings, browser: Browser, done: list[Statement]) -> None:
        self.settings = settings
        self._browser = browser
        self._done = done

    def ask(self, path: str, method: str = "GET") -> tuple[Answer, list[Statement], dict[str, Any]]:
        """Ask for a page: the answer, the statements, and the last entry of the access log."""
        self._done.clear()
        answer = self._browser.ask(method, path, [("X-Forwarded-Email", WHO), ("Sec-Fetch-Site", "same-origin")])
        *_, entry = read_entries(self.settings.access_log)
        return answer, list(self._done), asdict(entry)


@pytest.fixture(scope="module")
def asked(demo: Demo) -> list[Pair]:
    return pairs(demo.settings, most=4)


@pytest.fixture(scope="module")
def desk(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    settings = support_settings(demo.settings, tmp_path_factory.mktemp("same"))
    done: list[Statement] = []

    def recorded(*given: Any, **named: Any) -> Recording:
        return Recording(open_scope(*given, **named), done)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scopes, "open_scope", recorded)
        with served(make_app(settings)) as browser:
            found = Desk(settings, browser, done)
            browser.ask("GET", "/?q=nobody", [("X-Forwarded-Email", WHO)])  # which opens the scope
            yield found


def _without(said: Any, text: str) -> str:
    """Write something down with a text left out."""
    return repr(said).replace(repr(text)[1:-1], "…")


def _work(done: list[Statement], text: str) -> list[tuple[str, str, int]]:
    return [(query, _without(parameters, text), found) for query, parameters, found in done]


def _shown(answer: Answer, text: str) -> tuple[int, str, list[tuple[str, str]]]:
    headers = [(name, value) for name, value in answer.headers.items() if name.lower() != "date"]
    return answer.status, answer.body.replace(text, "…"), headers


def _noted(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in ("seq", "at", "hash")}


def test_every_kind_of_question_is_tried(asked: list[Pair]) -> None:
    kinds = {pair.kind for pair in asked}
    assert {"user", "visit", "request", "search for a name", "search for an email", "search for a visit"} <= kinds


def test_pages_are_the_same_by_the_same_work(desk: Desk, asked: list[Pair]) -> None:
    for pair in asked:
        (here, did, noted), (there, did_there, noted_there) = (desk.ask(path) for path in pair.paths)
        assert _shown(here, pair.elsewhere) == _shown(there, pair.absent), pair
        assert here.status == (200 if pair.kind.startswith("search") else 404), pair
        assert [(query, found) for query, _, found in did] == [(query, found) for query, _, found in did_there], pair
        assert did, pair
        assert _noted(noted) == _noted(noted_there), pair
        assert (noted["outcome"], noted["subjects"], noted["target"], noted["rows"]) == ("nothing", (), "", 0), pair
        if pair.kind in ("user", "visit", "request"):
            assert _work(did, pair.elsewhere) == _work(did_there, pair.absent), pair
            assert all(found == 0 for _, _, found in did), pair


@pytest.mark.parametrize(
    ("kind", "page", "method"),
    [
        ("visit", "/visit/{}.csv", "GET"),
        ("visit", "/visit/{}.json", "GET"),
        ("user", "/user/{}/reveal", "POST"),
    ],
)
def test_what_is_made_of_a_page_is_the_same_too(
    desk: Desk, asked: list[Pair], kind: str, page: str, method: str
) -> None:
    for pair in (pair for pair in asked if pair.kind == kind):
        (here, did, noted), (there, did_there, noted_there) = (
            desk.ask(page.format(text), method) for text in (pair.elsewhere, pair.absent)
        )
        assert _shown(here, pair.elsewhere) == _shown(there, pair.absent), pair
        assert here.status == 404
        assert _work(did, pair.elsewhere) == _work(did_there, pair.absent), pair
        assert _noted(noted) == _noted(noted_there), pair


def test_the_lookups_ask_the_same_of_a_scope(demo: Demo, asked: list[Pair]) -> None:
    with open_scope(demo.settings, [BUSINESS], in_memory=True) as scope:
        for pair in asked:
            work = []
            for text in (pair.elsewhere, pair.absent):
                done: list[Statement] = []
                assert not _look(Recording(scope, done), demo.settings, pair.kind, text), pair
                work.append([(query, found) for query, _, found in done])
            assert work[0] == work[1], pair


def _look(scope: Any, settings: Settings, kind: str, text: str) -> object:
    if kind == "request":
        return request_story(scope, settings, text)
    if kind == "visit":
        return visit_story(scope, text)
    return user_story(scope, text) if kind == "user" else find_users(scope, text)


def test_the_work_differs_where_something_is_in_scope(demo: Demo) -> None:
    """Else nothing above would show anything."""
    with open_scope(demo.settings, [BUSINESS], in_memory=True) as scope:
        found = scope.execute(
            "select user_id, visit_id, request_id from clickstream where user_id is not null"
        ).fetchone()
        assert found
        for kind, text in zip(("user", "visit", "request"), found, strict=True):
            done: list[Statement] = []
            assert _look(Recording(scope, done), demo.settings, kind, text)
            assert len(done) > 1
            assert any(rows for _, _, rows in done)


def test_the_day_of_an_id_tells_whether_there_are_logs_of_it_and_no_more(desk: Desk, asked: list[Pair]) -> None:
    """Which days were logged is no Business's secret; the statements are the same for any day."""
    for kind in ("visit", "request"):
        pair = next(pair for pair in asked if pair.kind == kind)
        other = f"19990101{pair.absent[8:]}"
        (here, did, _), (there, did_there, _) = (desk.ask(f"/{kind}/{text}") for text in (pair.absent, other))
        assert _shown(here, pair.absent) == _shown(there, other)
        assert [(query, found) for query, _, found in did] == [(query, found) for query, _, found in did_there]
