"""Retention, lifecycle, stickiness and active users: equal to the definitions in plain Python on random histories."""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import duckdb
import pytest

import pipeline.product
from pipeline.models import run_model
from pipeline.product import active_users, lifecycle, retention, stickiness
from pipeline.product.rows import QuestionError
from pipeline.units import units
from pipeline.warehouse import connect
from tests.conftest import Demo
from tests.product.histories import FEATURES, FIRST, History, history, tables

SEEDS = range(80)
Scope = tuple[str, str | None, str | None]
Rows = set[tuple[Any, ...]]


def number(unit: str, day: date) -> int:
    if unit == "month":
        return 12 * day.year + day.month - 1
    return day.toordinal() if unit == "day" else (day.toordinal() - 1) // 7


def first_day(unit: str, period: int) -> date:
    if unit == "month":
        return date(period // 12, period % 12 + 1, 1)
    return date.fromordinal(period if unit == "day" else 7 * period + 1)


def last_day(unit: str, period: int) -> date:
    first = first_day(unit, period)
    if unit == "month":
        return first.replace(day=monthrange(first.year, first.month)[1])
    return first + timedelta(6 if unit == "week" else 0)


def scopes(told: History) -> Iterator[tuple[Scope, dict[str, set[date]]]]:
    for feature in (None, *FEATURES):
        yield ("all", None, feature), told.days(feature, None, is_whole=True)
    for business in {row["business_id"] for row in told.user_days}:
        yield ("business", business, None), told.days(None, business, is_whole=False)


def is_over(told: History, unit: str, period: int) -> bool:
    return last_day(unit, period) < told.log_days[-1]


def expected_lifecycle(told: History) -> Rows:
    found: Rows = set()
    for scope, users in scopes(told):
        for unit in ("day", "week", "month"):
            periods = {user: {number(unit, day) for day in days} for user, days in users.items()}
            for period in {number(unit, day) for day in told.log_days}:
                counts: Counter[str] = Counter()
                for active in periods.values():
                    if period in active:
                        is_new = period == min(active)
                        counts["new" if is_new else "returning" if period - 1 in active else "resurrected"] += 1
                    elif period - 1 in active:
                        counts["dormant"] += 1
                if counts:
                    told_of = (counts[kind] for kind in ("new", "returning", "resurrected", "dormant"))
                    found.add((unit, first_day(unit, period), *scope, *told_of, is_over(told, unit, period)))
    return found


def expected_stickiness(told: History) -> Rows:
    found: Counter[tuple[Any, ...]] = Counter()
    for scope, users in scopes(told):
        for unit in ("week", "month"):
            for days in users.values():
                for period, count in Counter(number(unit, day) for day in days).items():
                    found[unit, first_day(unit, period), *scope, count, is_over(told, unit, period)] += 1
    return {(*key[:-1], users, key[-1]) for key, users in found.items()}


def expected_retention(told: History) -> Rows:
    found: Rows = set()
    for scope, users in scopes(told):
        for unit, most, is_of_each in (("day", 30, False), ("week", 26, True), ("month", 24, True)):
            if scope[0] == "business" and not is_of_each:
                continue
            periods = [{number(unit, day) for day in days} for days in users.values()]
            logged = {number(unit, day) for day in told.log_days}
            for cohort in {min(active) for active in periods}:
                members = [active for active in periods if min(active) == cohort]
                for period in logged:
                    if cohort <= period <= cohort + most:
                        recurring = sum(period in active for active in members)
                        rolling = sum(max(active) >= period for active in members)
                        numbers = (len(members), recurring, rolling, is_over(told, unit, period))
                        found.add((unit, first_day(unit, cohort), period - cohort, *scope, *numbers))
    return found


def expected_active_users(told: History) -> Rows:
    found: Rows = set()
    oldest = told.log_days[0]
    for scope, users in scopes(told):
        begun = min((day for days in users.values() for day in days), default=None)
        for day in told.log_days:
            if begun is not None and day >= begun:
                counts = []
                for width in (1, 7, 28):
                    window = {day - timedelta(back) for back in range(width)}
                    is_known = min(window) >= oldest or width == 1
                    counts.append(sum(not window.isdisjoint(days) for days in users.values()) if is_known else None)
                found.add((day, *scope, *counts, day < told.log_days[-1]))
    return found


EXPECTED = {
    "active_users": expected_active_users,
    "lifecycle": expected_lifecycle,
    "retention": expected_retention,
    "stickiness": expected_stickiness,
}


def found_rows(connection: duckdb.DuckDBPyConnection, name: str) -> Rows:
    rows = run_model(connection, name).to_pylist()
    assert len(rows) == len({tuple(row.values()) for row in rows})
    return {tuple(row.values()) for row in rows}


@pytest.mark.parametrize("name", EXPECTED)
def test_equal_to_the_definition(name: str) -> None:
    for seed in SEEDS:
        told = history(Random(seed))
        with tables(user_days=told.user_days, feature_days=told.feature_days) as connection:
            assert found_rows(connection, name) == EXPECTED[name](told), seed


def test_nothing_done_gives_nothing() -> None:
    with tables() as connection:
        for name in EXPECTED:
            assert run_model(connection, name).num_rows == 0


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("feature", [None, "notes"])
@pytest.mark.parametrize("is_of_one", [False, True])
def test_a_question_is_answered_as_by_the_table(demo: Demo, name: str, feature: str | None, is_of_one: bool) -> None:
    with connect(demo.settings) as connection:
        ((business,),) = connection.sql(
            "select business_id from user_days group by all order by count(*) desc, business_id limit 1"
        ).fetchall()
        asked = {"feature": feature, "business": business if is_of_one else None}
        for unit in ("week", "month") if name != "active_users" else (None,):
            more = {} if unit is None else {"unit": unit}
            answer = getattr(pipeline.product, name)(connection, **asked, **more).to_arrow_table().to_pylist()
            if feature and is_of_one:
                with tables(**of_one(connection, feature, business)) as only:
                    table = run_model(only, name).to_pylist()
                named = {"scope": "business", "business_id": business}
                table = [row | named for row in table if row["scope"] == "all" and row["feature"] == feature]
            else:
                table = connection.sql(f"from {name}").to_arrow_table().to_pylist()
                scope = {"scope": "business" if is_of_one else "all", "business_id": asked["business"]}
                wanted = scope | {"feature": feature}
                table = [row for row in table if wanted.items() <= row.items()]
            table = [row for row in table if unit is None or row["unit"] == unit]
            key = [column for column in ("date", "period_at", "cohort_at", "later", "days") if column in answer[0]]
            assert answer == sorted(table, key=lambda row: [row[column] for column in key])
            assert answer


def of_one(connection: duckdb.DuckDBPyConnection, feature: str, business: str) -> dict[str, Any]:
    """A feature's days in one Business, and the log's days."""
    days = connection.sql("select distinct date, 'robot' as user_id, true as is_bot from user_days")
    uses = connection.sql(
        "select date, user_id, feature from feature_days where feature = $feature and business_id = $business",
        params={"feature": feature, "business": business},
    )
    return {"user_days": days.to_arrow_table().to_pylist(), "feature_days": uses.to_arrow_table().to_pylist()}


def test_days_bound_what_is_told_and_not_who_is_new() -> None:
    user_days = [
        {"date": FIRST + timedelta(days), "user_id": "u1", "business_id": "b1", "is_bot": False} for days in (0, 7, 14)
    ]
    with tables(user_days=user_days) as connection:
        later = FIRST + timedelta(5)
        assert retention(connection, first=later).fetchall() == []
        rows = lifecycle(connection, first=later, last=later + timedelta(2)).fetchall()
        assert [(row[1], *row[5:]) for row in rows] == [(FIRST + timedelta(5), 0, 1, 0, 0, True)]
        assert [row[0] for row in active_users(connection, first=later).fetchall()] == [
            FIRST + timedelta(7),
            FIRST + timedelta(14),
        ]
        assert len(stickiness(connection, last=FIRST).fetchall()) == 1


def test_a_unit_that_is_none_is_refused() -> None:
    with tables() as connection:
        with pytest.raises(QuestionError, match="unit is 'year'; it must be one of day, week, month"):
            retention(connection, "year")
        with pytest.raises(QuestionError, match="must be one of week, month"):
            stickiness(connection, "day")


def test_a_function_is_not_hidden_by_a_module_of_its_name() -> None:
    for name in pipeline.product.__all__:
        assert callable(getattr(pipeline.product, name)), name


def test_a_question_of_one_unit_has_cohorts_of_each_business() -> None:
    assert units("day").to_pylist() == [{"unit": "day", "most_later": 30, "has_cohorts_of_each": True}]
    assert [row["has_cohorts_of_each"] for row in units().to_pylist()] == [False, True, True]
