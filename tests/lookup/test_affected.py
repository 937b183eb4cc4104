"""Who met something, beside the same counted in plain Python over all acts of the demo."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from pipeline.lookup import Met, Period, in_common, open_scope, read_met, who_met
from pipeline.lookup.questions import newest_day
from pipeline.lookup.rows import Row, rows
from pipeline.warehouse.views import create_views
from tests.conftest import Demo

ASKED: list[dict[str, str]] = [
    {"status": "5xx"},
    {"path": "/login", "status": "4xx", "from": "2026-03-02"},
    {"path": "/clients*", "method": "get", "browser": "chrome"},
    {"path": "/clients/{id}", "country": "us", "os": "windows"},
    {"browser": "Firefox", "version": "146"},
    {"status": "500", "business": "b01", "from": "2026-03-11 16:00", "to": "2026-03-11 16:19"},
    {"path": "/*", "status": "2xx"},
    {"path": "/nowhere"},
    {"browser": "Firefox", "version": "14"},
]
MET_BY_NOBODY = ASKED[-2:]


@pytest.fixture(scope="module")
def scope(demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_scope(demo.settings) as connection:
        yield connection


@pytest.fixture(scope="module")
def acts(scope: duckdb.DuckDBPyConnection) -> list[Row]:
    return rows(scope, "from clickstream where not is_bot order by visit_id, visit_seq, request_id")


def _is_met(act: Row, said: dict[str, str], met: Any) -> bool:
    """What `read_met` says of its words, once more and without SQL."""
    path = said.get("path")
    if path and path.endswith("*"):
        is_there = any(str(act[name]).startswith(path[:-1]) for name in ("path", "route"))
    else:
        is_there = path is None or path in (act["path"], act["route"])
    version = said.get("version")
    return (
        is_there
        and met.period.since <= act["occurred_at"] < met.period.until
        and said.get("method", str(act["method"])).upper() == act["method"]
        and (met.status is None or (act["status"] is not None and met.status[0] <= act["status"] <= met.status[1]))
        and said.get("browser", str(act["browser"])).lower() == str(act["browser"]).lower()
        and said.get("os", str(act["os"])).lower() == str(act["os"]).lower()
        and said.get("country", str(act["country"])).upper() == str(act["country"])
        and said.get("business", act["business_id"]) == act["business_id"]
        and (version is None or str(act["browser_version"]).split(".")[0] == version)
    )


def _did_next(act: Row, visit: list[Row]) -> tuple[str, str | None]:
    place = next(number for number, other in enumerate(visit) if other["request_id"] == act["request_id"])
    later = [other for other in visit[place + 1 :] if other["kind"] != "event"]
    if not later:
        return "left", None
    after = later[0]
    if (after["method"], after["route"]) != (act["method"], act["route"]):
        return "on", after["route"]
    return "again in vain" if after["status"] and after["status"] >= 400 else "again", after["route"]


@pytest.mark.parametrize("said", ASKED, ids=str)
def test_who_met_it_is_as_counted_by_hand(
    scope: duckdb.DuckDBPyConnection, acts: list[Row], said: dict[str, str]
) -> None:
    met = read_met(said, newest_day(scope))
    visits: dict[str, list[Row]] = defaultdict(list)
    for act in acts:
        visits[act["visit_id"]].append(act)
    expected = [act for act in acts if _is_met(act, said, met)]
    assert bool(expected) == (said not in MET_BY_NOBODY)

    found = who_met(scope, met, limit=100_000)
    known = [act for act in expected if act["user_id"]]
    assert (found["acts"], found["users"]) == (len(expected), len({act["user_id"] for act in known}))
    assert found["visitors"] == len({act["visitor_id"] for act in expected if not act["user_id"]})
    assert found["businesses"] == len({act["business_id"] for act in expected} - {None})
    times = Counter((act["user_id"], act["business_id"]) for act in known)
    assert {(row["user_id"], row["business_id"]): row["times"] for row in found["listed"]} == times
    assert [row["times"] for row in found["listed"]] == sorted(times.values(), reverse=True)
    last: dict[tuple[str, str | None], Row] = {}
    for act in sorted(known, key=lambda act: (act["occurred_at"], act["request_id"])):
        last[act["user_id"], act["business_id"]] = act
    for row in found["listed"]:
        latest = last[row["user_id"], row["business_id"]]
        assert (row["request_id"], row["last_at"]) == (latest["request_id"], latest["occurred_at"])
        assert (row["next_did"], row["next_route"]) == _did_next(latest, visits[latest["visit_id"]])
    nexts = Counter(_did_next(act, visits[act["visit_id"]])[0] for act in expected)
    summed: Counter[str] = Counter()
    for row in found["did_next"]:
        summed[row["next_did"]] += row["acts"]
    assert all(summed[did] <= count for did, count in nexts.items())
    if len(found["did_next"]) < 20:
        assert summed == nexts


def test_the_list_is_cut_and_the_totals_are_not(scope: duckdb.DuckDBPyConnection) -> None:
    met = read_met({"path": "/clients"}, newest_day(scope))
    found = who_met(scope, met, limit=3)
    assert len(found["listed"]) == 3 < found["users"]


def test_a_scope_counts_its_own_acts_only(demo: Demo, scope: duckdb.DuckDBPyConnection) -> None:
    met = read_met({"path": "/clients"}, newest_day(scope))
    everywhere = {row["business_id"]: row for row in who_met(scope, met)["by_business"]}
    with open_scope(demo.settings, ["b02"]) as narrow:
        assert newest_day(narrow) == newest_day(scope)
        found = who_met(narrow, met)
        assert found["by_business"] == [everywhere["b02"]]
        assert {row["business_id"] for row in found["listed"]} == {"b02"}
        assert found["visitors"] == 0
        assert all(row["what"] != "Business" for row in in_common(narrow, met))


def test_what_is_common_stands_out_and_chance_does_not(scope: duckdb.DuckDBPyConnection) -> None:
    newest = newest_day(scope)
    by_browser = in_common(scope, read_met({"path": "/clients", "browser": "Firefox"}, newest))
    assert (by_browser[0]["what"], by_browser[0]["value"], by_browser[0]["share"]) == ("browser", "Firefox", 1.0)
    assert 0 < by_browser[0]["usual_share"] < 0.5
    assert in_common(scope, read_met({"path": "/clients"}, newest)) == []


def test_a_period_holds_its_first_instant_and_not_its_last(scope: duckdb.DuckDBPyConnection, acts: list[Row]) -> None:
    act = acts[len(acts) // 2]
    at, path, moment = act["occurred_at"], act["path"], timedelta(microseconds=1)
    for since, until, is_in in (
        (at, at + moment, True),
        (at - moment, at, False),
        (at + moment, at + 2 * moment, False),
    ):
        same = [one for one in acts if one["occurred_at"] == at and one["path"] == path]
        assert who_met(scope, Met(Period(since, until), path))["acts"] == is_in * len(same)


def test_what_came_next_is_no_page_report_and_may_come_after_midnight() -> None:
    acts = [
        ("2026-03-02", "v", 1, "r1", "2026-03-02 23:58", "u1", "api", 500),
        ("2026-03-02", "v", 2, "r2", "2026-03-02 23:59", "u1", "event", 204),
        ("2026-03-03", "v", 3, "r3", "2026-03-03 00:01", "u1", "api", 201),
        ("2026-03-02", "w", 1, "r4", "2026-03-02 12:00", "u2", "api", 500),
        ("2026-03-02", "w", 2, "r5", "2026-03-02 12:01", "u2", "api", 404),
        ("2026-03-02", "x", 1, "r6", "2026-03-02 12:00", "u3", "api", 500),
        ("2026-03-02", "x", 2, "r7", "2026-03-02 12:05", "u3", "event", 204),
    ]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_views(connection, {})
        connection.execute("create table given as from clickstream")
        for day, visit, seq, request, at, user, kind, status in acts:
            given = {"date": day, "visit_id": visit, "visit_seq": seq, "request_id": request, "occurred_at": at}
            given |= {"user_id": user, "visitor_id": user, "kind": kind, "status": status, "method": "POST"}
            given |= {"route": "/notes" if kind == "api" else "/trail/event", "is_bot": False}
            marks = ", ".join(f"${name}" for name in given)
            connection.execute(f"insert into given ({', '.join(given)}) values ({marks})", given)
        connection.execute("create or replace view clickstream as from given")
        found = who_met(
            connection, read_met({"status": "500", "from": "2026-03-02", "to": "2026-03-02"}, date(2026, 3, 3))
        )
    assert {row["user_id"]: row["next_did"] for row in found["listed"]} == {
        "u1": "again",
        "u2": "again in vain",
        "u3": "left",
    }
