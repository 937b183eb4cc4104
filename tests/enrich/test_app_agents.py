"""User agents of apps: the app, its version and its system; browsers and libraries stay the engine's."""

from __future__ import annotations

import pytest

from pipeline.enrich.bots import bot_signals
from pipeline.enrich.user_agent_engine import parse_user_agent
from tests.formats.test_linear_time import LIMIT_S, LINES, limit

UNKNOWN = (None, None, None, None, None, "other")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SessionTracker/3.2 (iPhone; iOS 18.1)", ("SessionTracker", "3.2", "iOS", "18.1", "Apple iPhone", "mobile")),
        (
            "SessionTracker/3.2 (iPad; iPadOS 16.6; Scale/2.00)",
            ("SessionTracker", "3.2", "iOS", "16.6", "Apple iPad", "tablet"),
        ),
        (
            "SessionTracker/3.1 (Linux; Android 15; SM-S931B)",
            ("SessionTracker", "3.1", "Android", "15", "Samsung SM-S931B", "mobile"),
        ),
        (
            "SessionTracker/3.1 (Linux; Android 14; SM-X700)",
            ("SessionTracker", "3.1", "Android", "14", "Generic_Android SM-X700", "tablet"),
        ),
        (
            "Session Tracker/3.2.1 (com.example.tracker; build:42; iOS 17.4.1) Alamofire/5.8.0",
            ("Session Tracker", "3.2.1", "iOS", "17.4.1", None, "mobile"),
        ),
        (
            "Session%20Tracker/45 CFNetwork/1568.100.1 Darwin/24.0.0",
            ("Session Tracker", "45", "iOS", "18.0", "Apple iOS-Device", "mobile"),
        ),
        ("SessionTracker/3.2 okhttp/4.12.0", ("SessionTracker", "3.2", "Android", None, None, "mobile")),
        ("okhttp/4.12.0", ("okhttp", "4.12.0", None, None, None, "other")),
        ("SessionTracker/3.2", UNKNOWN),
        ("SessionTracker", UNKNOWN),
    ],
)
def test_apps(text: str, said: tuple[str | None, ...]) -> None:
    client = parse_user_agent(text)
    found = (client.browser, client.browser_version, client.os, client.os_version, client.device, client.device_type)
    assert found == said


def test_a_robot_that_looks_like_an_app_is_a_bot_still() -> None:
    text = "LookBot/2.1 (iPhone; iOS 18.1)"
    assert bot_signals([text], [parse_user_agent(text)]) == [("word",)]


def test_no_text_takes_long() -> None:
    with limit(LIMIT_S):
        for line in LINES:
            parse_user_agent(f"A/1 ({line}")
