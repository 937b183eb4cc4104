"""Who is found by what somebody on the phone says."""

from __future__ import annotations

from random import Random

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.lookup import find_users
from tests.lookup.directories import directory
from tests.lookup.misspellings import KINDS, Person, misspelt, people

FIRST_FIVE = 0.98


@pytest.fixture(scope="module")
def few() -> duckdb.DuckDBPyConnection:
    return directory(
        users=[
            ("u1", "Zoë Example", "zoe.example+work@example.com"),
            ("u2", "Ann-Marie O'Neill", "ann@harbour.example"),
            ("u3", "Søren Weiß", "soeren@example.org"),
            ("u4", "王 小明", "wang@example.org"),
            ("u5", "Ann Noone", "ann.noone@example.org"),
            ("u-6", None, None),
        ],
        former=[("u2", "name", "Ann-Marie Quinn"), ("u2", "email", "quinn@harbour.example")],
        businesses=[("u1", "b1", "c-Kx1"), ("u2", "b2", None)],
    )


@pytest.mark.parametrize(
    ("query", "user", "why"),
    [
        ("zoe", "u1", "name"),
        ("ZOË", "u1", "name"),
        ("example zoe", "u1", "name"),
        ("zeo exmaple", "u1", "name, spelt alike"),
        ("zoe exmaple", "u1", "name, spelt alike"),
        ("zoe.example+work@example.com", "u1", "email"),
        ("zoe.example@example.com", "u1", "email"),
        ("Zoe.Example+news@example.com", "u1", "email"),
        ("zoe.exampel@example.com", "u1", "email, spelt alike"),
        ("xamp", "u1", "name"),
        ("oneill", "u2", "name"),
        ("O’Neill, Ann Marie", "u2", "name"),
        ("quinn", "u2", "former name 'quinn'"),
        ("quinn@harbour.example", "u2", "former email 'quinn@harbour.example'"),
        ("soren weiss", "u3", "name"),
        ("小明", "u4", "name"),
        ("Z. Example", "u1", "name"),
        ("z e", "u1", "name"),
        ("U-6", "u-6", "user id"),
        ("c-kx1", "u1", "identifier"),
    ],
)
def test_the_first_found(few: duckdb.DuckDBPyConnection, query: str, user: str, why: str) -> None:
    found = find_users(few, query)
    assert (found[0]["user_id"], found[0]["why"]) == (user, why)


@pytest.mark.parametrize(
    "query", ["", "   ", "%", "_____", "nobody at all", "' or 1=1 --", "x' union select 1 --", "@", "\x00", "c-kx"]
)
def test_what_finds_nobody(few: duckdb.DuckDBPyConnection, query: str) -> None:
    assert find_users(few, query) == []


def test_what_is_written_so_comes_first(few: duckdb.DuckDBPyConnection) -> None:
    assert [user["user_id"] for user in find_users(few, "ann noone")] == ["u5"]
    found = find_users(few, "ann")
    assert [user["user_id"] for user in found] == ["u2", "u5"]
    assert found[0]["score"] == found[1]["score"] == 1.0
    assert find_users(few, "ann", limit=1) == found[:1]


@hypothesis_settings(max_examples=60, deadline=None)
@given(query=st.text(max_size=300))
def test_any_text_is_a_question(few: duckdb.DuckDBPyConnection, query: str) -> None:
    scores = [user["score"] for user in find_users(few, query)]
    assert scores == sorted(scores, reverse=True)
    assert all(0.4 < score <= 1 for score in scores)


@hypothesis_settings(max_examples=60, deadline=None)
@given(name=st.text(st.characters(categories=("L", "Nd", "Mn", "Zs")), min_size=1, max_size=20))
def test_a_name_finds_itself(name: str) -> None:
    """The question is taken apart in Python, the names in SQL: both must find the same words."""
    with directory(users=[("u1", name, None)]) as connection:
        terms = connection.execute("select count(*) from search_terms where kind = 'name'").fetchone()
        assert terms is not None
        assert len(find_users(connection, name)) == (terms[0] > 0)


def _found(count: int) -> tuple[int, dict[str, list[str]]]:
    """Ask for people by misspellings: how many questions were asked, and those that missed, by kind."""
    everyone = people(Random(20), 20_000)
    missed: dict[str, list[str]] = {kind: [] for kind in KINDS}
    random = Random(21)
    with directory(*_as_read(everyone)) as connection:
        for _ in range(count):
            who = random.choice(everyone)
            kind, query = misspelt(random, who)
            if who.user_id not in [user["user_id"] for user in find_users(connection, query, limit=5)]:
                missed[kind].append(query)
    return count, missed


def _as_read(everyone: list[Person]) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    users = [(who.user_id, f"{who.first} {who.last}", who.email) for who in everyone]
    names = [(who.user_id, "name", f"{who.first} {who.former_last}") for who in everyone if who.former_last]
    emails = [(who.user_id, "email", who.former_email) for who in everyone if who.former_email]
    return users, names + emails


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_misspellings_find_the_right_user_among_the_first_five(count: int) -> None:
    asked, missed = _found(count)
    wrong = sum(len(queries) for queries in missed.values())
    assert 1 - wrong / asked >= FIRST_FIVE, {kind: queries[:5] for kind, queries in missed.items() if queries}
