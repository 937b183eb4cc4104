"""Each value of a request is told with where it is from, and each act with why it is in its visit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import duckdb
import pytest

from pipeline.lookup import open_scope
from pipeline.lookup.derivation import DERIVED, derivation, visit_rule
from pipeline.lookup.rows import rows
from pipeline.schemas import TABLES
from tests.conftest import Demo


@pytest.fixture(scope="module")
def scope(demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_scope(demo.settings) as connection:
        yield connection


def test_each_column_of_requests_says_where_it_is_from() -> None:
    named = set(TABLES["requests"].schema.names) - {"date", "request_id", "enrichment_version"}
    assert set(DERIVED) == named


def test_fields_are_those_of_a_raw_line() -> None:
    known = {*TABLES["raw_requests"].schema.names, "time"}
    for column, (of, by) in DERIVED.items():
        fields = {field for part in of.split(";") for field in part.replace("without one ", "").strip().split(", ")}
        assert fields <= known or not by, column


def test_versions_are_those_of_the_row(scope: duckdb.DuckDBPyConnection) -> None:
    (request,) = rows(scope, "from requests where browser is not null and city is not null order by request_id limit 1")
    rules, settings, parser, places = request["enrichment_version"].split("; ")
    told = {row["column"]: row["by"] for row in derivation(request)}
    assert told["browser"] == f"{rules}; {parser}"
    assert told["city"] == f"{settings}; {places}"
    assert told["route"] == f"{rules}; {settings}"
    assert told["user_agent"] is None
    assert "identifier" not in told or request["identifier"]


def test_the_rule_is_the_one_that_cut_the_visits(scope: duckdb.DuckDBPyConnection) -> None:
    """Beside the acts themselves: what came before, whose it was and how long ago."""
    acts = rows(scope, "from clickstream order by occurred_at, request_id")
    half_an_hour = timedelta(minutes=30)
    met: dict[str, int] = {}
    begun = [number for number, act in enumerate(acts) if act["visit_seq"] == 1 and act["user_id"]]
    for number in {*range(0, len(acts), 37), *begun[::3]}:
        act = acts[number]
        told = visit_rule(scope, act)
        met[told["rule"]] = met.get(told["rule"], 0) + 1
        near = [
            other
            for other in acts[max(0, number - 3000) : number + 50]
            if other["request_id"] != act["request_id"]
            and timedelta() <= act["occurred_at"] - other["occurred_at"] <= half_an_hour
            and (other["visitor_id"] == act["visitor_id"] or (act["user_id"] and other["user_id"] == act["user_id"]))
        ]
        before = [other for other in near if other["request_id"] == told["request_id"]]
        if told["rule"] == "goes_on":
            assert (before[0]["visit_id"], before[0]["visit_seq"]) == (act["visit_id"], act["visit_seq"] - 1)
            assert told["gap_s"] == (act["occurred_at"] - before[0]["occurred_at"]).total_seconds()
            continue
        assert act["visit_seq"] == 1
        if told["rule"] == "nothing_before":
            assert not near
            continue
        assert before[0]["visit_id"] != act["visit_id"]
        same = {name: before[0][name] == act[name] for name in ("user_id", "business_id", "visitor_id")}
        assert told["rule"] == (
            "other_user" if not same["user_id"] else "other_business" if not same["business_id"]
            else "other_device" if not same["visitor_id"] else "midnight"
        )  # fmt: skip
    assert {"goes_on", "nothing_before"} <= set(met)


def test_every_other_reason_is_met_in_the_demo(scope: duckdb.DuckDBPyConnection) -> None:
    begun = rows(scope, "from clickstream where visit_seq = 1 and user_id is not null order by request_id limit 3000")
    assert {"other_user"} <= {visit_rule(scope, act)["rule"] for act in begun[::3]}
