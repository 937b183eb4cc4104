"""The same question asked in different ways has one answer: trend, funnel, paths, SQL, command line and ranking."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from click.testing import CliRunner

from pipeline.cli import main
from pipeline.product import adoption, friction, funnel, paths, retention, segments, usage
from pipeline.warehouse import connect
from tests.conftest import Demo

FIRST, LAST = date(2026, 3, 9), date(2026, 3, 15)  # the demo's last week, by which features are scored
FEATURE = "invoices"


def only(relation: Any, **wanted: Any) -> dict[str, Any]:
    """The one row with some values."""
    (row,) = [row for row in relation.to_arrow_table().to_pylist() if wanted.items() <= row.items()]
    return dict(row)


def test_how_many_people_used_a_feature(demo: Demo) -> None:
    with connect(demo.settings) as connection:
        trend = only(usage(connection, "week", first=FIRST, last=LAST), feature=FEATURE)
        step = only(
            funnel(connection, [FEATURE, "clients"], first=FIRST, last=LAST, settings=demo.settings), step=1
        )  # a person is a user, or the visitor of whom nobody is known
        kinds = segments(connection, "new_or_old", feature=FEATURE, first=FIRST).to_arrow_table().to_pylist()
        met = only(friction(connection, "week", first=FIRST, last=LAST), feature=FEATURE)
        ranked = only(connection.table("feature_scores"), feature=FEATURE, measure="reach")
        ((users, visitors),) = connection.sql(
            "select count(distinct user_id), count(distinct visitor_id) from feature_days"
            " where feature = $feature and date between $first and $last",
            params={"feature": FEATURE, "first": FIRST, "last": LAST},
        ).fetchall()
        adopted = {row[0] for row in adoption(connection, FEATURE).fetchall()}
        ever = only(usage(connection), feature=FEATURE)
    asked = ["--config", str(demo.paths.config), "features", "list", "--json"]
    said = CliRunner().invoke(main, [*asked, "--from", f"{FIRST}", "--to", f"{LAST}"])
    (listed,) = [row for row in json.loads(said.output)["features"] if row["feature"] == FEATURE]
    assert users > 20
    assert {trend["users"], met["users"], ranked["people"], listed["users"], users} == {users}
    assert sum(row["users"] for row in kinds) == users, "who is new is not old"
    assert step["entered"] == users + visitors == trend["users"] + trend["visitors"]
    assert {trend["uses"], met["uses"], listed["uses"]} == {trend["uses"]}
    assert len(adopted) == ever["users"]


def test_how_many_people_came_again(demo: Demo) -> None:
    with connect(demo.settings) as connection:
        later = only(retention(connection, "week", feature=FEATURE), later=1)
        kept = only(connection.table("feature_scores"), feature=FEATURE, measure="kept")
        ((came,),) = connection.sql(
            "select count(*)"
            " from (select distinct user_id from feature_days where feature = $feature and date < $first)"
            " semi join (select user_id from feature_days where feature = $feature and date >= $first) using (user_id)",
            params={"feature": FEATURE, "first": FIRST},
        ).fetchall()
    assert (later["recurring_users"], later["cohort_users"]) == (kept["people"], kept["of_people"])
    assert later["recurring_users"] == came


def test_how_many_people_saw_a_page(demo: Demo) -> None:
    route = "/clients"
    # A page that failed was not seen; `304` shows what the browser has.
    seen = {"route": route, "method": "GET", "status": [200, 304]}
    with connect(demo.settings) as connection:
        came = only(paths(connection, route, first=FIRST, last=LAST, by="to"), to_route=route)
        left = only(paths(connection, route, first=FIRST, last=LAST, by="from"), from_route=route)
        step = only(funnel(connection, [seen, "clients"], first=FIRST, last=LAST, settings=demo.settings), step=1)
        ((people,),) = connection.sql(
            "select count(distinct coalesce(user_id, visitor_id)) from clickstream where route = $route and not is_bot"
            " and kind = 'page' and status in (200, 304) and date between $first and $last",
            params={"route": route, "first": FIRST, "last": LAST},
        ).fetchall()
    assert came["users"] + came["visitors"] == left["users"] + left["visitors"] == step["entered"] == people > 20


def test_how_many_went_from_page_to_page(demo: Demo) -> None:
    route = "/clients"
    with connect(demo.settings) as connection:
        around = paths(connection, of=route).to_arrow_table().to_pylist()
        every = paths(connection).to_arrow_table().to_pylist()
        of_each = paths(connection, by_business=True).to_arrow_table().to_pylist()
        by_day = connection.table("paths").to_arrow_table().to_pylist()
    came = sum(row["times"] for row in around if row["to_route"] == route)
    assert came == sum(row["times"] for row in around if row["from_route"] == route) > 100, "who comes also goes"
    assert came == sum(row["times"] for row in every if row["to_route"] == route)
    for told in (every, of_each, by_day):
        begun = sum(row["times"] for row in told if row["from_route"] is None)
        assert begun == sum(row["times"] for row in told if row["to_route"] is None)
        assert begun == sum(row["visits"] for row in told if row["from_route"] is None), "a visit begins once"
        assert sum(row["times"] for row in told) == sum(row["times"] for row in every)
