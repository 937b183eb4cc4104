"""The pages as somebody with a browser meets them: what is shown, to whom, and what is noted of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline.audit import access_key, user_hash, verify
from pipeline.features import Catalogue, CatalogueError
from pipeline.lookup import open_scope
from pipeline.lookup.rows import Row, rows
from pipeline.settings import Settings
from pipeline.web.app import make_app
from tests.conftest import Demo
from tests.web import served
from tests.web.teams import Team, at_work, team_settings


@pytest.fixture
def settings(demo: Demo, tmp_path: Path) -> Settings:
    return team_settings(demo.settings, tmp_path)


@pytest.fixture
def team(settings: Settings) -> Iterator[Team]:
    with at_work(settings) as team:
        yield team


@pytest.fixture(scope="module")
def known(demo: Demo) -> Row:
    """Somebody of Business b01 alone, with an error of theirs."""
    with open_scope(demo.settings) as connection:
        return rows(
            connection,
            "select user_lookup.*, visit_id, request_id from user_lookup inner join clickstream using (user_id)"
            " where business_ids = ['b01'] and name is not null and email is not null and status >= 400"
            " order by user_id, request_id limit 1",
        )[0]


def test_a_user_is_found_opened_and_read_request_by_request(team: Team, known: Row) -> None:
    found = team.get("eng", f"/?q={quote(known['name'])}")
    assert f"/user/{known['user_id']}" in found.body
    user = team.get("eng", f"/user/{known['user_id']}")
    assert (user.status, known["email"] in user.body) == (200, True)
    assert f"/visit/{known['visit_id']}" in user.body
    visit = team.get("eng", f"/visit/{known['visit_id']}")
    assert f'id="{known["request_id"]}"' in visit.body
    request = team.get("eng", f"/request/{known['request_id']}")
    assert "As it was written" in request.body
    assert known["visit_id"] in request.body


@pytest.mark.parametrize("kind", ["visit", "request"])
def test_a_whole_id_leads_to_what_it_names(team: Team, known: Row, kind: str) -> None:
    answer = team.get("ann", f"/?q={known[f'{kind}_id']}")
    assert (answer.status, answer.headers["Location"]) == (303, f"/{kind}/{known[f'{kind}_id']}")


def test_a_visit_is_a_file(team: Team, known: Row) -> None:
    as_csv = team.get("eng", f"/visit/{known['visit_id']}.csv")
    as_json = team.get("eng", f"/visit/{known['visit_id']}.json")
    acts = json.loads(as_json.body)["acts_in_order"]
    read = list(csv.DictReader(io.StringIO(as_csv.body)))
    assert [row["request_id"] for row in read] == [act["request_id"] for act in acts]
    assert "attachment" in as_csv.headers["Content-Disposition"]
    assert team.get("eng", f"/visit/{known['visit_id']}.exe").status == 404


def test_support_sees_its_businesses_only(team: Team, known: Row) -> None:
    pages = [
        f"/user/{known['user_id']}",
        f"/visit/{known['visit_id']}",
        f"/visit/{known['visit_id']}.csv",
        f"/request/{known['request_id']}",
    ]
    for page in pages:
        assert team.get("ann", page).status == 200, page
        stranger, nobody = team.get("ben", page), team.get("ben", page.replace(known["user_id"], "nobody"))
        assert stranger.status == nobody.status == 404, page
        assert stranger.body == nobody.body
    for asked in (known["name"], known["email"], known["user_id"], known["visit_id"], *known["identifiers"]):
        answer = team.get("ben", f"/?q={quote(asked)}")
        assert answer.status == 200
        assert f"/user/{known['user_id']}" not in answer.body
        assert known["email"] not in answer.body.replace(asked, "")
    assert team.post("ben", f"/user/{known['user_id']}/reveal").status == 404


def test_support_sees_emails_and_addresses_masked_until_revealed(team: Team, known: Row) -> None:
    page = f"/user/{known['user_id']}"
    assert known["email"] not in team.get("ann", page).body
    assert known["email"] not in team.get("ann", f"/?q={quote(known['name'])}").body
    assert known["email"] in team.post("ann", f"{page}/reveal").body
    request = team.get("ann", f"/request/{known['request_id']}").body
    assert "As it was written" not in request
    with open_scope(team.settings) as connection:
        (asked,) = rows(connection, "select ip from requests where request_id = $id", {"id": known["request_id"]})
    assert asked["ip"] not in request


def test_each_look_is_noted_before_it_is_shown(team: Team, known: Row) -> None:
    team.get("ann", f"/?q={quote(known['name'])}")
    team.get("ann", f"/user/{known['user_id']}")
    team.post("ann", f"/user/{known['user_id']}/reveal")
    team.get("ann", f"/visit/{known['visit_id']}.csv")
    team.get("ben", f"/user/{known['user_id']}")
    noted = team.noted()
    assert [(entry.actor[:3], entry.action, entry.outcome) for entry in noted] == [
        ("ann", "search", "shown"),
        ("ann", "user", "shown"),
        ("ann", "reveal", "shown"),
        ("ann", "export", "shown"),
        ("ben", "user", "nothing"),
    ]
    key = access_key(team.settings.secret)
    hashed = user_hash(key, known["user_id"])
    assert all(hashed in [subject.user for subject in entry.subjects] for entry in noted[:4])
    assert verify(team.settings.access_log, key) == []
    log = b"".join(path.read_bytes() for path in team.settings.access_log.glob("*.jsonl")).decode()
    for personal in (known["name"], known["email"], f'"{known["user_id"]}"'):
        assert personal not in log


def test_what_cannot_be_noted_is_not_shown(team: Team, known: Row) -> None:
    team.get("ann", f"/user/{known['user_id']}")
    (month,) = team.settings.access_log.glob("*.jsonl")
    month.unlink()
    answer = team.get("ann", f"/user/{known['user_id']}")
    assert (answer.status, known["name"] in answer.body) == (500, False)


def test_a_reason_is_asked_for_once(settings: Settings, known: Row) -> None:
    with at_work(replace(settings, ask_why=True)) as team:
        page = f"/user/{known['user_id']}"
        first = team.get("ann", page)
        assert (first.status, "Why do you look?" in first.body, known["name"] in first.body) == (403, True, False)
        assert known["name"] not in team.get("ann", f"/?q={quote(known['email'])}").body
        assert team.noted() == []
        given = team.post("ann", "/why", f"why=ticket+4711&next={quote(page)}")
        assert (given.status, given.headers["Location"]) == (303, page)
        assert known["name"] in team.get("ann", page).body
        assert known["name"] in team.get("ann", f"/?q={quote(known['email'])}&why=ticket+12").body
        assert [entry.why for entry in team.noted()] == ["ticket 4711", "ticket 12"]
        assert team.get("eng", page).status == 403


def test_without_sign_in_this_machine_sees_all(demo: Demo, tmp_path: Path, known: Row) -> None:
    with served(make_app(replace(demo.settings, access_log=tmp_path / "access_log"))) as browser:
        assert known["email"] in browser.ask("GET", f"/user/{known['user_id']}", []).body


def test_a_user_and_a_visit_are_told_in_the_services_words(
    demo: Demo, team: Team, known: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Features used" in team.get("ann", f"/user/{known['user_id']}").body
    assert 'class="feature"' in team.get("ann", f"/visit/{known['visit_id']}").body
    acts = list(csv.DictReader(io.StringIO(team.get("ann", f"/visit/{known['visit_id']}.csv").body)))
    assert any(act["features"] and "[" not in act["features"] for act in acts)
    monkeypatch.setattr("pipeline.web.showing.catalogue_of", _broken_catalogue)
    page = team.get("ann", f"/user/{known['user_id']}")
    assert (page.status, "Features used" in page.body) == (200, False)


def _broken_catalogue(_: Settings) -> Catalogue:
    raise CatalogueError("features.toml: not valid TOML")


def test_a_broken_catalogue_is_said_at_the_start(settings: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "features.toml"
    broken.write_text("[features.notes]\nowner = 'Care'\n", encoding="utf-8")
    with pytest.raises(CatalogueError, match="feature 'notes'"):
        make_app(replace(settings, features=broken))
