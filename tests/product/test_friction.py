"""Where use goes wrong: tables and function against what is told of each visit act by act, and wrong rules."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipeline import models
from pipeline.build import ranges_to_refresh
from pipeline.build.stale import DayFiles, fingerprint
from pipeline.features import read_catalogue
from pipeline.lookup.rows import rows
from pipeline.models import run_model
from pipeline.product import friction, usage
from pipeline.settings import Settings
from pipeline.warehouse import StagedState
from tests.ingest.deliveries import House
from tests.product.histories import tables
from tests.product.walks import DAYS, FIRST, Act, acts, by_visit, clickstream

CATALOGUE = """
[features.notes]
description = "Notes"
owner = "Care"
patterns = [{ route = "/notes/**" }, { route = "/api/notes/**" }]

[features.plans]
description = "Plans"
owner = "Care"
patterns = [{ route = "/plans/**" }, { event = "click:save" }]

[features.all]
description = "Anything"
owner = "Care"
patterns = [{ route = "/**" }]
"""
TROUBLES = {
    "errors": "error",
    "slow": "slow",
    "retries": "retry",
    "abandoned": "abandoned",
    "back_and_forth": "back_and_forth",
}
LAST = DAYS[-1]
Uses = list[tuple[date, str | None, str, Act, set[str]]]
Of = Callable[[date, str | None], tuple[date, str | None]]


def troubles_of(visit: list[Act]) -> dict[str, set[str]]:
    """What went wrong with each act of a visit, by its request."""
    found: dict[str, set[str]] = {act.request_id: set() for act in visit}
    for place, act in enumerate(visit):
        is_error, is_slow = (act.status or 0) >= 400, (act.duration_ms or 0) > 1000
        found[act.request_id] |= {"errors"} if is_error else set()
        found[act.request_id] |= {"slow"} if is_slow else set()
        for before in visit[:place]:
            is_same = all(
                getattr(act, name) == getattr(before, name)
                for name in ("method", "host", "route", "event", "event_label")
            )
            is_soon = act.occurred_at - before.occurred_at <= timedelta(seconds=10)
            if is_same and is_soon and found[before.request_id] & {"errors", "slow"}:
                found[act.request_id].add("retries")
        done = [later for later in visit[place:] if later.event not in ("hide", "show", "still")]
        if (is_error or is_slow) and done == [act]:
            found[act.request_id].add("abandoned")
    shown = [next(reloads) for _, reloads in groupby((act for act in visit if act.page), lambda act: act.page)]
    for come_from, between, gone_to in zip(shown, shown[1:], shown[2:], strict=False):
        is_quick = gone_to.occurred_at - between.occurred_at <= timedelta(seconds=30)
        if come_from.page == gone_to.page and is_quick:
            found[between.request_id].add("back_and_forth")
    return found


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    path = tmp_path_factory.mktemp("catalogue") / "features.toml"
    path.write_text(CATALOGUE, encoding="utf-8")
    return Settings(features=path)


@pytest.fixture(scope="module")
def uses(settings: Settings) -> Uses:
    """Each use: its day, Business, feature, act and what went wrong."""
    assert settings.features
    catalogue, found = read_catalogue(settings.features), []
    for visit in by_visit(act for act in acts() if not act.is_bot):
        troubles = troubles_of(visit)
        for act in visit:
            key = (act.method, act.host, act.route, act.event, act.event_label, act.status)
            what = (act, troubles[act.request_id])
            found += [(act.date, act.business_id, feature, *what) for feature in catalogue.features_of(*key)]
    return found


@pytest.fixture(scope="module")
def engine(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables, each day built by itself."""
    with tables(clickstream=clickstream(acts())) as connection:
        for name in ("feature_days", "friction"):
            built = pa.concat_tables([run_model(connection, name, day, day, settings) for day in DAYS])
            connection.register(f"{name}_built", built)
            connection.execute(f"create or replace view {name} as from {name}_built")
        yield connection


def days_told(uses: Uses) -> set[tuple[Any, ...]]:
    """Rows of `feature_days`."""
    counted: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: dict.fromkeys(("uses", *TROUBLES), 0))
    for day, business, feature, act, troubles in uses:
        key = (day, feature, business, act.user_id, None if act.user_id else act.visitor_id)
        for name in ("uses", *troubles):
            counted[key][name] += 1
    return {(*key, *counts.values()) for key, counts in counted.items()}


