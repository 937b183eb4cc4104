"""How people go from page to page: the table and the function against steps told visit by visit, and wrong rules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median
from typing import Any, Literal, cast

import duckdb
import pyarrow as pa
import pytest

from pipeline import models
from pipeline.build.stale import DayFiles, fingerprint
from pipeline.enrich.targets import read_route
from pipeline.lookup.rows import rows
from pipeline.models import run_model
from pipeline.product import paths
from pipeline.product.rows import QuestionError
from pipeline.settings import Settings
from tests.models.people_histories import DAYS as DAYS_OF_PEOPLE
from tests.models.people_histories import STARTS, history
from tests.models.test_people import build
from tests.product.histories import tables
from tests.product.walks import DAYS, FIRST, Act, acts, by_visit, clickstream, visits

LAST = DAYS[-1]
COUNTED = ("visits", "users", "visitors")


def ways_of(visit: list[Act]) -> list[tuple[str | None, str | None, float | None]]:
    """The ways of a visit: from which route to which, and how many seconds on the first."""
    shown = [act for act in visit if act.page and not (act.kind == "page" and (act.status or 0) >= 400)]
    stays: list[tuple[str, datetime, float | None]] = []
    for route, same in groupby(shown, lambda act: read_route(act.page or "", Settings())):
        looked = list(same)
        told = [act.engaged_s for act in looked if act.engaged_s is not None]
        stays.append((route, looked[0].occurred_at, sum(told) if told else None))
    if not stays:
        return []
    inner = [(one[0], two[0], (two[1] - one[1]).total_seconds()) for one, two in pairwise(stays)]
    return [(None, stays[0][0], None), *inner, (stays[-1][0], None, stays[-1][2])]


def told(
    by_business: bool = True,
    business: str | None = None,
    first: date | None = None,
    last: date | None = None,
    as_one: bool = False,
    by: str = "way",
) -> list[dict[str, Any]]:
    """Rows of `paths`, of visits that start in some days, with these as one or each by itself."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for visit in by_visit(acts()):
        start = visit[0]
        is_asked = (first or FIRST) <= start.date <= (last or LAST) and business in (None, start.business_id)
        for from_route, to_route, seconds in ways_of(visit) if is_asked and not any(a.is_bot for a in visit) else ():
            at = (first or FIRST) if as_one else start.date
            ends = (None if by == "to" else from_route, None if by == "from" else to_route)
            key = (at, start.business_id if by_business else None, *ends)
            way = found.setdefault(key, {name: set() for name in COUNTED} | {"times": 0, "seconds": []})
            way["times"] += 1
            way["visits"].add(start.visit_id)
            way["users" if start.user_id else "visitors"].add(start.user_id or start.visitor_id)
            way["seconds"] += [] if seconds is None else [seconds]
    columns = ("date", "business_id", "from_route", "to_route")
    return [
        dict(zip(columns, key, strict=True))
        | {name: len(way[name]) for name in COUNTED}
        | {"times": way["times"], "seconds": round(median(way["seconds"]), 6) if way["seconds"] else None}
        for key, way in found.items()
    ]


