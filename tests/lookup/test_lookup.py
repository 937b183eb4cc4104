"""Finding somebody, and what is told of them, within a Business and without."""

from __future__ import annotations

import duckdb
import pytest

from pipeline.lookup import find_users, request_story, user_story, visit_story


@pytest.fixture
def tables() -> duckdb.DuckDBPyConnection:
    """Two people of two Businesses, as user_lookup has them."""
    connection = duckdb.connect()
    connection.execute(
        """
        create table user_lookup as
        select * from (values
            ('u1', 'Zoë Example', 'zoe.example+work@example.com', 'zoe example zoe.example+work@example.com u1',
                ['b1'], ['Cedar Clinic'], ['c-k1'], ['Firefox on Linux'], now(), now(), 3, null::timestamptz),
            ('u2', 'Ann 50%_off', 'ann@example.org', 'ann 50%_off ann@example.org u2',
                ['b2'], ['Harbour Care'], ['c-k2'], [], null, null, 0, null)
        ) as t(user_id, name, email, search_text, business_ids, business_names, identifiers, devices,
            first_seen_at, last_seen_at, visits, last_error_at)
        """
    )
    connection.execute("create table user_days (date date, user_id varchar, business_id varchar)")
    return connection


@pytest.mark.parametrize(
    ("query", "user", "why"),
    [
        ("zoe", "u1", "name"),
        ("ZOË", "u1", "name"),
        ("example zoe", "u1", "name"),
        ("zoe.example+work@example.com", "u1", "email"),
        ("ann@exa", "u2", "email"),
        ("u2", "u2", "user id"),
        ("k1", "u1", "identifier"),
        ("50%_", "u2", "name"),
    ],
)
def test_parts_of_names_and_emails_find_people(
    tables: duckdb.DuckDBPyConnection, query: str, user: str, why: str
) -> None:
    assert [(found["user_id"], found["why"]) for found in find_users(tables, query)] == [(user, why)]


@pytest.mark.parametrize("query", ["", "   ", "%", "_____", "nobody", "' or 1=1 --", "x' union select 1 --"])
def test_what_finds_nobody(tables: duckdb.DuckDBPyConnection, query: str) -> None:
    found = [user["user_id"] for user in find_users(tables, query)]
    assert found == (["u2"] if query == "%" else [])


def test_a_user_of_another_business_does_not_exist(tables: duckdb.DuckDBPyConnection) -> None:
    assert [user["user_id"] for user in find_users(tables, "example", business="b1")] == ["u1"]
    assert [user["user_id"] for user in find_users(tables, "example", business="harbour care")] == ["u2"]
    assert find_users(tables, "zoe", business="b2") == []
    assert user_story(tables, "u1", business="b2") is None
    assert user_story(tables, "nobody", business="b2") is None


def test_a_story_of_the_demo_holds_together(demo_tables: duckdb.DuckDBPyConnection) -> None:
    busiest = demo_tables.execute(
        "select user_id from visits where user_id is not null group by user_id order by count(*) desc, user_id limit 1"
    ).fetchone()
    assert busiest is not None
    story = user_story(demo_tables, busiest[0])
    assert story is not None
    newest = story["visits_last"][0]
    visit = visit_story(demo_tables, newest["visit_id"])
    assert visit is not None
    assert [act["visit_seq"] for act in visit["acts_in_order"]] == list(range(1, visit["requests"] + 1))
    assert visit["acts_in_order"][0]["gap_s"] is None
    gaps = sum(act["gap_s"] for act in visit["acts_in_order"][1:])
    assert gaps == pytest.approx(visit["observed_s"])
    asked = visit["acts_in_order"][-1]["request_id"]
    request = request_story(demo_tables, asked)
    assert request is not None
    assert request["act"]["visit_id"] == newest["visit_id"]
    assert request["files"]


def test_what_somebody_did_elsewhere_does_not_show(demo_tables: duckdb.DuckDBPyConnection) -> None:
    """The demo has somebody who works at two Businesses."""
    both = demo_tables.execute("select user_id from user_days group by user_id having count(distinct business_id) = 2")
    (user,) = both.fetchall()[0]
    everywhere, here = user_story(demo_tables, user, visits=100), user_story(demo_tables, user, "b02", visits=100)
    assert everywhere is not None
    assert here is not None
    assert {visit["business_id"] for visit in everywhere["visits_last"]} == {"b01", "b02"}
    assert {visit["business_id"] for visit in here["visits_last"]} == {"b02"}


@pytest.mark.parametrize(
    "identifier", ["", "x", "20260302-xyz", "99999999-0123456789abcdef", "20260302-0123456789abcdef"]
)
def test_ids_of_nothing(demo_tables: duckdb.DuckDBPyConnection, identifier: str) -> None:
    assert visit_story(demo_tables, identifier) is None
    assert request_story(demo_tables, identifier) is None