def days_found(connection: duckdb.DuckDBPyConnection, name: str = "feature_days") -> set[tuple[Any, ...]]:
    columns = ("date", "feature", "business_id", "user_id", "visitor_id", "uses", *TROUBLES)
    return set(connection.sql(f"select {', '.join(columns)} from {name}").fetchall())


def friction_told(uses: Uses, of: Of) -> list[dict[str, Any]]:
    """Rows of `friction` for uses, with days and Businesses as `of` puts them together."""
    told: dict[tuple[Any, ...], dict[str, Any]] = {}
    for day, business, feature, act, troubles in uses:
        key = (*of(day, business), feature)
        row = told.setdefault(key, dict(zip(("date", "business_id", "feature"), key, strict=True)))
        who = ("users", act.user_id) if act.user_id else ("visitors", act.visitor_id)
        for name, one in (("uses", None), *TROUBLES.items()):
            is_met = one is None or name in troubles
            row[name] = row.get(name, 0) + is_met
            prefix = "" if one is None else f"{one}_"
            for people in ("users", "visitors"):
                row.setdefault(f"{prefix}{people}", set()).update({who[1]} if is_met and who[0] == people else ())
    return [
        {name: len(value) if isinstance(value, set) else value for name, value in row.items()} for row in told.values()
    ]


def same(found: list[dict[str, Any]], told: list[dict[str, Any]]) -> bool:
    def key(row: dict[str, Any]) -> str:
        return repr((row["date"], row["business_id"], row["feature"]))

    return sorted(found, key=key) == sorted(told, key=key)


def test_days_and_friction_are_as_told_act_by_act(engine: duckdb.DuckDBPyConnection, uses: Uses) -> None:
    told = days_told(uses)
    assert days_found(engine) == told
    assert all(any(row[place] for row in told) for place in range(5, 11))
    assert same(rows(engine, "from friction"), friction_told(uses, lambda day, business: (day, business)))