def in_order(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rounded = [row | {"seconds": None if row["seconds"] is None else round(row["seconds"], 6)} for row in found]
    key = ("date", "business_id", "from_route", "to_route")
    return sorted(rounded, key=lambda row: repr([row[name] for name in key]))


def built(connection: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
    return pa.concat_tables([run_model(connection, name, day, day) for day in DAYS])


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables, each day built by itself."""
    with tables(clickstream=clickstream(acts()), visits=visits(acts())) as connection:
        for name in ("page_steps", "paths"):
            connection.register(f"built_{name}", built(connection, name))
            connection.execute(f"create or replace view {name} as from built_{name}")
        yield connection


def test_ways_are_as_told_visit_by_visit(engine: duckdb.DuckDBPyConnection) -> None:
    found = rows(engine, "from paths")
    assert in_order(found) == in_order(told())
    assert any(row["seconds"] is not None and row["to_route"] is None for row in found)
    engine.register("at_once", run_model(engine, "page_steps", FIRST, LAST))
    assert sorted(rows(engine, "from at_once"), key=repr) == sorted(rows(engine, "from page_steps"), key=repr)


@pytest.mark.parametrize(("by_business", "business"), [(False, None), (True, None), (False, "b1")])
@pytest.mark.parametrize(("first", "last"), [(None, None), (DAYS[1], DAYS[3]), (DAYS[2], DAYS[2]), (None, DAYS[1])])
@pytest.mark.parametrize("of", [None, "/notes/{id}", "/nowhere"])
def test_people_of_a_range_are_counted_once(
    engine: duckdb.DuckDBPyConnection,
    by_business: bool,
    business: str | None,
    first: date | None,
    last: date | None,
    of: str | None,
) -> None:
    expected = told(by_business or business is not None, business, first, last, as_one=True)
    answer = paths(engine, of, business, first, last, by_business).to_arrow_table().to_pylist()
    asked = [row for row in expected if of in (None, row["from_route"], row["to_route"])]
    assert in_order(answer) == in_order(asked)
    order = [
        (-row["times"], *(row[name] or "~" for name in ("from_route", "to_route", "business_id"))) for row in answer
    ]
    assert order == sorted(order)


@pytest.mark.parametrize("by", ["to", "from"])
@pytest.mark.parametrize("business", [None, "b1"])
def test_people_who_came_to_a_page_or_left_it_are_counted_once(
    engine: duckdb.DuckDBPyConnection, by: Literal["to", "from"], business: str | None
) -> None:
    expected = told(business is not None, business, as_one=True, by=by)
    assert in_order(paths(engine, business=business, by=by).to_arrow_table().to_pylist()) == in_order(expected)
    of = paths(engine, "/notes/{id}", business, by=by).to_arrow_table().to_pylist()
    assert of == [row for row in expected if row[f"{by}_route"] == "/notes/{id}"]
    assert sum(row["users"] for row in paths(engine, "/notes/{id}", business).to_arrow_table().to_pylist()) > sum(
        row["users"] for row in of
    )


@pytest.mark.parametrize("by", ["way", "to", "from"])
def test_some_pages_after_others_are_as_all_at_once(
    engine: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, by: Literal["way", "to", "from"]
) -> None:
    whole = paths(engine, by=by).fetchall()
    monkeypatch.setattr(sys.modules["pipeline.product.paths"], "_STEPS_AT_ONCE", 20)
    assert paths(engine, by=by).fetchall() == whole != []


def test_rows_by_something_else_are_refused(engine: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QuestionError, match="by is 'page'; it must be one of way, from, to"):
        paths(engine, by=cast("Any", "page"))


def test_a_day_by_business_is_the_table_and_days_can_be_summed(engine: duckdb.DuckDBPyConnection) -> None:
    found = [row for day in DAYS for row in paths(engine, None, None, day, day, True).to_arrow_table().to_pylist()]
    assert in_order(found) == in_order(rows(engine, "from paths"))
    summed = engine.sql("select from_route, to_route, sum(times), sum(visits) from paths group by all").fetchall()
    whole = paths(engine).project("from_route, to_route, times, visits").fetchall()
    assert sorted(summed, key=repr) == sorted(whole, key=repr)


def test_a_day_is_made_anew_where_the_next_is_another() -> None:
    def made_of(names: str) -> str:
        visit, *files = ([Path(name)] for name in names)
        given: dict[str, DayFiles] = {"visits": {FIRST: visit}, "clickstream": {**dict(zip(DAYS, files, strict=False))}}
        return fingerprint(given, "page_steps", FIRST, "")

    assert len({made_of(names) for names in ("vabc", "xabc", "vxbc", "vaxc")}) == 4
    assert made_of("vabx") == made_of("vabc")


def test_a_visit_is_whole_in_its_day_and_the_day_after() -> None:
    """Screens that ask for days too: such visits are cut, so that no day needs more."""
    people = [act for number in range(60) for act in history(number, number, STARTS[0])]
    days = [STARTS[0].date() + timedelta(number) for number in range(DAYS_OF_PEOPLE)]
    with tables() as connection:
        build(connection, people, days, at_once=True, shared_users=5)
        spans = connection.sql("""
            select clickstream.date - visits.date as later, count(*)
            from clickstream
            left join visits using (visit_id)
            group by all
            order by all
        """).fetchall()
    assert [later for later, _ in spans] == [0, 1]


@pytest.mark.parametrize(
    ("model", "right", "wrong"),
    [
        ("page_steps", "        and not is_bot\n", ""),
        ("page_steps", "and not seen_pages.is_failed", ""),
        ("page_steps", "and $day_after", "and $last_day"),
        ("page_steps", "when route_before is distinct from route then 1 else 0", "when true then 1 else 0"),
        ("page_steps", "when route_before is distinct from route", "when route_before <> route"),
        ("page_steps", "min(at_utc) as at_utc", "max(at_utc) as at_utc"),
        ("page_steps", "sum(cast(engaged_s as decimal(18, 6)))", "max(cast(engaged_s as decimal(18, 6)))"),
        ("page_steps", "        engaged_s\n    ) as seconds", "        null\n    ) as seconds"),
        ("paths", "median(seconds)", "avg(seconds)"),
        ("page_steps", "case when of_days.user_id is null then of_days.visitor_id end", "of_days.visitor_id"),
        ("paths", "count(distinct visit_id)", "count(*)"),
        ("page_steps", "where step = 1\n", "where step = 2\n"),
        ("seen_pages", "else route", "else page"),
        ("seen_pages", "{1,40}') then '{id}'", "{2,40}') then '{id}'"),
        ("seen_pages", "'(?i)[0-9a-f]{8}(-", "'[0-9a-f]{8}(-"),
        ("seen_pages", "(-[0-9]{2})?", ""),
        ("seen_pages", "(-[0-9]{2})?", "(-[0-9]{1,2})?"),
        ("seen_pages", "and regexp_matches(part, '[0-9]') ", ""),
        ("seen_pages", "(@|%40)", "@"),
        ("seen_pages", "[^@]{1,64}", "[^/]{1,64}"),
        ("seen_pages", "coalesce(kind = 'page' and status >= 400, false)", "kind = 'page' and status >= 400"),
        ("seen_pages", "coalesce(kind = 'page' and status >= 400", "coalesce(status >= 400"),
    ],
)
def test_a_wrong_rule_is_seen(
    engine: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, model: str, right: str, wrong: str
) -> None:
    load = models.load_model
    true = load(model)
    assert right in true.sql
    broken = models.Model(true.name, true.what, true.grain, true.key, true.inputs, true.sql.replace(right, wrong))
    monkeypatch.setattr(models, "load_model", lambda name: broken if name == model else load(name))
    engine.register("broken_steps", built(engine, "page_steps"))
    engine.execute("create or replace view page_steps as from broken_steps")
    broken_paths = built(engine, "paths")
    engine.execute("create or replace view page_steps as from built_page_steps")
    engine.register("broken", broken_paths)
    assert in_order(rows(engine, "from broken")) != in_order(told())
