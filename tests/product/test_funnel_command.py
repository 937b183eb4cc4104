"""`trail funnel` as a person and as a program use it, on the demo and on a hostile log."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from tests.conftest import Demo
from tests.features.acts import feature
from tests.features.test_tables import line
from tests.ingest.deliveries import House


def funnel(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(config), "funnel", *arguments])


def told(demo: Demo, *arguments: str) -> list[dict[str, Any]]:
    result = funnel(demo.paths.config, *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.output)
    return found


def numbers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in ("funnel", "feature")} for row in rows]


def test_the_declared_are_listed_and_asked_they_are_the_same(demo: Demo) -> None:
    declared = told(demo)
    assert [(row["funnel"], row["feature"]) for row in declared] == [
        ("first-note", "sign-in"),
        ("first-note", "clients"),
        ("first-note", "notes"),
        ("signing-up", "website"),
        ("signing-up", "sign-in"),
    ]
    assert numbers(told(demo, "sign-in", "clients", "notes")) == numbers(declared[:3])
    days = told(demo, "sign-in", "clients", "notes", "--from", "2026-03-04", "--to", "2026-03-05")
    assert 0 < days[0]["entered"] < declared[0]["entered"]
    assert days[0]["entered"] > told(demo, "sign-in", "notes", "--to", "2026-03-02")[0]["entered"]
    short = told(demo, "sign-in", "clients", "notes", "--within", "1 minute")
    assert short[0]["entered"] == declared[0]["entered"]
    assert short[2]["entered"] < declared[2]["entered"]
    by_visit = told(demo, "/login", "clients", "--per", "visit", "--within", "2 days")
    assert [(row["feature"], row["per"]) for row in by_visit] == [("route /login", "visit"), ("clients", "visit")]
    assert by_visit[0]["entered"] > short[0]["entered"]


def test_a_business_has_its_own_by_id_and_name(demo: Demo) -> None:
    result = CliRunner().invoke(
        main, ["--config", str(demo.paths.config), "sql", "from businesses order by business_id limit 1", "--json"]
    )
    business = json.loads(result.output)[0]
    found = told(demo, "--business", business["name"])
    assert {(row["scope"], row["business_id"]) for row in found} == {("business", business["business_id"])}
    asked = told(demo, "sign-in", "clients", "notes", "--business", business["business_id"])
    assert numbers(asked) == numbers([row for row in found if row["funnel"] == "first-note"])
    assert 0 < asked[0]["entered"] < told(demo)[0]["entered"]


def test_it_is_shown_with_titles_shares_and_where_others_went(demo: Demo) -> None:
    shown = funnel(demo.paths.config).output
    assert "From signing in to a note: per person, within 7 days\nstep  feature  reached  of first" in shown
    assert "From the website to signing in: per visit\n" in shown
    assert "dropped after 1, and then: ended " in shown
    asked = funnel(demo.paths.config, "sign-in", "/clients", "--within", "90 minutes").output
    assert asked.startswith("sign-in > route /clients: per person, within 90 minutes\n")
    assert "100.0 %" in asked


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["sign-in"], 1, "it must be a list of 2 to 10 features"),
        (["sign-in", "note"], 1, "steps has 'note', which is no feature; did you mean 'notes'?"),
        (["sign-in", "/a**"], 1, "* must be a whole segment"),
        (["sign-in", "notes", "--within", "soon"], 1, "within is 'soon'; it must be a whole number of seconds"),
        (["sign-in", "notes", "--per", "user"], 2, "'user' is not one of 'person', 'visit'"),
        (["sign-in", "notes", "--business", "nowhere"], 1, "there is no Business 'nowhere'"),
        (["sign-in", "notes", "--from", "2026-03-04", "--to", "2026-03-03"], 2, "--from 2026-03-04 is after --to"),
        (["--within", "1 day"], 2, "are of STEPs"),
    ],
)
def test_what_cannot_be_asked_is_one_line(demo: Demo, arguments: list[str], code: int, said: str) -> None:
    result = funnel(demo.paths.config, *arguments)
    assert result.exit_code == code
    assert said in result.output
    assert "Traceback" not in result.output


def test_what_a_log_says_is_shown_plain_and_no_funnel_is_said_to_be_none(tmp_path: Path) -> None:
    house = House(tmp_path, builds_all=True)
    report = line("02T10:00:01", "/trail/event?e=%1B%5B31m&v=abcd1234&a=1&t=1&p=/a").replace(b"GET", b"POST")
    house.deliver("web/a.log", line("02T10:00:00", "/a") + b"\n" + report + b"\n")
    path, config = tmp_path / "features.toml", tmp_path / "trail.toml"
    path.write_text(
        feature("a", '{ route = "/a" }') + '[funnels.f]\ndescription = "d"\nsteps = ["a", "a"]\nper = "visit"\n',
        encoding="utf-8",
    )
    config.write_text(f'warehouse = "{house.settings.warehouse}"\nfeatures = "features.toml"', encoding="utf-8")
    house.settings = replace(house.settings, features=path)
    house.run()
    shown = funnel(config).output
    assert "dropped after 1, and then: event \\x1b[31m 1" in shown
    assert "\x1b" not in shown + funnel(config, "--json").output
    path.write_text(feature("a", '{ route = "/a" }'), encoding="utf-8")
    house.run()
    assert "no funnels: the catalogue declares none" in funnel(config).output
