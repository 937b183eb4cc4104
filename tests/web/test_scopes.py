"""What is published is answered from soon after, and what was published before until then."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.lookup import open_scope
from pipeline.web import scopes
from pipeline.web.scopes import Scopes
from tests.ingest.deliveries import House


def line(number: int) -> bytes:
    told = {
        "time": f"2026-03-02T10:{number:02}:00+00:00",
        "remote_addr": "198.51.100.7",
        "method": "GET",
        "target": "/notes",
        "status": "200",
        "user_id": f"u{number}",
        "visitor_id": f"k{number}",
        "business_id": f"b{number}",
    }
    return json.dumps(told).encode() + b"\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.deliver("web/a.log", line(1))
    house.run()
    return house


def users(asked: Scopes, businesses: tuple[str, ...] | None = None) -> int:
    with asked.ask(businesses) as connection:
        found = connection.execute("select count(*) from user_lookup").fetchone()
    return int(found[0]) if found else -1


def test_what_was_published_before_answers_until_what_is_new_is_open(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Scopes(house.settings)
    assert users(asked) == 1
    assert users(asked, ("b2",)) == 0
    house.deliver("web/b.log", line(2))
    house.run()
    may_open, opened = threading.Event(), []

    def open_late(*arguments: Any, **named: Any) -> Any:
        opened.append(arguments[1])
        assert may_open.wait(20)
        return open_scope(*arguments, **named)

    monkeypatch.setattr(scopes, "open_scope", open_late)
    assert [users(asked), users(asked)] == [1, 1]
    may_open.set()
    for businesses, count in ((None, 2), (("b2",), 1)):
        end = time.monotonic() + 20
        while users(asked, businesses) != count and time.monotonic() < end:
            time.sleep(0.01)
        assert users(asked, businesses) == count
    assert opened == [None, ("b2",)]


def test_a_scope_that_cannot_be_opened_anew_is_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Scopes(house.settings)
    assert users(asked) == 1
    house.deliver("web/b.log", line(2))
    house.run()
    with monkeypatch.context() as broken:
        broken.setattr(scopes, "open_scope", lambda *_, **__: (_ for _ in ()).throw(OSError("disk")))
        broken.setattr(threading, "excepthook", lambda _: None)
        assert users(asked) == 1
        end = time.monotonic() + 20
        while any(thread.name == scopes.RENEWING for thread in threading.enumerate()) and time.monotonic() < end:
            time.sleep(0.01)
    end = time.monotonic() + 20
    while users(asked) != 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert users(asked) == 2


def test_no_more_scopes_are_held_than_may_be(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scopes, "_MOST", 2)
    asked = Scopes(house.settings)
    assert [users(asked, (business,)) for business in ("b1", "b2", "b3", "b1")] == [1, 0, 0, 1]
    assert len(asked._held) == 2
