"""The tables made of the catalogue: as counted by hand over the demo, and made anew when the catalogue changes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

from pipeline.build import find_stale
from pipeline.features import catalogue_of
from pipeline.features.coverage import Period, feature_use
from pipeline.lookup.rows import rows
from pipeline.warehouse import StagedState, connect
from tests.conftest import Demo
from tests.ingest.deliveries import House

CATALOGUE = """
[features.notes]
description = "Notes of a session"
owner = "Care"
patterns = [{ route = "/notes" }]
"""


def test_usage_is_as_counted_act_by_act(demo: Demo) -> None:
    catalogue = catalogue_of(demo.settings)
    uses: Counter[tuple[object, ...]] = Counter()
    users: dict[tuple[object, ...], set[str]] = {}
    with connect(demo.settings) as connection:
        for act in rows(connection, "from clickstream where not is_bot"):
            key = (act["method"], act["host"], act["route"], act["event"], act["event_label"], act["status"])
            for feature in catalogue.features_of(*key):
                place = (act["date"], act["business_id"], feature)
                uses[place] += 1
                users.setdefault(place, set()).update({act["user_id"]} - {None})
        usage = rows(connection, "from feature_usage")
        asked = feature_use(connection, catalogue, Period(date(2026, 3, 1), date(2026, 3, 31)))
        adopted = rows(connection, "select user_id, feature, sum(uses) as uses from feature_adoption group by all")
    assert {(row["date"], row["business_id"], row["feature"]): row["uses"] for row in usage} == uses
    told = Counter[str]()
    for row in usage:
        told[row["feature"]] += row["uses"]
        assert row["users"] == len(users[row["date"], row["business_id"], row["feature"]])
    assert told == Counter({row["feature"]: row["uses"] for row in asked}), "the catalogue asked, and its tables"
    assert sum(row["uses"] for row in adopted) < sum(uses.values())
    assert len(adopted) > 100


def line(at: str, path: str) -> bytes:
    told = {"time": f"2026-03-{at}+00:00", "remote_addr": "198.51.100.7", "method": "GET", "target": path}
    return json.dumps(
        told | {"status": "200", "user_id": "u1", "visitor_id": "k1", "user_agent": "Mozilla/5.0"}
    ).encode()


def test_another_catalogue_makes_all_days_anew_and_none_empties_them(tmp_path: Path) -> None:
    house = House(tmp_path, builds_all=True)
    house.deliver("web/a.log", b"\n".join([line("02T10:00:00", "/notes"), line("03T10:00:00", "/calendar"), b""]))
    house.run()
    assert house.rows("select count(*) from feature_days") == [(0,)]
    catalogue = tmp_path / "features.toml"
    catalogue.write_text(CATALOGUE, encoding="utf-8")
    house.settings = replace(house.settings, features=catalogue)
    assert set(find_stale(StagedState(house.settings))) == {"feature_days", "funnel_acts"}
    house.run()
    assert house.rows("select date::varchar, feature, user_id, uses from feature_days") == [
        ("2026-03-02", "notes", "u1", 1)
    ]
    catalogue.write_text(f"# said otherwise\n{CATALOGUE}", encoding="utf-8")
    assert find_stale(StagedState(house.settings)) == {}
    catalogue.write_text(CATALOGUE.replace('"/notes"', '"/*"'), encoding="utf-8")
    house.run()
    assert house.rows("select date::varchar, users, uses from feature_usage order by date") == [
        ("2026-03-02", 1, 1),
        ("2026-03-03", 1, 1),
    ]
    house.settings = replace(house.settings, features=None)
    house.run()
    for table in ("feature_days", "feature_usage", "feature_adoption"):
        assert house.rows(f"select count(*) from {table}") == [(0,)], table
