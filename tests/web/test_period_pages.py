"""The pages of a period, and what leads to them: who met something, how routes fare, a visit beside a healthy one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline.audit import access_key, user_hash
from pipeline.lookup import open_scope, read_met, who_met
from pipeline.lookup.questions import newest_day
from pipeline.lookup.rows import Row, rows
from tests.conftest import Demo
from tests.web.teams import Team, at_work, team_settings

ASKED = "/affected?path=%2Flogin&status=4xx&from=2026-03-02"


@pytest.fixture
def team(demo: Demo, tmp_path: Path) -> Iterator[Team]:
    with at_work(team_settings(demo.settings, tmp_path)) as team:
        yield team


@pytest.fixture(scope="module")
def refused(demo: Demo) -> Row:
    """Who could not log in, of everybody."""
    with open_scope(demo.settings) as scope:
        met = read_met({"path": "/login", "status": "4xx", "from": "2026-03-02"}, newest_day(scope))
        return who_met(scope, met, 10_000)


@pytest.fixture(scope="module")
def failed(demo: Demo) -> Row:
    """A request of Business b01 alone that failed with a reference."""
    with open_scope(demo.settings) as scope:
        return rows(
            scope,
            "select clickstream.*, extra, ip from clickstream inner join requests using (request_id)"
            " where clickstream.status >= 500 and extra is not null and clickstream.user_id in"
            " (select user_id from user_lookup where business_ids = ['b01']) order by request_id limit 1",
        )[0]


def test_who_met_it_is_listed_and_kept_as_a_file(team: Team, refused: Row) -> None:
    page = team.get("eng", ASKED)
    assert page.status == 200
    for row in refused["listed"][:200]:
        assert f"/user/{row['user_id']}" in page.body
        assert (row["email"] or "") in page.body
    read = list(csv.DictReader(io.StringIO(team.get("eng", ASKED.replace("?", ".csv?")).body)))
    assert [(row["user_id"], int(row["times"])) for row in read] == [
        (row["user_id"], row["times"]) for row in refused["listed"]
    ]
    as_json = json.loads(team.get("eng", ASKED.replace("?", ".json?")).body)
    assert any(row["email"] for row in refused["listed"])
    assert [row["email"] for row in as_json] == [row["email"] for row in refused["listed"]]
    assert team.get("eng", ASKED.replace("?", ".exe?")).status == 404


def test_support_is_told_of_its_businesses_only_and_emails_are_masked(team: Team, refused: Row) -> None:
    own = {row["user_id"] for row in refused["listed"] if row["business_id"] == "b01"}
    assert own
    page = team.get("ann", ASKED)
    listed = team.get("ann", ASKED.replace("?", ".csv?"))
    assert {row["user_id"] for row in csv.DictReader(io.StringIO(listed.body))} == own
    for row in refused["listed"]:
        assert (f'/user/{row["user_id"]}"' in page.body) == (row["user_id"] in own)
        assert row["email"] is None or row["email"] not in page.body
    assert team.get("ann", f"{ASKED}&business=b02").body.count("/user/") == 0


def test_the_list_is_noted_with_everybody_on_it(team: Team, refused: Row) -> None:
    team.get("ann", ASKED)
    team.get("ann", ASKED.replace("?", ".csv?"))
    page, export = team.noted()
    assert [(page.action, page.target), (export.action, export.target)] == [
        ("affected", "/login"),
        ("export", "/login"),
    ]
    key = access_key(team.settings.secret)
    own = {user_hash(key, row["user_id"]) for row in refused["listed"] if row["business_id"] == "b01"}
    for entry in (page, export):
        assert {subject.user for subject in entry.subjects} == own


def test_a_path_is_noted_as_its_route(team: Team) -> None:
    team.get("ann", "/affected?path=%2Fclients%2F4711")
    (entry,) = team.noted()
    assert entry.target == "/clients/{id}"


def test_nothing_is_asked_where_nothing_is_described(team: Team) -> None:
    assert "Say what was met" in team.get("ann", "/affected?from=2026-03-02").body
    assert team.noted() == []


@pytest.mark.parametrize("wrong", ["status=7", "from=never", "from=2026-03-14&to=2026-03-13", "method=GET%20%2F"])
def test_what_cannot_be_read_is_said(team: Team, wrong: str) -> None:
    page = team.get("ann", f"/affected?path=%2F&{wrong}")
    assert page.status == 400
    assert 'role="alert"' in page.body
    assert team.get("ann", f"/affected.csv?path=%2F&{wrong}").status == 400


def test_the_search_leads_from_a_path_to_who_met_it(team: Team) -> None:
    answer = team.get("ann", f"/?q={quote('POST /login 4xx 2026-03-11 16:05')}")
    assert answer.status == 303
    assert answer.headers["Location"] == "/affected?method=POST&path=%2Flogin&status=4xx&from=2026-03-11+16%3A05"
    assert team.get("ann", answer.headers["Location"]).status == 200


def test_a_reference_leads_to_its_request(team: Team, failed: Row) -> None:
    reference = json.loads(failed["extra"])["error_reference"]
    answer = team.get("ann", f"/?q={quote(reference)}")
    assert (answer.status, answer.headers["Location"]) == (303, f"/request/{failed['request_id']}")
    assert [entry.outcome for entry in team.noted()] == ["shown"]
    stranger = team.get("ben", f"/?q={quote(reference)}")
    assert stranger.status == 200
    assert "Nobody found" in stranger.body


def test_an_address_leads_to_who_came_from_it(team: Team, failed: Row) -> None:
    assert f"/user/{failed['user_id']}" in team.get("ann", f"/?q={failed['ip']}").body
    assert f"/user/{failed['user_id']}" not in team.get("ben", f"/?q={failed['ip']}").body


def test_engineers_see_how_routes_fare_and_support_does_not(team: Team) -> None:
    page = team.get("eng", "/routes?from=2026-03-11&to=2026-03-11")
    assert page.status == 200
    assert (
        "/affected?path=/api/v1/summary&amp;method=GET&amp;status=500-599&amp;from=2026-03-11%2000%3A00%3A00"
        in page.body
    )
    assert team.get("eng", "/routes?from=never").status == 400
    for path in ("/routes", "/visit/20260311-0123456789abcdef/beside"):
        assert team.get("ann", path).status == 403
        assert path.split("?")[0] not in team.get("ann", "/").body


def test_a_link_from_a_failing_route_finds_as_many(demo: Demo, team: Team) -> None:
    period = "from=2026-03-11%2000:00:00&to=2026-03-11%2023:59:59"
    link = f"/affected.json?path=/api/v1/summary&method=GET&status=500-599&{period}"
    listed = json.loads(team.get("eng", link).body)
    with open_scope(demo.settings) as scope:
        expected = rows(
            scope,
            "select distinct user_id, business_id from clickstream where date = '2026-03-11' and not is_bot"
            " and route = '/api/v1/summary' and status >= 500 and user_id is not null",
        )
    assert len(listed) == len(expected) > 0


def test_a_visit_stands_beside_a_healthy_one_and_both_are_noted(team: Team, failed: Row) -> None:
    page = team.get("eng", f"/visit/{failed['visit_id']}/beside")
    assert page.status == 200
    assert f"/request/{failed['request_id']}" in page.body
    (entry,) = team.noted()
    assert entry.target == failed["visit_id"]
    assert len({subject.user for subject in entry.subjects}) == 2
    assert team.get("eng", "/visit/20260311-0123456789abcdef/beside").status == 404


def test_api_acts_stand_under_the_page_that_made_them(demo: Demo, team: Team, failed: Row) -> None:
    visit = json.loads(team.get("eng", f"/visit/{failed['visit_id']}.json").body)
    made = [act for act in visit["acts_in_order"] if act["made_by"]]
    assert made
    pages = {act["request_id"]: act for act in visit["acts_in_order"] if act["kind"] == "page"}
    for act in made:
        assert act["kind"] == "api"
        maker = pages[act["made_by"]]
        assert maker["occurred_at"] <= act["occurred_at"]
        named = [one for one in pages.values() if act["referrer"].endswith(one["path"])]
        assert maker == [one for one in named if one["visit_seq"] < act["visit_seq"]][-1]
    body = team.get("eng", f"/visit/{failed['visit_id']}").body
    assert all(f'id="{act["request_id"]}"' in body for act in visit["acts_in_order"])


def test_a_request_says_where_each_value_is_from_and_why_it_is_in_its_visit(team: Team, failed: Row) -> None:
    body = team.get("eng", f"/request/{failed['request_id']}").body
    for words in ("Why it is in this visit", "Where each value is from", "ua-parser", "settings ", "rules "):
        assert words in body
    assert json.loads(failed["extra"])["error_reference"] in body
    assert (
        json.loads(failed["extra"])["error_reference"] not in team.get("ann", f"/request/{failed['request_id']}").body
    )


def test_a_user_is_shown_with_role_and_place(demo: Demo, team: Team, failed: Row) -> None:
    with open_scope(demo.settings) as scope:
        (asked,) = rows(
            scope,
            "select role, country from memberships, visits where memberships.user_id = $user"
            " and visits.user_id = memberships.user_id and country is not null limit 1",
            {"user": failed["user_id"]},
        )
    body = team.get("ann", f"/user/{failed['user_id']}").body
    assert f"({asked['role']})" in body
    assert f" {asked['country']} (" in body
