"""Funnels: the tables, and any steps asked, equal to every chain tried on random histories; and what may be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipeline.models import run_model, stream_model
from pipeline.product import funnel
from pipeline.product.funnels import keep_ways
from pipeline.product.rows import QuestionError
from pipeline.settings import Settings
from pipeline.warehouse import connect
from tests.conftest import Demo
from tests.features.acts import feature
from tests.product.funnel_histories import PATTERNS, START, Row, Said, acts, funnels, told
from tests.product.histories import tables

SEEDS = range(25)
BUSINESSES = ("", "b1", "b2", None)  # the first is all


class Asked:
    """A history, its funnels, and the tables that were made of them day by day."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, given: list[Row], said: list[Said], folder: Path) -> None:
        catalogue = folder / "features.toml"
        features = [feature(name, patterns) for name, patterns in PATTERNS.items()]
        catalogue.write_text("".join([*features, *(one.text for one in said)]), encoding="utf-8")
        self.connection, self.settings = connection, Settings(features=catalogue)
        days = [run_model(connection, "funnel_acts", day, day, self.settings) for day in {act["date"] for act in given}]
        connection.register("funnel_acts_given", pa.concat_tables(days))
        connection.execute("create or replace view funnel_acts as from funnel_acts_given")
        ways = keep_ways(connection, "kept", self.settings, acts_at_once=3)  # as a run makes them, in many parts
        made = stream_model(connection, "funnels", settings=self.settings, given=ways)
        self.funnels = [row for batch in made for row in batch.to_pylist()]

    def table(self, name: str, business: str | None) -> list[Row]:
        """Rows of the table of a funnel in all Businesses (empty) or one, in order."""
        key = (name, "all" if business == "" else "business", business or None)
        rows = [row for row in self.funnels if (row["funnel"], row["scope"], row["business_id"]) == key]
        return sorted(rows, key=lambda row: int(row["step"]))

    def ask(self, said: Said, **more: Any) -> list[Row]:
        """Ask for a funnel as if it were not declared."""
        within = None if said.within is None else f"{int(said.within.total_seconds())} seconds"
        steps = funnel(self.connection, said.steps, said.per, within, settings=self.settings, **more)
        return named(steps.to_arrow_table().to_pylist(), said.name)


def named(rows: list[Row], name: str) -> list[Row]:
    assert {row["funnel"] for row in rows} <= {"asked"}
    return [row | {"funnel": name} for row in rows]


def unnamed(rows: list[Row]) -> list[Row]:
    return [{key: row[key] for key in row if key not in ("funnel", "scope", "business_id")} for row in rows]


@contextmanager
def asked(given: list[Row], said: list[Said], folder: Path) -> Iterator[Asked]:
    with tables(clickstream=given) as connection:
        yield Asked(connection, given, said, folder)


