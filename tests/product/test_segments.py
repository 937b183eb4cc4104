"""Which kinds of users use what: the table and the function against what is told user by user, and wrong rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

import duckdb
import pytest

from pipeline import models
from pipeline.lookup.rows import rows
from pipeline.models import run_model
from pipeline.product import segments
from pipeline.product.rows import QuestionError
from pipeline.units import SEGMENT_KINDS
from tests.product.histories import FIRST, History, history, tables

COUNTS = ("uses", "visits", "errors")
HISTORIES = 60
UNITS: dict[str, Callable[[date], date]] = {
    "week": lambda day: day - timedelta(day.weekday()),
    "month": lambda day: day.replace(day=1),
}


def made(seed: int) -> History:
    """A history of which each day has a device and a country, or none known, and each use counts."""
    chance = Random(seed)
    found = history(chance)
    places = ("desktop", "mobile", None), ("DE", "FR", None)
    known = [
        row | {"device_type": chance.choice(places[0]), "country": chance.choice(places[1])} for row in found.user_days
    ]
    used = [row | {name: chance.randrange(4) for name in COUNTS} for row in found.feature_days]
    return History(known, used)


def size_of(users: int) -> str:
    """The name of a Business's size."""
    for most, name in ((1, "1"), (9, "2-9"), (49, "10-49"), (249, "50-249")):
        if users <= most:
            return name
    return "250+"


def told(given: History, period_of: Callable[[date], Any], business: str | None = None) -> dict[tuple[Any, ...], Any]:
    """What a table says without its units: by period, kind, segment and feature the users, and what they did."""
    days = [
        row for row in given.user_days if not row["is_bot"] and (business is None or row["business_id"] == business)
    ]
    firsts = {row["user_id"]: min(r["date"] for r in days if r["user_id"] == row["user_id"]) for row in days}
    there: dict[tuple[Any, str | None], set[str]] = {}
    for row in days:
        there.setdefault((period_of(row["date"]), row["business_id"]), set()).add(row["user_id"])
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in days:
        period = period_of(row["date"])
        if period is None:
            continue
        in_business = there[period, row["business_id"]]
        is_new = period_of(firsts[row["user_id"]]) == period
        segment_of = {
            "business_size": None if row["business_id"] is None else size_of(len(in_business)),
            "device_type": row["device_type"],
            "country": row["country"],
            "new_or_old": "new" if is_new else "old",
        }
        same = [u for u in given.feature_days if all(u[k] == row[k] for k in ("date", "user_id", "business_id"))]
        for kind, segment in segment_of.items():
            for used in (None, *same):
                key = (period, kind, segment, used and used["feature"])
                cell = found.setdefault(key, {"users": set()} | dict.fromkeys(COUNTS, 0 if used else None))
                cell["users"].add(row["user_id"])
                cell |= {name: cell[name] + used[name] for name in COUNTS} if used else {}
    return {key: (len(cell["users"]), *(cell[name] for name in COUNTS)) for key, cell in found.items()}


def one_range(first: date, last: date) -> Callable[[date], date | None]:
    """Give the days of a range its first as their period, and no other day one."""
    return lambda day: first if first <= day <= last else None


