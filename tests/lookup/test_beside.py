"""A visit beside a healthy one: the other is healthy, did what failed here, and is laid beside it act by act."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from pipeline.lookup import healthy_visit, open_scope, visit_story
from pipeline.lookup.rows import rows
from tests.conftest import Demo


@pytest.fixture(scope="module")
def scope(demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_scope(demo.settings) as connection:
        yield connection


def test_a_failed_visit_stands_beside_one_that_did_it(scope: duckdb.DuckDBPyConnection) -> None:
    failed = rows(
        scope,
        "select distinct visit_id from clickstream where status >= 500 and user_id is not null"
        " and visit_id in (select visit_id from visits where server_errors > 0) order by visit_id limit 12",
    )
    found = 0
    for row in failed:
        visit = visit_story(scope, row["visit_id"])
        assert visit
        beside = healthy_visit(scope, visit)
        if beside is None:
            continue
        found += 1
        trouble, healthy = beside["trouble"], beside["healthy"]
        acts = [act for act in visit["acts_in_order"] if act["kind"] != "event"]
        assert trouble == next(act for act in acts if act["status"] and act["status"] >= 400)
        assert (healthy["errors"], healthy["server_errors"]) == (0, 0)
        assert healthy["user_id"] != visit["user_id"]
        assert 0 <= (visit["date"] - healthy["date"]).days <= 7
        others = [act for act in healthy["acts_in_order"] if act["kind"] != "event"]
        did = {(act["method"], act["route"]) for act in others if act["status"] < 400}
        assert (trouble["method"], trouble["route"]) in did
        assert [pair["left"] for pair in beside["pairs"] if pair["left"]] == acts
        assert [pair["right"] for pair in beside["pairs"] if pair["right"]] == others
        for pair in beside["pairs"]:
            if pair["left"] and pair["right"]:
                assert (pair["left"]["method"], pair["left"]["route"]) == (
                    pair["right"]["method"],
                    pair["right"]["route"],
                )
    assert found > len(failed) / 2


def test_the_healthy_one_is_of_the_same_scope(demo: Demo, scope: duckdb.DuckDBPyConnection) -> None:
    (row,) = rows(
        scope,
        "select visit_id, business_id from visits where server_errors > 0 and business_id = 'b01'"
        " order by visit_id limit 1",
    )
    with open_scope(demo.settings, ["b01"]) as narrow:
        visit = visit_story(narrow, row["visit_id"])
        assert visit
        beside = healthy_visit(narrow, visit)
        assert beside
        assert beside["healthy"]["business_id"] == "b01"


@pytest.mark.parametrize("count", ["errors", "server_errors"])
def test_a_visit_with_any_error_is_not_healthy(demo: Demo, count: str) -> None:
    with open_scope(demo.settings) as scope:
        (row,) = rows(scope, "select visit_id from visits where server_errors > 0 order by visit_id limit 1")
        visit = visit_story(scope, row["visit_id"])
        assert visit
        beside = healthy_visit(scope, visit)
        assert beside
        first = beside["healthy"]["visit_id"]
        scope.execute("create table as_they_were as from visits")
        scope.execute(
            "create or replace view visits as select * replace"
            f" (if(visit_id = '{first}', 1, {count}) as {count}) from as_they_were"
        )
        another = healthy_visit(scope, visit)
        assert another is None or another["healthy"]["visit_id"] != first
