"""Random histories of use, small and full of what is awkward: days apart, two Businesses, robots, nobody's uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.schemas import TABLES
from pipeline.warehouse.views import create_views

FIRST = date(2026, 1, 28)  # a Wednesday near a month's end
BUSINESSES = ("b1", "b2", None)
FEATURES = ("notes", "calendar")


@dataclass(frozen=True)
class History:
    """Days on which users did something, and used features: rows of `user_days` and `feature_days`."""

    user_days: list[dict[str, Any]]
    feature_days: list[dict[str, Any]]

    def days(self, feature: str | None, business: str | None, is_whole: bool) -> dict[str, set[date]]:
        """The days of each user with anything done or a use of a feature, in one Business or (`is_whole`) in any."""
        found: dict[str, set[date]] = {}
        for row in self.user_days if feature is None else self.feature_days:
            is_asked = not row.get("is_bot") and row["user_id"] is not None
            is_asked = is_asked and (feature is None or row["feature"] == feature)
            if is_asked and (is_whole or row["business_id"] == business):
                found.setdefault(row["user_id"], set()).add(row["date"])
        return found

    @property
    def log_days(self) -> list[date]:
        """Days of the log."""
        return sorted({row["date"] for row in self.user_days})


def history(random: Random) -> History:
    """Make a history of a few users over some weeks."""
    span = random.choice((3, 20, 70))
    logged = sorted(random.sample(range(span), random.randint(1, span)))
    user_days, feature_days = {}, {}
    for user in range(random.randint(1, 7)):
        for _ in range(random.randint(1, 12)):
            day, business = FIRST + timedelta(random.choice(logged)), random.choice(BUSINESSES)
            key = {"date": day, "user_id": f"u{user}", "business_id": business}
            user_days[day, user, business] = key | {"is_bot": user == 6}
            for feature in FEATURES if user < 6 else ():
                if random.random() < 0.4:
                    feature_days[day, user, business, feature] = key | {"feature": feature}
    day = random.choice(list(user_days))[0]
    nobody = {"date": day, "user_id": None, "visitor_id": "c-1", "business_id": "b1", "feature": "notes"}
    return History(list(user_days.values()), [*feature_days.values(), nobody])


@contextmanager
def tables(**rows: Sequence[dict[str, Any]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open tables that hold some rows, and none in all others; what a row does not say is null."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_views(connection, {})
        for name, given in rows.items():
            connection.register(f"{name}_given", pa.Table.from_pylist(list(given), schema=TABLES[name].file_schema))
            connection.execute(f"create or replace view {name} as from {name}_given")
        yield connection