def found(answer: list[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    """The same of rows."""
    cells = {
        tuple(row[name] for name in ("period_at", "kind", "segment", "feature")): (
            row["users"],
            *(row[name] for name in COUNTS),
        )
        for row in answer
    }
    assert len(cells) == len(answer)
    return cells


def tables_of(given: History) -> Any:
    return tables(user_days=given.user_days, feature_days=given.feature_days)


def difference(connection: duckdb.DuckDBPyConnection, given: History) -> str:
    """Say in which unit the table differs from what is told."""
    connection.register("built", run_model(connection, "segments"))
    table = rows(connection, "from built")
    if not {row["unit"] for row in table} <= set(UNITS):
        return "units"
    for unit, period_of in UNITS.items():
        answer = [row for row in table if row["unit"] == unit]
        if found(answer) != told(given, period_of):
            return unit
        later = {row["period_at"]: any(period_of(day) > row["period_at"] for day in given.log_days) for row in answer}
        if any(row["is_complete"] != later[row["period_at"]] for row in answer):
            return f"{unit} is complete"
    return ""


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_any_history_gives_what_is_told_user_by_user(seed: int) -> None:
    given = made(seed)
    with tables_of(given) as connection:
        assert not difference(connection, given)
        connection.execute("create or replace view segments as from built")
        table = rows(connection, "from segments")
        for unit, period_of in UNITS.items():
            asked = segments(connection, unit=unit).to_arrow_table().to_pylist()
            assert sorted(asked, key=repr) == sorted((row for row in table if row["unit"] == unit), key=repr)
            one = segments(connection, unit=unit, business="b1").to_arrow_table().to_pylist()
            assert found(one) == told(given, period_of, "b1")
            complete = {row["period_at"]: row["is_complete"] for row in table if row["unit"] == unit}
            assert all(row["is_complete"] == complete[row["period_at"]] for row in one), "of the log, not of a Business"


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_a_range_is_one_unit(seed: int) -> None:
    given = made(seed)
    days = given.log_days
    chance = Random(seed)
    first, last = sorted((chance.choice(days), chance.choice(days)))
    with tables_of(given) as connection:
        for begin, end in ((first, last), (None, last), (first, None), (None, None)):
            for business in (None, "b1"):
                answer = segments(connection, unit=None, business=business, first=begin, last=end)
                asked = answer.to_arrow_table().to_pylist()
                at, until = begin or days[0], end or days[-1]
                assert found(asked) == told(given, one_range(at, until), business)
                assert {row["unit"] for row in asked} <= {"range"}
                assert {row["is_complete"] for row in asked} <= {until < days[-1]}


def test_a_question_keeps_to_kind_feature_and_units() -> None:
    made_all = (made(seed) for seed in range(HISTORIES))
    given = max(made_all, key=lambda each: len({UNITS["week"](day) for day in each.log_days}))
    with tables_of(given) as connection:
        everything = segments(connection, unit="week").to_arrow_table().to_pylist()
        weeks = sorted({row["period_at"] for row in everything})
        assert len(weeks) > 3
        asked = segments(connection, "country", "week", None, weeks[1], weeks[2], "notes").to_arrow_table().to_pylist()
        assert asked
        assert asked == [
            row
            for row in everything
            if row["kind"] == "country" and row["feature"] == "notes" and row["period_at"] in weeks[1:3]
        ]
        order = [(row["kind"], row["period_at"], row["feature"] or "", row["segment"] or "~") for row in everything]
        assert order == sorted(order)
        assert {row["kind"] for row in everything} == set(SEGMENT_KINDS)
        assert segments(connection).to_arrow_table().to_pylist() == everything
        for kind, unit in (("browser", "week"), (None, "day"), (None, "")):
            with pytest.raises(QuestionError, match="must be one of"):
                segments(connection, kind, unit)


def test_sizes_of_businesses() -> None:
    sizes = {
        1: "1",
        2: "2-9",
        9: "2-9",
        10: "10-49",
        49: "10-49",
        50: "50-249",
        249: "50-249",
        250: "250+",
        300: "250+",
    }
    given = [
        {"date": FIRST, "user_id": f"{size}-{user}", "business_id": f"b{size}", "is_bot": False}
        for size in sizes
        for user in range(size)
    ]
    with tables(user_days=given) as connection:
        users = {
            row["segment"]: row["users"] for row in segments(connection, "business_size").to_arrow_table().to_pylist()
        }
    assert users == {
        name: sum(size for size, of in sizes.items() if of == name) for name in ("1", "2-9", "10-49", "50-249", "250+")
    }


@pytest.mark.parametrize(
    ("model", "right", "wrong"),
    [
        ("active_days", "where not is_bot and", "where"),
        ("segments", "where unit_days.unit <> 'day'", ""),
        ("segments", "sizes.business_id = days", "sizes.business_id is not distinct from days"),
        ("segments", "count(distinct user_id) as users\n", "count(user_id) as users\n"),
        ("segments", "and sizes.period = days.period ", ""),
        ("segments", "min(date) as first_date", "max(date) as first_date"),
        ("segments", "        and first_periods.period = days.period\n", ""),
        ("segments", "then known.device_type", "then coalesce(known.device_type, 'other')"),
        ("segments", "then known.country", "then known.device_type"),
        ("segments", "cast(count(distinct user_id) as bigint) as users", "cast(count(user_id) as bigint) as users"),
        ("segments", "count(distinct segmented.user_id)", "count(segmented.user_id)"),
        ("segments", "business_id is not distinct from", "business_id ="),
        ("segments", "    and feature_days.business_id is not distinct from segmented.business_id\n", ""),
        ("segments", "on feature_days.date = segmented.date\n    and", "on"),
    ],
)
def test_a_wrong_rule_is_seen(monkeypatch: pytest.MonkeyPatch, model: str, right: str, wrong: str) -> None:
    load = models.load_model
    true = load(model)
    assert right in true.sql
    broken = models.Model(true.name, true.what, true.grain, true.key, true.inputs, true.sql.replace(right, wrong))
    monkeypatch.setattr(models, "load_model", lambda name: broken if name == model else load(name))

    def is_seen(seed: int) -> bool:
        given = made(seed)
        with tables_of(given) as connection:
            return bool(difference(connection, given))

    assert any(is_seen(seed) for seed in range(HISTORIES))
