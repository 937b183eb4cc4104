"""The published case of Snowplow's web model: page views, visits and the users stitched to them, in two batches or one.

An event becomes a line of the documented JSON: `domain_userid` is the visitor's cookie, `user_id` the logged-in user,
`derived_tstamp` the time; a page view is a request of the page with its query and referrer, a page ping one of an event
path. Where definitions differ: Snowplow's tracker begins a session with a new campaign, Trail does not (`CAMPAIGN`).
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.ingest.deliveries import House

BATCHES = ("event/sp_event.csv", "event/sp_event_update.csv")
CAMPAIGN = {"user_3_session_2": "user_3_session_1"}  # 40 s after the last act of the same person


def told(row: dict[str, str], name: str) -> str:
    return "" if row[name] in ("NULL", "placeholder") else row[name]


def line(row: dict[str, str]) -> bytes:
    is_page = row["event"] == "page_view"
    query = told(row, "page_urlquery").strip("?")
    values = {
        "time": row["derived_tstamp"].replace(" ", "T") + "Z",
        "remote_addr": "198.51.100.7",
        "host": row["page_urlhost"],
        "method": "GET",
        "target": (row["page_urlpath"] + (f"?{query}" if query else "")) if is_page else "/ping",
        "status": "200",
        "referrer": told(row, "page_referrer"),
        "user_agent": row["useragent"],
        "visitor_id": row["domain_userid"],
        "user_id": told(row, "user_id"),
    }
    return json.dumps(values).encode() + b"\n"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tables(house: House) -> dict[str, list[tuple[Any, ...]]]:
    return {
        name: house.rows(f"from {name} order by all") for name in ("requests", "clickstream", "visits", "user_links")
    }


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> Path:
    return shared_data / "peer-tests" / "snowplow-2018"


@pytest.fixture(scope="module")
def house(cases: Path, tmp_path_factory: pytest.TempPathFactory) -> House:
    """Both batches at once."""
    house = House(tmp_path_factory.mktemp("at-once"), event_paths=("/ping",))
    for number, batch in enumerate(BATCHES):
        house.deliver(f"web/{number}.log", b"".join(map(line, read(cases / batch))))
    house.run()
    return house


def test_batch_after_batch_gives_what_both_at_once_give(cases: Path, house: House, tmp_path: Path) -> None:
    one_by_one = House(tmp_path, event_paths=("/ping",))
    for number, batch in enumerate(BATCHES):
        one_by_one.deliver(f"web/{number}.log", b"".join(map(line, read(cases / batch))))
        one_by_one.run()
    assert tables(one_by_one) == tables(house)


def test_page_views_are_those_expected(cases: Path, house: House) -> None:
    expected = [row["user_snowplow_domain_id"] for row in read(cases / "expected/snowplow_page_views_expected.csv")]
    found = house.rows("select visitor_id from clickstream where kind = 'page'")
    assert sorted(visitor for (visitor,) in found) == sorted(f"c-{name}" for name in expected)


def test_visits_and_stitched_users_are_those_expected_but_for_campaigns(cases: Path, house: House) -> None:
    sessions: dict[str, dict[str, str]] = {}
    for row in read(cases / "expected/snowplow_sessions_expected.csv"):
        name = CAMPAIGN.get(row["session_id"], row["session_id"])
        first = sessions.setdefault(name, row)
        first["session_end"] = max(first["session_end"], row["session_end"])
    expected = [
        (
            f"c-{row['user_snowplow_domain_id']}",
            None if row["inferred_user_id"] == row["user_snowplow_domain_id"] else row["inferred_user_id"],
            row["session_start"].split(":", 1)[1],  # the hour is that of New York
            row["session_end"].split(":", 1)[1],
            row["referer_url"].removesuffix("/") if row["referer_url"] != "NULL" else None,
            row["marketing_campaign"] if row["marketing_campaign"] != "NULL" else None,
        )
        for row in sessions.values()
    ]
    found = house.rows(
        """
        select visitor_id, user_id, strftime(started_at, '%M:%S'), strftime(ended_at, '%M:%S'),
            regexp_replace(referrer, '^https://', ''), utm_campaign
        from visits
        """
    )
    assert len(expected) == 4
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    for visitor, user, *_ in expected:
        assert house.rows(f"select distinct user_id from clickstream where visitor_id = '{visitor}'") == [(user,)]
