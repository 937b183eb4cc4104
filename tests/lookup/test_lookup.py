"""What is told of a user, a visit and a request, within a scope and without."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import pytest

from pipeline.lookup import find_users, open_scope, request_story, user_story, visit_story
from pipeline.lookup.rows import rows
from tests.conftest import Demo


@pytest.fixture(scope="module")
def everything(demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_scope(demo.settings) as connection:
        yield connection


@pytest.fixture(scope="module", params=[False, True], ids=["views", "in memory"])
def of_b02(demo: Demo, request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_scope(demo.settings, ["b02"], in_memory=request.param) as connection:
        yield connection


def test_a_story_holds_together(demo: Demo, everything: duckdb.DuckDBPyConnection) -> None:
    (busiest,) = rows(
        everything,
        "select user_id from visits where user_id is not null group by user_id order by count(*) desc, user_id limit 1",
    )
    story = user_story(everything, busiest["user_id"])
    assert story is not None
    assert sum(day["visits"] for day in story["days"]) == story["visits"]
    newest = story["visits_last"][0]
    visit = visit_story(everything, newest["visit_id"])
    assert visit is not None
    assert [act["visit_seq"] for act in visit["acts_in_order"]] == list(range(1, visit["requests"] + 1))
    assert visit["acts_in_order"][0]["gap_s"] is None
    gaps = sum(act["gap_s"] for act in visit["acts_in_order"][1:])
    assert gaps == pytest.approx(visit["observed_s"])
    request = request_story(everything, demo.settings, visit["acts_in_order"][-1]["request_id"])
    assert request is not None
    assert request["act"]["visit_id"] == newest["visit_id"]
    assert len(request["lines"]) == 1


@pytest.mark.parametrize("source", ["web", "site", "mobile"])
def test_a_request_is_shown_with_its_own_line(demo: Demo, everything: duckdb.DuckDBPyConnection, source: str) -> None:
    """Many lines share a second in logs that write seconds only, and some a browser, a path and a status."""
    asked = rows(
        everything,
        "select requests.*, raw.line_offset, raw.target from requests"
        " inner join (select source, occurred_at from requests group by all having count(*) between 2 and 9) as busy"
        " on busy.source = requests.source and busy.occurred_at = requests.occurred_at"
        " inner join main.raw_requests as raw on raw.date = requests.date and raw.source = requests.source"
        " and raw.occurred_at = requests.occurred_at and raw.user_agent = requests.user_agent"
        " and raw.target = requests.path and raw.status is not distinct from requests.status"
        " where requests.source = $source order by requests.request_id limit 5",
        {"source": source},
    ) or rows(
        everything,
        "select requests.*, path as target from requests where source = $source order by request_id limit 5",
        {"source": source},
    )
    for request in asked:
        story = request_story(everything, demo.settings, request["request_id"])
        assert story is not None
        assert story["lines"]
        for line in story["lines"]:
            assert line["fields"]["target"].startswith(request["path"])
            if line["text"] is not None:
                assert request["path"] in line["text"]


def test_what_a_page_loaded_is_told_with_it(
    demo: Demo, everything: duckdb.DuckDBPyConnection, of_b02: duckdb.DuckDBPyConnection
) -> None:
    (asked,) = rows(
        everything,
        "select visit_id from clickstream inner join silent_requests as loads"
        " on loads.date = clickstream.date and loads.visitor_id = clickstream.visitor_id and loads.kind = 'asset'"
        " and loads.occurred_at between clickstream.occurred_at and clickstream.occurred_at + interval 5 seconds"
        " and ends_with(loads.referrer, clickstream.path)"
        " where clickstream.kind = 'page' and clickstream.user_id is not null order by visit_id limit 1",
    )
    visit = visit_story(everything, asked["visit_id"])
    assert visit is not None
    loads = [(act, load) for act in visit["acts_in_order"] for load in act["loads"]]
    assert loads
    for act, load in loads:
        assert act["kind"] == "page"
        assert timedelta(0) <= load["occurred_at"] - act["occurred_at"] <= timedelta(minutes=1)
        assert load["visitor_id"] == act["visitor_id"]
        story = request_story(everything, demo.settings, load["request_id"])
        assert story is not None
        assert story["act"] is None
        assert request_story(of_b02, demo.settings, load["request_id"]) is None
    user = user_story(everything, visit["user_id"], visits=100)
    assert user is not None
    ids = [None, *(told["visit_id"] for told in user["visits_last"]), None]
    place = ids.index(visit["visit_id"])
    assert (visit["after"], visit["before"]) == (ids[place - 1], ids[place + 1])


def test_what_is_out_of_scope_is_not_there(of_b02: duckdb.DuckDBPyConnection) -> None:
    for name in ("visits", "clickstream", "user_days", "user_businesses", "search_terms", "memberships", "user_links"):
        assert rows(of_b02, f"select * from {name} where business_id is distinct from 'b02'") == [], name
        assert rows(of_b02, f"select * from {name} limit 1") or name == "user_links", name
    for name in ("users", "user_lookup"):
        outside = f"select * from {name} where user_id not in (select user_id from user_businesses)"
        assert rows(of_b02, outside) == [], name
    strangers = "select * from requests where request_id not in (select request_id from clickstream)"
    assert rows(of_b02, strangers) == []
    assert rows(of_b02, "select distinct business_ids from user_lookup") == [{"business_ids": ["b02"]}]


def test_a_user_of_another_business_does_not_exist(
    demo: Demo, everything: duckdb.DuckDBPyConnection, of_b02: duckdb.DuckDBPyConnection
) -> None:
    (stranger,) = rows(
        everything,
        "select user_lookup.*, visit_id, request_id from user_lookup inner join clickstream using (user_id)"
        " where business_ids = ['b01'] and name is not null and identifiers <> [] order by user_id limit 1",
    )
    assert find_users(everything, stranger["email"])[0]["user_id"] == stranger["user_id"]
    for query in (stranger["user_id"], stranger["email"], *stranger["identifiers"], stranger["name"]):
        assert stranger["user_id"] not in [user["user_id"] for user in find_users(of_b02, query)]
    assert user_story(of_b02, stranger["user_id"]) is None
    assert visit_story(of_b02, stranger["visit_id"]) is None
    assert request_story(of_b02, demo.settings, stranger["request_id"]) is None
    assert request_story(everything, demo.settings, stranger["request_id"]) is not None


def test_what_somebody_did_elsewhere_does_not_show(
    everything: duckdb.DuckDBPyConnection, of_b02: duckdb.DuckDBPyConnection
) -> None:
    """The demo has somebody who works at two Businesses."""
    (both,) = rows(
        everything,
        "select user_id from user_days group by user_id having count(distinct business_id) = 2"
        " order by user_id limit 1",
    )
    whole, part = user_story(everything, both["user_id"], visits=100), user_story(of_b02, both["user_id"], visits=100)
    assert whole is not None
    assert part is not None
    assert {visit["business_id"] for visit in whole["visits_last"]} == {"b01", "b02"}
    assert {visit["business_id"] for visit in part["visits_last"]} == {"b02"}
    assert part["visits"] == len(part["visits_last"]) < whole["visits"]
    assert set(part["devices"]) <= set(whole["devices"])
    assert part["business_ids"] == ["b02"]


def test_no_business_is_nothing(demo: Demo) -> None:
    with open_scope(demo.settings, []) as nothing:
        for name in ("visits", "user_lookup", "requests", "search_terms", "clickstream"):
            assert rows(nothing, f"select count(*) as n from {name}") == [{"n": 0}], name


def test_children_are_not_shown_until_they_are_thirteen(demo: Demo, everything: duckdb.DuckDBPyConnection) -> None:
    (grown,) = rows(
        everything,
        "select user_lookup.*, date_of_birth, visit_id, request_id from user_lookup inner join users using (user_id)"
        " inner join clickstream using (user_id) where date_of_birth is not null order by user_id, request_id limit 1",
    )
    born = grown["date_of_birth"]
    birthday = date(born.year + 13, born.month, 28 if (born.month, born.day) == (2, 29) else born.day)
    with open_scope(demo.settings, today=birthday - timedelta(days=1)) as before:
        assert user_story(before, grown["user_id"]) is None
        assert visit_story(before, grown["visit_id"]) is None
        assert request_story(before, demo.settings, grown["request_id"]) is None
        assert grown["user_id"] not in [user["user_id"] for user in find_users(before, grown["email"])]
    with open_scope(demo.settings, today=birthday) as after:
        assert user_story(after, grown["user_id"]) is not None


@pytest.mark.parametrize(
    "identifier", ["", "x", "20260302-xyz", "99999999-0123456789abcdef", "20260302-0123456789abcdef"]
)
def test_ids_of_nothing(demo: Demo, everything: duckdb.DuckDBPyConnection, identifier: str) -> None:
    assert visit_story(everything, identifier) is None
    assert request_story(everything, demo.settings, identifier) is None