def close(rows: list[Row] | None) -> list[Row]:
    """Expect rows but for the last bits of numbers that are no counts; none where nothing is expected."""
    return [
        {key: pytest.approx(value, abs=1e-6) if isinstance(value, float) else value for key, value in row.items()}
        for row in rows or ()
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_table_and_the_same_asked_are_as_every_chain_tried_says(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    given, said = acts(random), funnels(random)
    with asked(given, said, tmp_path) as history:
        for one in said:
            for business in BUSINESSES:
                found = history.table(one.name, business)
                assert unnamed(found) == close(told(given, one, business)), (one, business)
        one, early = random.choice(said), START.date()
        assert history.ask(one) == history.table(one.name, "")
        assert history.ask(one, business="b1") == history.table(one.name, "b1")
        for first, last in ((early + timedelta(days=1), None), (None, early)):
            expected = close(told(given, one, first=first, last=last))
            assert unnamed(history.ask(one, first=first, last=last)) == expected, one
    keys = [(row["funnel"], row["scope"], row["business_id"], row["step"]) for row in history.funnels]
    assert len(set(keys)) == len(keys)


def act(minute: int, route: str, **more: Any) -> Row:
    at = START + timedelta(minutes=minute)
    known = {"date": at.date(), "occurred_at": at, "visit_id": "v", "visit_seq": minute, "user_id": "u1", "status": 200}
    return known | {"request_id": f"{minute}", "method": "GET", "route": route, "is_bot": False} | more


def test_patterns_are_steps_like_features(tmp_path: Path) -> None:
    given = [act(1, "/a"), act(2, "/other/1"), act(3, "/b"), act(4, "/c", status=500), act(5, "/c", method="PUT")]
    with asked(given, [Said("f", ("a", "b"), timedelta(minutes=2), "person")], tmp_path) as history:
        by_name = history.table("f", "")
        routes = funnel(history.connection, [{"route": "/a"}, {"route": "/b"}], within="120 seconds").to_arrow_table()
        same = unnamed(named(routes.to_pylist(), "f"))
        assert same == [row | {"feature": f"route /{row['feature']}"} for row in unnamed(by_name)]
        assert [row["entered"] for row in same] == [1, 1]
        mixed: list[Any] = ["a", {"route": "/other/*"}, {"method": ["PUT", "POST"], "route": "/c", "status": "2xx"}]
        found = funnel(history.connection, mixed, settings=history.settings).to_arrow_table().to_pylist()
        assert [(row["feature"], row["entered"], row["from_first_median_s"]) for row in found] == [
            ("a", 1, None),
            ("route /other/*", 1, 60.0),
            ("method POST or PUT, route /c, status 2xx", 1, 240.0),
        ]
        last = funnel(history.connection, ["a", "b"], last=START.date() - timedelta(days=1), settings=history.settings)
        assert [row["entered"] for row in last.to_arrow_table().to_pylist()] == [0, 0]


def test_days_bound_the_steps_and_not_what_came_next(tmp_path: Path) -> None:
    given = [act(119, "/a"), act(121, "/x"), act(122, "/b")]
    said = Said("f", ("a", "b"), timedelta(days=1), "person")
    with asked(given, [said], tmp_path) as history:
        assert [row["entered"] for row in history.ask(said)] == [1, 1]
        found = history.ask(said, last=START.date())
        assert [row["entered"] for row in found] == [1, 0]
        assert found[0]["instead"] == [{"route": "/x", "times": 1}]


@pytest.mark.parametrize(
    ("steps", "more", "said"),
    [
        (["a"], {}, r"steps is \['a'\]; it must be a list of 2 to 10 features"),
        (["a"] * 11, {}, "it must be a list of 2 to 10 features"),
        (["a", "bb"], {}, "steps has 'bb', which is no feature; did you mean 'b'?"),
        (["a", "zzz"], {}, "steps has 'zzz', which is no feature; known: a, b, ab, c"),
        (["a", {"rout": "/b"}], {}, "step {'rout': '/b'} has 'rout'; a pattern has method, host, route, event, status"),
        (["a", {"route": "b"}], {}, "step {'route': 'b'}: route is 'b'; it must be a route"),
        (["a", {}], {}, "step {}: it must be a table of"),
        (["a", "b"], {"per": "user"}, "per is 'user'; it must be one of person, visit"),
        (["a", "b"], {"within": None}, "within is absent; it must be a whole number of seconds"),
        (["a", "b"], {"within": "91 days"}, "within is '91 days'; .*at most 90 days"),
        (["a", "b"], {"within": "0 hours"}, "within is '0 hours'"),
        (["a", "b"], {"within": "1.5 days", "per": "visit"}, "within is '1.5 days'"),
    ],
)
def test_what_cannot_be_asked_is_said(steps: list[Any], more: dict[str, Any], said: str, tmp_path: Path) -> None:
    with asked([act(1, "/a")], [], tmp_path) as history, pytest.raises(QuestionError, match=said):
        funnel(history.connection, steps, settings=history.settings, **more)


def test_the_demo_asked_is_as_its_table(demo: Demo) -> None:
    said: dict[str, tuple[list[str], dict[str, Any]]] = {
        "first-note": (["sign-in", "clients", "notes"], {}),
        "signing-up": (["website", "sign-in"], {"per": "visit", "within": None}),
    }
    with connect(demo.settings) as connection:
        businesses = connection.sql(
            "select distinct business_id from funnels order by business_id nulls first"
        ).fetchall()
        for name, (steps, more) in said.items():
            for (business,) in businesses[:4]:
                table = connection.sql(
                    "from funnels where funnel = $name and scope = $scope"
                    " and business_id is not distinct from $business order by step",
                    params={"name": name, "scope": "all" if business is None else "business", "business": business},
                )
                found = funnel(connection, steps, business=business, settings=demo.settings, **more)
                assert named(found.to_arrow_table().to_pylist(), name) == table.to_arrow_table().to_pylist()
        first, last = (
            connection.sql("select entered from funnels where scope = 'all' and funnel = 'first-note' order by step")
            .to_arrow_table()["entered"]
            .to_pylist()[::2]
        )
        assert first > last > 20
