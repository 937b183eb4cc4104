"""How routes fare, beside the same reckoned in plain Python over all acts of the demo."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator
from math import sqrt

import duckdb
import pytest

from pipeline.lookup import failing_routes, open_scope, read_period, slow_routes
from pipeline.lookup.questions import newest_day
from pipeline.lookup.rows import Row, rows
from tests.conftest import Demo


@pytest.fixture(scope="module")
def scope(demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_scope(demo.settings) as connection:
        yield connection


def _by_route(acts: list[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for act in acts:
        found[act["method"], act["route"]].append(act)
    return found


@pytest.mark.parametrize("least", [500, 400])
def test_failures_are_set_against_the_usual_rate(scope: duckdb.DuckDBPyConnection, least: int) -> None:
    period = read_period("2026-03-11", "2026-03-11", newest_day(scope))
    acts = rows(scope, "from clickstream where not is_bot and date = '2026-03-11'")
    usual = _by_route(rows(scope, "from clickstream where not is_bot and date < '2026-03-11'"))
    found = failing_routes(scope, period, least, limit=1000)
    expected = {}
    for route, of_route in _by_route(acts).items():
        errors = [act for act in of_route if act["status"] and act["status"] >= least]
        if errors:
            expected[route] = (len(of_route), len(errors), len({act["user_id"] for act in errors} - {None}))
    assert expected
    assert {(row["method"], row["route"]): (row["acts"], row["errors"], row["users"]) for row in found} == expected
    beyond = []
    for row in found:
        before = usual.get((row["method"], row["route"]))
        if before is None:
            assert (row["usual_acts"], row["usual_rate"], row["expected"]) == (None, None, None)
        else:
            failed = sum(act["status"] is not None and act["status"] >= least for act in before)
            assert row["usual_acts"] == len(before)
            assert row["usual_rate"] == pytest.approx(failed / len(before))
        much = row["expected"] or 0
        beyond.append((row["errors"] - much) / sqrt(much + 1))
    assert beyond == sorted(beyond, reverse=True)


def one_in_twenty(took: list[float] | None) -> float:
    """The duration that one in twenty takes at least; 0 where nothing is known."""
    if not took or len(took) == 1:
        return took[0] if took else 0
    return statistics.quantiles(took, n=20, method="inclusive")[-1]


@pytest.mark.parametrize(("first", "last"), [("2026-03-09", "2026-03-15"), ("2026-03-11", "2026-03-11")])
def test_slow_is_told_by_median_and_by_one_in_twenty(scope: duckdb.DuckDBPyConnection, first: str, last: str) -> None:
    period = read_period(first, last, newest_day(scope))
    asked = {"first": first, "last": last}
    acts = _by_route(
        rows(scope, "from clickstream where not is_bot and date between $first::date and $last::date", asked)
    )
    usual = _by_route(rows(scope, "from clickstream where not is_bot and date < $first::date", {"first": first}))
    found = slow_routes(scope, period, limit=1000)
    took = {route: [act["duration_ms"] for act in of if act["duration_ms"] is not None] for route, of in acts.items()}
    was = {route: [act["duration_ms"] for act in of if act["duration_ms"] is not None] for route, of in usual.items()}
    slower = {
        route for route, of in took.items() if len(of) >= 20 and one_in_twenty(of) > one_in_twenty(was.get(route))
    }
    assert {(row["method"], row["route"]) for row in found} == slower
    for row in found:
        now = took[row["method"], row["route"]]
        before = was.get((row["method"], row["route"]))
        assert row["median_ms"] == pytest.approx(statistics.median(now))
        assert row["p95_ms"] == pytest.approx(one_in_twenty(now))
        assert row["usual_median_ms"] == (pytest.approx(statistics.median(before)) if before else None)


def test_the_demos_incident_is_first(demo: Demo) -> None:
    """For twenty minutes of 2026-03-11 notes of one Business could not be saved."""
    with open_scope(demo.settings) as scope:
        found = failing_routes(scope, read_period("2026-03-11 16:00", "2026-03-11 16:19", newest_day(scope)))
    assert found[0]["route"].startswith("/api/v1/")
    assert found[0]["rate"] > 5 * (found[0]["usual_rate"] or 0)
    assert found[0]["businesses"] == 1
