"""Who it was, by an address or by a reference that an answer gave."""

from __future__ import annotations

import json
from collections.abc import Iterator

import duckdb
import pytest

from pipeline.lookup import open_scope, requests_of_reference, traces, users_at
from pipeline.lookup.rows import rows
from pipeline.lookup.traces import read_address
from tests.conftest import Demo


@pytest.fixture(scope="module")
def scope(demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_scope(demo.settings) as connection:
        yield connection


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" 203.0.113.9 ", "203.0.113.9"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("203.0.113", None),
        ("lucia", None),
    ],
)
def test_an_address_is_told_from_a_name(text: str, address: str | None) -> None:
    assert read_address(text) == address


def test_everybody_who_came_from_an_address_is_found(scope: duckdb.DuckDBPyConnection) -> None:
    office = rows(
        scope,
        "select ip, list_sort(list(distinct clickstream.user_id)) as users from requests"
        " inner join clickstream using (request_id) where clickstream.user_id is not null"
        " group by ip having count(distinct clickstream.user_id) between 2 and 20 order by len(users) desc, ip limit 1",
    )[0]
    found = users_at(scope, office["ip"])
    assert sorted(user["user_id"] for user in found) == office["users"]
    assert [user["last_seen_at"] is not None for user in found] == [True] * len(found)
    assert all("acts, 2026-03-" in user["why"] for user in found)
    assert users_at(scope, "198.51.100.77") == []


def test_an_address_finds_users_in_scope_only(demo: Demo, scope: duckdb.DuckDBPyConnection) -> None:
    (seen,) = rows(
        scope,
        "select ip, any_value(user_id) as user_id from requests"
        " where user_id in (select user_id from user_lookup where business_ids = ['b01'])"
        " group by ip order by ip limit 1",
    )
    with open_scope(demo.settings, ["b01"]) as own, open_scope(demo.settings, ["b02"]) as other:
        assert seen["user_id"] in [user["user_id"] for user in users_at(own, seen["ip"])]
        assert seen["user_id"] not in [user["user_id"] for user in users_at(other, seen["ip"])]


def test_a_reference_finds_its_request(
    demo: Demo, scope: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = rows(
        scope,
        "select request_id, extra, clickstream.business_id from requests inner join clickstream using (request_id)"
        " where clickstream.status >= 500 and extra is not null and clickstream.business_id is not null"
        " order by request_id limit 1",
    )[0]
    reference = json.loads(failed["extra"])["error_reference"]
    found = requests_of_reference(scope, f" {reference} ")
    assert [row["request_id"] for row in found] == [failed["request_id"]]
    for wrong in (reference[:-1], reference[1:], "", "ror_ref", "%", '"'):
        assert requests_of_reference(scope, wrong) == [], wrong
    with monkeypatch.context() as shorter:
        shorter.setattr(traces, "_SHORTEST", len(reference) + 1)
        assert requests_of_reference(scope, reference) == []
    others = "b02" if failed["business_id"] != "b02" else "b01"
    with open_scope(demo.settings, [others]) as other:
        assert requests_of_reference(other, reference) == []
