"""How much features are used over any days: equal to what is counted from the rows of each day, people once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from pipeline.lookup.rows import rows
from pipeline.product import adoption, usage
from pipeline.product.rows import QuestionError
from pipeline.warehouse import connect
from tests.conftest import Demo
from tests.product.histories import FIRST, tables

COUNTS = ("uses", "visits", "errors", "slow")
UNITS: dict[str | None, Callable[[date], date]] = {
    None: lambda _: date(2026, 3, 2),
    "day": lambda day: day,
    "week": lambda day: day - timedelta(day.weekday()),
    "month": lambda day: day.replace(day=1),
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("by_business", "business"), [(False, None), (True, None), (False, "b1")])
def test_usage_counts_people_once(demo: Demo, unit: str | None, by_business: bool, business: str | None) -> None:
    first, last = date(2026, 3, 4), date(2026, 3, 12)
    begin = first if unit is None else None
    expected: dict[tuple[Any, ...], dict[str, Any]] = {}
    with connect(demo.settings) as connection:
        for row in rows(connection, "from feature_days"):
            if first <= row["date"] <= last and business in (None, row["business_id"]):
                of = row["business_id"] if by_business or business else None
                key = (begin or UNITS[unit](row["date"]), of, row["feature"])
                told = expected.setdefault(key, {"users": set(), "visitors": set()} | dict.fromkeys(COUNTS, 0))
                told["users"] |= {row["user_id"]} - {None}
                told["visitors"] |= {row["visitor_id"]} - {None}
                told |= {name: told[name] + row[name] for name in COUNTS}
        answer = usage(connection, unit, by_business, business, first, last).to_arrow_table().to_pylist()
        whole = usage(connection).to_arrow_table().to_pylist()
    found = {(row["date"], row["business_id"], row["feature"]): row for row in answer}
    assert found.keys() == expected.keys()
    for key, told in expected.items():
        people = {name: len(told[name]) for name in ("users", "visitors")}
        assert (told | people).items() <= found[key].items()
    assert answer == sorted(answer, key=lambda row: (row["date"], row["feature"], row["business_id"] or "~"))
    assert {row["date"] for row in whole} == {date(2026, 3, 2)}


def test_adoption_is_of_one_feature_and_business() -> None:
    day = {"date": FIRST, "user_id": "u1", "visitor_id": None, "uses": 2}
    given = [
        {"user_id": "u1", "business_id": of, "feature": name} for of in ("b1", "b2") for name in ("notes", "plans")
    ]
    with tables(feature_days=[row | day for row in given], feature_adoption=given) as connection:
        found = adoption(connection, "notes", "b2").fetchall()
        assert [row[:3] for row in found] == [("u1", "b2", "notes")]
        assert len(adoption(connection).fetchall()) == 4
        with pytest.raises(QuestionError, match="unit is 'hour'"):
            usage(connection, "hour")
