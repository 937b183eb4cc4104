"""The catalogue's file: what may stand in it, and where what is wrong is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import models
from pipeline.features import CatalogueError, Feature, catalogue_of, read_catalogue
from pipeline.settings import SettingError, Settings, load_settings
from tests.features.acts import catalogue, feature

NOTES = """
[features.notes]
title = "Session notes"
description = "Write a note"
owner = "Care"
effort = 3
strategy = "grow"
patterns = [{ method = "POST", route = "/api/v1/notes", status = ["2xx", 404] }, { event = "saved:note" }]

[features.clients]
description = "Find a client"
owner = "Practice"
patterns = [{ route = "/clients/**", host = "*.example.com" }]
"""


def test_what_is_said_is_read(tmp_path: Path) -> None:
    notes, clients = catalogue(tmp_path, NOTES).features
    assert (notes.name, notes.title, notes.description, notes.owner) == (
        "notes",
        "Session notes",
        "Write a note",
        "Care",
    )
    assert (notes.effort, notes.strategy) == (3.0, "grow")
    assert notes.patterns[0].method == ("POST",)
    assert notes.patterns[0].status == ((200, 299), (404, 404))
    assert notes.patterns[1].event == "saved:note"
    assert (clients.title, clients.effort, clients.strategy) == ("clients", None, None)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a = \nb = 1", "not valid TOML.*line 1, column 5"),
        ("", r"names no feature; it must have a table for each, such as \[features.notes\]"),
        ("features = 3", "names no feature"),
        ("[features]", "names no feature"),
        ("[feature.notes]", "unknown key 'feature'; did you mean 'features'\\? known: features"),
        ('[features."My notes"]', "feature 'My notes': a name must be lower case letters"),
        ('[features."notes\\n"]', "feature 'notes\\\\n': a name must be"),
        ("[features]\nnotes = 3", "feature 'notes' must be a table of title, description"),
        (
            feature("notes", '{ route = "/" }', 'pattern = ""'),
            "feature 'notes': unknown key 'pattern'; did you mean 'patt",
        ),
        (feature("notes", '{ route = "/" }', "owners = 3"), "did you mean 'owner'"),
        (
            feature("notes", '{ route = "/" }', "zzz = 3"),
            "unknown key 'zzz'; known: title, description, owner, patterns",
        ),
        (feature("notes", '{ route = "/" }').replace('owner = "o"', ""), "feature 'notes': owner is absent"),
        (feature("notes", '{ route = "/" }').replace('description = "d"', ""), "description is absent"),
        ('[features.notes]\ndescription = "d"\nowner = "o"', "feature 'notes': patterns is absent"),
        (feature("notes", '{ route = "/" }').replace('"o"', '" "'), "owner is ' '; it must be a text"),
        (feature("notes", '{ route = "/" }').replace('"d"', "7"), "description is 7; it must be a text"),
        (feature("notes", '{ route = "/" }', "title = []"), "title is \\[\\]; it must be a text"),
        (feature("notes", '{ route = "/" }', "strategy = 1"), "strategy is 1; it must be a text"),
        *(
            (
                feature("notes", '{ route = "/" }', f"effort = {wrong}"),
                "feature 'notes': effort is .*person-weeks above 0",
            )
            for wrong in ("0", "-1", "true", '"3"', "nan", "inf", "1" + "0" * 400)
        ),
        (feature("notes", ""), "feature 'notes': patterns is \\[\\]; it must be a list of tables"),
        (feature("notes", '"/notes"'), "feature 'notes', pattern 1: it must be a table of method, host, route, event"),
        (feature("notes", "{}"), "feature 'notes', pattern 1: it must be a table of"),
        (
            feature("notes", '{ route = "/" }, { rout = "/" }'),
            "'notes', pattern 2: unknown key 'rout'; did you mean 'route'",
        ),
        (
            feature("notes", '{ route = "notes" }'),
            "pattern 1: route is 'notes'; it must be a route, such as \"/clients/{id}",
        ),
        (feature("notes", "{ route = 3 }"), "pattern 1: route is 3; it must be"),
        *(
            (feature("notes", f'{{ route = "{wrong}" }}'), r"pattern 1: route is .*; \* must be a whole segment")
            for wrong in ("/a*", "/**/a", "/a/*.pdf", "/a**", "/***", "/a/**/**")
        ),
        *(
            (feature("notes", f"{{ method = {wrong} }}"), "pattern 1: method is .*; it must be a method in capitals")
            for wrong in ('"post"', '"*"', "3", '["GET", "put"]', '""')
        ),
        (feature("notes", "{ method = [] }"), "pattern 1: method is an empty list, which takes no act"),
        (feature("notes", "{ status = [] }"), "pattern 1: status is an empty list"),
        *(
            (feature("notes", f"{{ status = {wrong} }}"), "pattern 1: status is .*; it must be a number such as 404")
            for wrong in ('"404"', "99", "600", "true", '"6xx"', '">=400"', "4.5", "[404, 1]")
        ),
        *(
            (feature("notes", f'{{ host = "{wrong}" }}'), "pattern 1: host is .*; it must be a host in lower case")
            for wrong in ("App.example", "a.*", "*", "a.example:8080", "https://a.example", "")
        ),
        (feature("notes", '{ event = "" }'), "pattern 1: event is ''; it must be the name of an event"),
        (feature("notes", '{ event = "click:*" }'), "pattern 1: event is 'click:\\*'; 'click' alone takes every label"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(CatalogueError, match=f"^{tmp_path}/features.toml: .*{said}") as caught:
        catalogue(tmp_path, written)
    assert isinstance(caught.value, SettingError)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=f"{tmp_path}/none.toml: cannot be read: No such file"):
        read_catalogue(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(CatalogueError, match="not valid TOML"):
        read_catalogue(tmp_path / "bytes.toml")


def test_the_version_is_of_what_is_claimed_and_not_of_how_it_is_written(tmp_path: Path) -> None:
    before = catalogue(tmp_path, NOTES).version
    again = """
    # rewritten
    [features]
    clients = { owner = "Practice", description = "Find a client", patterns = [
        { host = '*.example.com', route = "/clients/**" },  # all of them
        { host = "*.example.com", route = "/clients/**" },
    ] }
    [features.notes]
    owner = "Somebody else"
    description = "Write a note, and read one"
    patterns = [
        { event = "saved:note" },
        { status = [404, "2xx"], method = ["POST"], route = "/api/v1/notes" },
    ]
    """
    assert catalogue(tmp_path, again).version == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/clients/**", "/clients/*"),
        ("[features.notes]", "[features.note]"),
        ('"POST"', '["POST", "PUT"]'),
        ('"2xx", 404', '"2xx"'),
        ("404", "405"),
        ("saved:note", "saved"),
        ("*.example.com", "example.com"),
        (', host = "*.example.com"', ""),
    ],
)
def test_the_version_is_another_where_other_acts_are_claimed(tmp_path: Path, old: str, new: str) -> None:
    assert old in NOTES
    assert catalogue(tmp_path, NOTES.replace(old, new)).version != catalogue(tmp_path, NOTES).version


def test_rules_are_in_one_order_in_every_process(tmp_path: Path) -> None:
    """Texts hash otherwise in each process, so that the order of a set is no order; and "None" is not null."""
    said = ", ".join(f'{{ event = "{word}" }}' for word in ("None", "b", "a", "c:d", "z", "y"))
    rows = [
        tuple(row.values()) for row in catalogue(tmp_path, feature("a", '{ route = "/" }, ' + said)).rules.to_pylist()
    ]
    assert len(rows) == 7
    assert rows == sorted(rows, key=lambda row: [repr(value) for value in row])


def test_the_same_file_is_read_once_and_a_changed_one_again(tmp_path: Path) -> None:
    first = catalogue(tmp_path, NOTES)
    assert read_catalogue(tmp_path / "features.toml") is first
    assert catalogue(tmp_path, NOTES.replace("/clients/**", "/customer/**")) is not first


def test_the_setting_names_the_file(tmp_path: Path) -> None:
    assert catalogue_of(Settings()).features == ()
    (tmp_path / "trail.toml").write_text('features = "features.toml"', encoding="utf-8")
    settings = load_settings(tmp_path / "trail.toml", {})
    assert settings.features == tmp_path / "features.toml"
    assert catalogue(tmp_path, NOTES) is catalogue_of(settings)
    assert load_settings(None, {"TRAIL_FEATURES": "/a/b.toml"}).features == Path("/a/b.toml")


def test_a_table_made_by_the_catalogue_is_made_anew_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a model of a table that reads `feature_keys` would be, `visits` here."""
    load = models.load_model
    reading = replace(
        load("visits"), inputs=("visit_acts", "requests", "page_reports", "channel_rules", "feature_keys")
    )
    monkeypatch.setattr(models, "load_model", lambda name: reading if name == "visits" else load(name))
    path = tmp_path / "features.toml"
    settings = Settings(features=path)
    catalogue(tmp_path, NOTES)
    before = models.definition("visits", settings)
    catalogue(tmp_path, NOTES.replace("Write a note", "Writes notes"), "\n# a word")
    assert models.definition("visits", settings) == before
    catalogue(tmp_path, NOTES.replace("/clients/**", "/customer/**"))
    assert models.definition("visits", settings) != before
    assert models.definition("user_days", settings) == models.definition("user_days", Settings())


def test_the_demos_catalogue_is_right() -> None:
    import pipeline.demo

    features = read_catalogue(Path(pipeline.demo.__file__).with_name("features.toml")).features
    assert len(features) == 12
    assert all(isinstance(one, Feature) and one.title != one.name for one in features)
