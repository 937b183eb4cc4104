"""The page of who looked: whom it tells, of what, and that reading it is a look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline.lookup import open_scope
from pipeline.lookup.rows import rows
from tests.conftest import Demo
from tests.web.teams import Team, at_work, team_settings


@pytest.fixture
def team(demo: Demo, tmp_path: Path) -> Iterator[Team]:
    with at_work(team_settings(demo.settings, tmp_path)) as team:
        yield team


@pytest.fixture(scope="module")
def users(demo: Demo) -> dict[str, str]:
    """A user of each Business, who is in no other."""
    with open_scope(demo.settings) as scope:
        found = rows(
            scope,
            "select business_ids[1] as business_id, min(user_id) as user_id from user_lookup"
            " where len(business_ids) = 1 group by business_ids[1]",
        )
    return {row["business_id"]: row["user_id"] for row in found}


def test_looks_are_told_newest_first_with_their_reason(team: Team, users: dict[str, str]) -> None:
    team.get("ann", f"/user/{users['b01']}")
    team.post("ben", "/why", "why=ticket+4711&next=%2F")
    team.get("ben", f"/user/{users['b02']}")
    page = team.get("pia", "/looks")
    assert page.status == 200
    assert "ticket 4711" in page.body
    assert page.body.index("ben@example.net, support") < page.body.index("ann@example.net, support")
    own = team.get("pia", f"/looks?user={quote(users['b01'])}").body
    assert "ann@example.net, support" in own
    assert "ben@example.net, support" not in own
    assert "ann@example.net, support" not in team.get("pia", "/looks?business=b02").body
    assert "ben@example.net, support" not in team.get("pia", "/looks?actor=ann%40example.net").body


def test_reading_it_is_a_look(team: Team, users: dict[str, str]) -> None:
    team.get("ann", f"/user/{users['b01']}")
    team.get("pia", "/looks")
    assert [(entry.actor[:3], entry.action) for entry in team.noted()] == [("ann", "user"), ("pia", "who_looked")]
    assert "who_looked" in team.get("pia", "/looks").body


def test_who_looks_after_one_business_is_told_of_that_alone(team: Team, users: dict[str, str]) -> None:
    team.get("ann", f"/user/{users['b01']}")
    team.get("eng", "/affected?path=%2Fclients&status=2xx")
    page = team.get("pat", "/looks").body
    assert "ann@example.net, support" not in page
    assert "eng@example.net, engineer" in page
    assert "b01" not in page
    everything = team.get("pia", "/looks").body
    assert "b01" in everything
    assert "/clients" in everything
    assert "/clients" not in page
    assert "Nobody looked" in team.get("pat", f"/looks?user={quote(users['b01'])}").body


def test_support_and_engineers_do_not_read_it(team: Team) -> None:
    for who in ("ann", "eng"):
        assert team.get(who, "/looks").status == 403
        assert "/looks" not in team.get(who, "/").body


def test_a_period_that_cannot_be_read_is_said(team: Team) -> None:
    assert team.get("pia", "/looks?from=never").status == 400
