"""How much features are used, and what none claims."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pipeline.features.coverage import Period, feature_use, read_period, unclaimed
from tests.features.acts import DAY, PERIOD, catalogue, clickstream, feature

NOTES = feature("notes", '{ route = "/clients/*/notes/**" }, { event = "saved:note" }')
CLIENTS = feature("clients", '{ route = "/clients/**", status = "2xx" }')
UNMET = feature("export", '{ route = "/export" }')

ACTS: list[dict[str, Any]] = [
    {"route": "/clients/{id}/notes", "user_id": "u1", "business_id": "b1"},
    {"route": "/clients/{id}/notes", "user_id": "u1", "business_id": "b2", "status": 500},
    {"route": "/clients/{id}/notes", "user_id": "u2", "business_id": "b1", "status": None},
    {"route": "/clients", "user_id": None, "host": "a.example"},
    {"route": "/clients", "user_id": "u3", "status": 404},
    {"route": "/trail/event", "kind": "event", "event": "saved", "event_label": "note", "user_id": "u3"},
    {"route": "/trail/event", "kind": "event", "event": "saved", "event_label": "other", "user_id": "u3"},
    {"route": "/trail/event", "kind": "event", "event": "hide", "user_id": "u3"},
    {"route": "/other", "user_id": "u1"},
    {"route": "/other", "method": "POST", "status": 422, "user_id": "u1"},
    {"route": "/other", "user_id": "u2"},
    {"route": "/clients/{id}/notes", "user_id": "bot", "is_bot": True},
    {"route": "/probed", "user_id": "bot", "is_bot": True},
    {"route": "/clients/{id}/notes", "user_id": "u9", "date": DAY - timedelta(1)},
    {"route": "/earlier", "user_id": "u9", "date": DAY - timedelta(1)},
]


def test_an_act_of_two_features_is_a_use_of_both(tmp_path: Path) -> None:
    with clickstream(*ACTS) as connection:
        assert feature_use(connection, catalogue(tmp_path, NOTES, UNMET, CLIENTS), PERIOD) == [
            {"feature": "notes", "uses": 4, "users": 3, "businesses": 2},
            {"feature": "export", "uses": 0, "users": 0, "businesses": 0},
            {"feature": "clients", "uses": 2, "users": 1, "businesses": 1},
        ]


def test_what_none_claims_is_listed_by_users_and_uses(tmp_path: Path) -> None:
    with clickstream(*ACTS) as connection:
        found = unclaimed(connection, catalogue(tmp_path, NOTES, UNMET, CLIENTS), PERIOD)
    assert [tuple(row.values()) for row in found] == [
        ("GET", "/other", None, 2, 2, 0),
        ("GET", "/clients", None, 1, 1, 1),
        ("POST", "/other", None, 1, 1, 1),
        ("GET", "/trail/event", "saved", 1, 1, 0),
    ]


def test_the_last_four_weeks_by_default() -> None:
    with clickstream(*ACTS) as connection:
        assert read_period(connection, None, None) == Period(date(2026, 2, 3), DAY)
        assert read_period(connection, None, date(2026, 2, 28)) == Period(date(2026, 2, 1), date(2026, 2, 28))
        assert read_period(connection, DAY, None) == Period(DAY, DAY)
    with clickstream() as connection:
        assert read_period(connection, None, None).last >= DAY
