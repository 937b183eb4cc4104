"""The page of what Businesses asked: who sees what of it, in which order, as text, and that reading it is a look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.audit import access_key, user_hash
from pipeline.privacy import DONE, REFUSED, Record, add_hold
from pipeline.privacy.share import note_recall, share
from tests.conftest import Demo
from tests.web.teams import Team, at_work, team_settings

NOW = datetime.now(UTC)


@pytest.fixture
def team(demo: Demo, tmp_path: Path) -> Iterator[Team]:
    settings = team_settings(demo.settings, tmp_path)
    record = Record(settings)
    record.receive("access", "b01", "ann/1", "pia", "<b>The office</b>", "T-1", NOW - timedelta(days=31))
    record.receive("erasure", "b02", "ben", "pia", received_at=NOW - timedelta(days=40))
    record.receive("access", "b02", "carl", "pia", received_at=NOW - timedelta(days=30))
    record.receive("access", "b01", "dora", "pia")
    record.close(record.receive("access", "b01", "eve", "pia").number, DONE, "exported", {"users": 1, "acts": 1200})
    record.close(record.receive("access", "b02", "finn", "pia").number, REFUSED, "nobody of that name")
    with at_work(settings) as team:
        yield team


def numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<th scope="row" class="number">(\d+)</th>', page)]


def test_what_is_due_comes_first_and_what_is_closed_last(team: Team) -> None:
    page = team.get("pia", "/privacy").body
    assert numbers(page) == [2, 1, 3, 4, 6, 5]
    assert re.findall(r"<strong>(.*?)</strong>", page) == ["overdue by 10 days", "overdue by 1 day", "today"]
    assert "in 30 days" in page
    assert "1,201" in page
    assert '<a href="/user/ann%2F1">ann/1</a>' in page
    assert "&lt;b&gt;The office&lt;/b&gt;" in page
    assert "eve" not in page, "a closed request names nobody"


def test_who_looks_after_one_business_sees_what_that_one_asked(team: Team) -> None:
    page = team.get("pat", "/privacy").body
    assert numbers(page) == [2, 3, 6]
    assert "ann/1" not in page
    assert "b01" not in page


def test_support_and_engineers_do_not_read_it(team: Team) -> None:
    for who in ("ann", "eng"):
        assert team.get(who, "/privacy").status == 403
        assert "/privacy" not in team.get(who, "/").body
    assert '<a href="/privacy">Privacy</a>' in team.get("pia", "/").body


def test_holds_and_copies_are_told_to_whom_they_concern(team: Team, tmp_path: Path) -> None:
    soon = (NOW + timedelta(days=3)).date()
    add_hold(team.settings, "gus/1", "b01", "<i>a court</i>", soon, "pia")
    add_hold(team.settings, "hal", "b02", "an invoice", (NOW - timedelta(days=1)).date(), "pia")
    add_hold(team.settings, "ida", None, "everywhere", soon, "pia")
    for number, of in enumerate((["b01"], ["b02"], None, ["b01", "b02"])):
        columns = ["user_id", "route", "business_id"]
        share(team.settings, f"maps-{number}", "clickstream", columns, of, tmp_path / f"copy-{number}", "pia")
    note_recall(team.settings, 1, {"2": ["one", "two"], "3": ["three"]})
    page = team.get("pia", "/privacy").body
    assert '<a href="/user/gus%2F1">gus/1</a>' in page
    assert "&lt;i&gt;a court&lt;/i&gt;" in page
    assert re.findall(r"<td>(\d{4}-\d\d-\d\d(?:, over)?)</td>\n    <td><a", page)[:2] == [
        soon.isoformat(),
        f"{(NOW - timedelta(days=1)).date()}, over",
    ]
    assert re.findall(r"maps-\d", page) == ["maps-0", "maps-1", "maps-2", "maps-3"]
    assert re.findall(r'number">(\d+)</td>\n    <td>\d{4}-\d\d-\d\d \d\d:', page) == ["0", "2", "1", "0"]
    page = team.get("pat", "/privacy").body
    assert re.findall(r"gus|hal|ida", page) == ["hal", "hal"]
    assert re.findall(r"maps-\d", page) == ["maps-1"]
    assert {one.user for one in team.noted()[-1].subjects} >= {user_hash(access_key(team.settings.secret), "hal")}


def test_reading_it_is_a_look_at_those_whom_it_names(team: Team) -> None:
    team.get("pat", "/privacy")
    (look,) = team.noted()
    assert (look.actor, look.action, look.outcome) == ("pat@example.net", "privacy", "shown")
    key = access_key(team.settings.secret)
    assert {one.user for one in look.subjects} == {user_hash(key, name) for name in ("ben", "carl")}


def test_an_empty_record_says_that_nothing_is_due(demo: Demo, tmp_path: Path) -> None:
    with at_work(team_settings(demo.settings, tmp_path)) as team:
        page = team.get("pia", "/privacy").body
    assert "Nothing is due." in page
    assert "Nothing was closed yet." in page
    assert "Nobody is held back." in page
    assert "Nothing was given to a processor." in page