def test_days_at_once_are_those_one_by_one(engine: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    engine.register("at_once", run_model(engine, "feature_days", FIRST, LAST, settings))
    assert days_found(engine, "at_once") == days_found(engine)


@pytest.mark.parametrize("unit", [None, "day", "week", "month"])
@pytest.mark.parametrize(("by_business", "business"), [(False, None), (True, None), (False, "b1")])
@pytest.mark.parametrize(("first", "last"), [(None, None), (DAYS[1], DAYS[3]), (DAYS[2], DAYS[2])])
def test_people_of_a_range_are_counted_once(
    engine: duckdb.DuckDBPyConnection,
    uses: Uses,
    unit: str | None,
    by_business: bool,
    business: str | None,
    first: date | None,
    last: date | None,
) -> None:
    def of(day: date, of_business: str | None) -> tuple[date, str | None]:
        begin = first or FIRST
        at = {"week": day - timedelta(day.weekday()), "month": day.replace(day=1), "day": day}.get(unit or "", begin)
        return at, of_business if by_business or business else None

    asked = [
        use for use in uses if (first or FIRST) <= use[0] <= (last or LAST) and (business is None or use[1] == business)
    ]
    answer = friction(engine, unit, by_business, business, first, last).to_arrow_table().to_pylist()
    assert same(answer, friction_told(asked, of))
    assert answer == sorted(answer, key=lambda row: (row["date"], row["feature"], row["business_id"] or "~"))
    used = usage(engine, unit, by_business, business, first, last).to_arrow_table().to_pylist()
    common = ("date", "business_id", "feature", "users", "visitors", "uses", "errors", "slow")
    assert [[row[name] for name in common] for row in used] == [[row[name] for name in common] for row in answer]


def test_a_day_by_business_is_the_table(engine: duckdb.DuckDBPyConnection) -> None:
    asked = friction(engine, "day", by_business=True).to_arrow_table().to_pylist()
    assert same(asked, rows(engine, "from friction"))


@pytest.mark.parametrize(
    ("model", "right", "wrong"),
    [
        ("feature_days", "interval 10 seconds", "interval 9999999 microseconds"),
        ("feature_days", "interval 10 seconds", "interval 10000001 microseconds"),
        ("feature_days", "interval 30 seconds", "interval 29999999 microseconds"),
        ("feature_days", "interval 30 seconds", "interval 30000001 microseconds"),
        ("feature_days", "status >= 400, false)", "status > 400, false)"),
        ("feature_days", "or coalesce(duration_ms > $slow_ms, false)", ""),
        ("feature_days", "duration_ms > $slow_ms, false)", "duration_ms >= $slow_ms, false)"),
        *(("feature_days", f"{name}, ", "") for name in ("method", "host", "route")),
        ("feature_days", "event, event_label", "event"),
        ("feature_days", "route, event, event_label", "route, event_label"),
        ("feature_days", "unbounded preceding and 1 preceding", "unbounded preceding and current row"),
        ("feature_days", "unbounded preceding and 1 preceding", "1 preceding and 1 preceding"),
        ("feature_days", "('hide', 'show', 'still')", "('hide', 'show')"),
        ("feature_days", "    where not only_tells_times\n", ""),
        ("feature_days", "people_acts.is_in_trouble and ", ""),
        ("feature_days", "        and not is_bot\n", ""),
        ("feature_days", "    where page_before is distinct from page\n", ""),
        ("feature_days", "page_before = lead", "page_before <> lead"),
        ("feature_days", "date between $day_before and", "date between $first_day and"),
        ("feature_days", "and $day_after", "and $last_day"),
        ("feature_days", "where people_acts.date between $first_day and $last_day\n", ""),
        ("seen_pages", "where not is_bot\n        and", "where"),
        ("seen_pages", "(event = 'view' or kind = 'page')", "kind = 'page'"),
        ("seen_pages", "then event_page else path", "then path else path"),
        ("seen_pages", "not between 300 and 399", "not between 301 and 399"),
        ("seen_pages", "not between 300 and 399", "not between 300 and 398"),
        ("seen_pages", " or status = 304", ""),
        ("seen_pages", "(event = 'view' or status is null", "(status is null"),
        ("seen_pages", "or status is null or", "or"),
        ("seen_pages", "where page is not null", ""),
    ],
)
def test_a_wrong_rule_is_seen(
    engine: duckdb.DuckDBPyConnection,
    settings: Settings,
    uses: Uses,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    right: str,
    wrong: str,
) -> None:
    load = models.load_model
    true = load(model)
    assert right in true.sql
    broken = models.Model(true.name, true.what, true.grain, true.key, true.inputs, true.sql.replace(right, wrong))
    monkeypatch.setattr(models, "load_model", lambda name: broken if name == model else load(name))
    built = pa.concat_tables([run_model(engine, "feature_days", day, day, settings) for day in DAYS])
    engine.register("broken", built)
    assert days_found(engine, "broken") != days_told(uses)


def test_a_day_is_made_anew_where_a_neighbour_is_another() -> None:
    def made_of(names: str) -> str:
        files: DayFiles = {day: [Path(name)] for day, name in zip(DAYS, names, strict=False)}
        return fingerprint({"clickstream": files}, "feature_days", DAYS[1], "")

    assert len({made_of(names) for names in ("abc", "xbc", "axc", "abx")}) == 4


def line(at: str, status: int) -> bytes:
    told = {"time": f"2026-03-{at}+00:00", "remote_addr": "198.51.100.7", "method": "GET", "target": "/plans"}
    told |= {"status": str(status), "user_id": "u1", "visitor_id": "k1", "user_agent": "Mozilla/5.0"}
    return json.dumps(told).encode() + b"\n"


def test_a_late_line_reaches_what_was_done_before_midnight(tmp_path: Path) -> None:
    catalogue = tmp_path / "features.toml"
    catalogue.write_text(CATALOGUE, encoding="utf-8")
    house = House(tmp_path, builds_all=True, features=catalogue)
    house.deliver("web/a.log", b"".join(line(f"{day:02}T23:59:58", 500) for day in range(1, 10)))
    house.run()
    told = "select date::varchar, abandoned, retries from feature_days where feature = 'plans' order by date"
    assert house.rows(told) == [(f"2026-03-0{day}", 1, 0) for day in range(1, 10)]
    house.deliver("web/b.log", line("06T00:00:03", 200))
    house.ingest()
    assert ranges_to_refresh(StagedState(house.settings)) == [(date(2026, 3, 3), date(2026, 3, 9))]
    house.run()
    assert house.rows(told)[4:6] == [("2026-03-05", 0, 0), ("2026-03-06", 1, 1)]
