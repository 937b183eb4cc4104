"""Funnels in the catalogue's file: what may stand there, as rows for SQL, and what is made anew when they change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build import find_stale
from pipeline.build.stale import stale_whole
from pipeline.features import CatalogueError, Funnel, funnel_steps
from pipeline.features.funnels import FunnelError, read_within, within_text
from pipeline.settings import Settings
from pipeline.warehouse import StagedState
from tests.features.acts import catalogue, feature
from tests.features.test_tables import line
from tests.ingest.deliveries import House

FEATURES = feature("notes", '{ route = "/notes" }') + feature("clients", '{ route = "/clients" }')


def funnel(said: str = "", name: str = "f", per: str = 'per = "person"', within: str = 'within = "7 days"') -> str:
    """Write a funnel of two steps, or of what is said instead."""
    steps = "" if "steps" in said else 'steps = ["clients", "notes"]\n'
    description = "" if "description" in said else 'description = "d"\n'
    return f"[funnels.{name}]\n{description}{steps}{within}\n{per}\n{said}\n"


def test_what_is_said_is_read(tmp_path: Path) -> None:
    again = funnel('title = "Notes twice"\nsteps = ["notes", "clients", "notes"]', name="again", within="")
    said = catalogue(tmp_path, FEATURES, funnel(per=""), again.replace('"person"', '"visit"'))
    assert said.funnels == (
        Funnel("f", "f", "d", ("clients", "notes"), 604800, "person"),
        Funnel("again", "Notes twice", "d", ("notes", "clients", "notes"), None, "visit"),
    )
    assert funnel_steps(Settings(features=tmp_path / "features.toml")).to_pylist() == [
        {"funnel": name, "step": step, "steps": steps, "feature": of, "within_s": within, "per": per}
        for name, step, steps, of, within, per in (
            ("f", 1, 2, "clients", 604800, "person"),
            ("f", 2, 2, "notes", 604800, "person"),
            ("again", 1, 3, "notes", None, "visit"),
            ("again", 2, 3, "clients", None, "visit"),
            ("again", 3, 3, "notes", None, "visit"),
        )
    ]
    assert said.version == catalogue(tmp_path, FEATURES).version, "the version says which acts features claim"
    assert (
        funnel_steps(Settings(features=tmp_path / "features.toml")).num_rows == funnel_steps(Settings()).num_rows == 0
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[funnel.f]", "unknown key 'funnel'; did you mean 'funnels'\\? known: features, funnels"),
        ("funnels = 3", "funnels must be a table for each funnel, such as \\[funnels.onboarding\\]"),
        ("[funnels]\nf = 3", "funnel 'f' must be a table of title, description, steps, within, per"),
        (funnel(name='"My way"'), "funnel 'My way': a name must be lower case letters"),
        (funnel("step = []"), "funnel 'f': unknown key 'step'; did you mean 'steps'"),
        (funnel("owner = 'o'"), "funnel 'f': unknown key 'owner'; known: title, description, steps, within, per"),
        (funnel("title = 3"), "funnel 'f': title is 3; it must be a text"),
        (funnel('description = " "'), "funnel 'f': description is ' '; it must be a text"),
        (funnel().replace('description = "d"', ""), "funnel 'f': description is absent; every funnel has one"),
        ('[funnels.f]\ndescription = "d"', "funnel 'f': steps is absent; every funnel has them"),
        *(
            (funnel(f"steps = {wrong}"), "funnel 'f': steps is .*; it must be a list of 2 to 10 features")
            for wrong in ('"notes"', "3", "[]", '["notes"]', str(["notes"] * 11))
        ),
        (funnel('steps = ["notes", "client"]'), "steps has 'client', which is no feature; did you mean 'clients'\\?"),
        (funnel('steps = ["notes", "zzz"]'), "steps has 'zzz', which is no feature; known: notes, clients"),
        (funnel("steps = [['notes'], 3]"), "steps has \\['notes'\\], which is no feature"),
        *(
            (funnel(per=f"per = {wrong}"), "funnel 'f': per is .*; it must be one of person, visit")
            for wrong in ('"user"', "3", "[]")
        ),
        (
            funnel(within=""),
            "funnel 'f': within is absent; it must be a whole number of seconds, minutes, hours or days",
        ),
        *(
            (funnel(within=f"within = {wrong}"), "funnel 'f': within is .*; it must be .*, at most 90 days")
            for wrong in (
                '"7"',
                "7",
                '"91 days"',
                '"0 days"',
                '"1.5 days"',
                '"-1 days"',
                '"2 weeks"',
                '"7 days "',
                '"٧ days"',
            )
        ),
        (funnel(per='per = "visit"', within='within = "x"'), "funnel 'f': within is 'x'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, written: str, said: str) -> None:
    named = (FEATURES, written) if written.startswith("[") else (written, "\n", FEATURES)
    with pytest.raises(CatalogueError, match=f"^{tmp_path}/features.toml: .*{said}") as caught:
        catalogue(tmp_path, *named)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "seconds", "written"),
    [
        ("1 second", 1, "1 second"),
        ("90 seconds", 90, "90 seconds"),
        ("30 minutes", 1800, "30 minutes"),
        ("60 minutes", 3600, "1 hour"),
        ("36hours", 129600, "36 hours"),
        ("1 day", 86400, "1 day"),
        ("90 days", 7776000, "90 days"),
    ],
)
def test_a_length_of_time_is_read_and_written(said: str, seconds: int, written: str) -> None:
    assert read_within(said, "person") == seconds
    assert within_text(seconds) == written
    assert read_within(written, "visit") == seconds


def test_only_a_way_per_visit_may_be_unbounded() -> None:
    assert read_within(None, "visit") is None
    with pytest.raises(FunnelError, match="within is absent"):
        read_within(None, "person")


def test_other_funnels_make_their_tables_anew_and_no_others(tmp_path: Path) -> None:
    house = House(tmp_path, builds_all=True)
    hide = line("03T00:00:00", "/trail/event?e=hide&v=abcd1234&a=60000&t=1&p=/clients").replace(b"GET", b"POST")
    lines = [line("02T23:59:00", "/clients"), hide, line("03T00:01:00", "/notes"), b""]
    house.deliver("web/a.log", b"\n".join(lines))
    path = tmp_path / "features.toml"
    path.write_text(FEATURES, encoding="utf-8")
    house.settings = replace(house.settings, features=path)
    house.run()
    assert house.rows("select count(*) from funnel_acts") == house.rows("select count(*) from funnels") == [(0,)]
    path.write_text(FEATURES + funnel(), encoding="utf-8")
    state = StagedState(house.settings)
    assert (set(find_stale(state)), stale_whole(state)) == ({"funnel_acts"}, ["funnels"])
    house.run()
    reached = (
        "select step, entered, from_first_median_s, instead::varchar from funnels where scope = 'all' order by step"
    )
    assert house.rows(reached) == [(1, 1, None, None), (2, 1, 120.0, None)]
    assert house.rows("select date::varchar, next_route from funnel_acts order by date") == [
        ("2026-03-02", "/notes"),
        ("2026-03-03", None),
    ]
    house.deliver("web/late.log", line("03T00:00:30", "/elsewhere") + b"\n")  # changes nothing of the day before
    house.run()
    assert house.rows("select next_route from funnel_acts where date = '2026-03-02'") == [("/elsewhere",)]
    path.write_text(FEATURES + funnel(within='within = "119 seconds"'), encoding="utf-8")
    house.run()
    assert house.rows(reached) == [(1, 1, None, "[{'route': /elsewhere, 'times': 1}]"), (2, 0, None, None)]
    path.write_text(FEATURES, encoding="utf-8")
    house.run()
    assert house.rows("select count(*) from funnel_acts") == house.rows("select count(*) from funnels") == [(0,)]
