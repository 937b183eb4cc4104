"""Which acts a pattern takes: told plainly, and the same in Python as in SQL on random catalogues."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features import Catalogue, Feature, Pattern
from pipeline.features.patterns import read_pattern
from pipeline.models import bare_select
from tests.features.acts import PERIOD, clickstream

Key = tuple[str | None, str | None, str | None, str | None, str | None, int | None]
COLUMNS = ("method", "host", "route", "event", "event_label", "status")


def takes(said: dict[str, Any], **act: Any) -> bool:
    return read_pattern(said).takes(*(act.get(column) for column in COLUMNS))


CASES: list[tuple[str, list[str], list[str | None]]] = [
    ("/clients", ["/clients"], ["/clients/", "/clientsx", "/clients/{id}", "/", "/Clients"]),
    ("/clients/*", ["/clients/{id}", "/clients/*", "/clients/a\nb"], ["/clients", "/clients/", "/clients/a/b"]),
    ("/clients/**", ["/clients", "/clients/", "/clients/a/b\n/c"], ["/clientsx", "/client", "/x/clients/a"]),
    ("/*/edit", ["/a/edit", "/{id}/edit"], ["/edit", "/a/b/edit", "//edit", "/a/edit/", "/a/edit\n"]),
    ("/a/*/**", ["/a/b", "/a/b/c"], ["/a", "/a/"]),
    ("/**", ["/", "/a", "/a/b", "//"], ["a", None]),
    ("/a.b+(c)/*", ["/a.b+(c)/d"], ["/axb+(c)/d", "/a.bb(c)/d", "/a.b+c/d"]),
]


@pytest.mark.parametrize(("said", "taken", "left"), CASES)
def test_routes(said: str, taken: list[str], left: list[str | None]) -> None:
    assert [route for route in taken if not takes({"route": said}, route=route)] == []
    assert [route for route in left if takes({"route": said}, route=route)] == []


def test_hosts() -> None:
    assert takes({"host": "a.example"}, host="a.example")
    assert not takes({"host": "a.example"}, host="b.a.example")
    assert takes({"host": "*.example"}, host="b.a.example")
    assert not takes({"host": "*.example"}, host="example")
    assert not takes({"host": "*.example"}, host="badexample")
    assert not takes({"host": "*.example"}, host=None)
    assert takes({"host": "[::1]"}, host="[::1]")


def test_events() -> None:
    assert takes({"event": "click"}, event="click")
    assert takes({"event": "click"}, event="click", event_label="export")
    assert takes({"event": "click:export"}, event="click", event_label="export")
    assert takes({"event": "click:a:b"}, event="click", event_label="a:b")
    assert not takes({"event": "click:export"}, event="click")
    assert not takes({"event": "click:None"}, event="click")
    assert takes({"event": "*"}, event="saved")
    assert not takes({"event": "*"}, event=None)
    assert takes({"route": "/a"}, route="/a", event="click")


def test_methods_and_statuses() -> None:
    assert takes({"method": ["POST", "PUT"]}, method="PUT")
    assert not takes({"method": "POST"}, method="GET")
    assert not takes({"method": "POST"}, method=None)
    assert takes({"status": "4xx"}, status=499)
    assert not takes({"status": "4xx"}, status=500)
    assert takes({"status": [404, "2xx"]}, status=404)
    assert not takes({"status": "2xx"}, status=None)
    assert takes({"method": "POST"}, method="POST", status=500)  # an error is met when a feature is used, too


def test_an_act_may_be_a_use_of_several_features_in_the_order_of_the_file() -> None:
    features = Catalogue(
        [
            Feature("writing", "", "", "", (Pattern(method=("POST",)),)),
            Feature("all", "", "", "", (Pattern(route="/**"),)),
            Feature("notes", "", "", "", (Pattern(route="/notes"), Pattern(route="/notes/*"))),
        ]
    )
    assert features.features_of("POST", None, "/notes") == ("writing", "all", "notes")
    assert features.features_of("GET", None, "/other") == ("all",)
    assert features.features_of("GET", None, None) == ()


METHODS = ["GET", "POST", "PUT"]
HOSTS = ["example", "a.example", "b.a.example", "badexample", ".example", "[::1]"]
SEGMENTS = st.sampled_from(
    ["a", "b", "{id}", "a.b", "+(", "[^", "\\d", "é\U0001f600", "\n", "\x00", '"', "$", "|", "a-z", " #"]
)
EVENTS = ["click", "saved", "*", "click:x", "None", "'"]
LABELS = ["x", "x:y", "None", "*", "é"]
STATUSES = [200, 204, 299, 300, 404, 499, 500]


def some(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.sampled_from(values))


def routes(segments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(segments, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


KEYS: st.SearchStrategy[Key] = st.tuples(
    some(METHODS),
    some(HOSTS),
    st.one_of(st.none(), routes(st.one_of(SEGMENTS, st.sampled_from(["", "*", "**", "ab"])))),
    some(EVENTS),
    some(LABELS),
    some(STATUSES),
)
SAID_ROUTES = st.one_of(
    routes(st.one_of(SEGMENTS, SEGMENTS, st.just("*"))),
    st.tuples(routes(st.one_of(SEGMENTS, st.just("*"))), st.just("/**")).map("".join),
    st.just("/**"),
)
PATTERNS = (
    st.fixed_dictionaries(
        {},
        optional={
            "method": st.one_of(st.sampled_from(METHODS), st.lists(st.sampled_from(METHODS), min_size=1)),
            "host": st.sampled_from(["example", "a.example", "*.example", "*.a.example", "[::1]"]),
            "route": SAID_ROUTES,
            "event": st.sampled_from([*EVENTS, "click:x:y", "saved:None", "saved:x"]),
            "status": st.one_of(
                st.sampled_from(STATUSES), st.lists(st.sampled_from([404, 200, "2xx", "4xx", "5xx"]), min_size=1)
            ),
        },
    )
    .filter(bool)
    .map(read_pattern)
)
CATALOGUES = st.lists(st.lists(PATTERNS, min_size=1, max_size=4), min_size=1, max_size=5).map(
    lambda features: Catalogue([Feature(f"f{n}", "", "", "", tuple(said)) for n, said in enumerate(features)])
)


def in_sql(connection: duckdb.DuckDBPyConnection, features: Catalogue) -> list[tuple[Any, ...]]:
    connection.register("feature_rules", features.rules)
    days = {"first_day": PERIOD.first, "last_day": PERIOD.last}
    return connection.execute(bare_select("feature_keys"), days).fetchall()


def plainly(said: Pattern, key: Key) -> bool:
    """Read a pattern segment by segment, without an expression."""
    method, host, route, event, label, status = key
    if said.route is not None:
        have = (route if route is not None else "?").split("/")
        want = said.route.split("/")
        if want[-1] == "**":
            want.pop()
            have = have[: len(want)]
        if len(have) != len(want) or any(b != a and (b != "*" or not a) for a, b in zip(have, want, strict=True)):
            return False
    if said.host is not None and not (host or "?").endswith(said.host.removeprefix("*")):
        return False
    if said.host is not None and not said.host.startswith("*") and host != said.host:
        return False
    if said.event is not None:
        names = {"*", event, f"{event}:{label}"} if label is not None else {"*", event}
        if event is None or said.event not in names:
            return False
    if said.status and not any(status is not None and first <= status <= last for first, last in said.status):
        return False
    return not said.method or method in said.method


@settings(max_examples=150, deadline=None)
@given(CATALOGUES, st.lists(KEYS, min_size=1, max_size=30))
def test_python_and_sql_agree(features: Catalogue, keys: list[Key]) -> None:
    acts = [dict(zip(COLUMNS, key, strict=True)) for key in keys]
    with clickstream(*acts, *acts) as connection:
        found = in_sql(connection, features)
    told = {(*key, name) for key in keys for name in features.features_of(*key)}
    assert sorted(found, key=repr) == sorted(told, key=repr)
    plain = {
        (*key, one.name)
        for key in keys
        for one in features.features
        if any(plainly(said, key) for said in one.patterns)
    }
    assert told == plain


def test_they_agree_on_every_case_told_above() -> None:
    said: list[dict[str, Any]] = [{"route": route} for route, _, _ in CASES]
    said += [{"event": event} for event in (*EVENTS, "click:None", "saved:x", "click:x:y")]
    said += [{"host": host} for host in ("example", "*.example", "[::1]")]
    said += [{"status": status} for status in (404, "2xx", "5xx")] + [{"method": ["GET", "PUT"]}]
    features = Catalogue([Feature(f"f{n}", "", "", "", (read_pattern(one),)) for n, one in enumerate(said)])
    keys: set[Key] = {(None, None, route, None, None, None) for _, taken, left in CASES for route in (*taken, *left)}
    keys |= {(None, None, None, event, label, None) for event in (None, *EVENTS) for label in (None, *LABELS)}
    keys |= {(method, host, "/", None, None, None) for method in (None, *METHODS) for host in (None, *HOSTS)}
    keys |= {("GET", None, "/", None, None, status) for status in (None, *STATUSES)}
    with clickstream(*(dict(zip(COLUMNS, key, strict=True)) for key in keys)) as connection:
        found = in_sql(connection, features)
    assert sorted(found, key=repr) == sorted(
        ((*key, name) for key in keys for name in features.features_of(*key)), key=repr
    )


def test_only_the_days_asked_for_have_keys() -> None:
    features = Catalogue([Feature("all", "", "", "", (Pattern(route="/**"),))])
    with clickstream({"route": "/in"}, {"route": "/out", "date": date(2026, 3, 1)}) as connection:
        assert [row[2] for row in in_sql(connection, features)] == ["/in"]
