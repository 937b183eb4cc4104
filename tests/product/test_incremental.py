"""Tables of the product team after lines that came in pieces, late and around midnight: as from one delivery."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from pipeline.build import find_stale
from pipeline.build.stale import INPUTS, stale_whole
from pipeline.schemas import TABLES
from pipeline.warehouse import StagedState, connect
from tests.ingest.deliveries import House

CATALOGUE = """
[features.notes]
description = "Notes of a session"
owner = "Care"
effort = 2
strategy = "grow"
patterns = [{ route = "/notes/**" }, { route = "/api/notes" }]

[features.calendar]
description = "Plan sessions"
owner = "Practice"
patterns = [{ route = "/calendar" }]

[funnels.plan]
description = "From a note to the calendar"
steps = ["notes", "calendar"]
within = "2 days"
"""
PATHS = ("/notes/7", "/notes/8", "/api/notes", "/calendar", "/", "/other")
MADE = [name for name, table in TABLES.items() if table.layer == "product"]


def lines(random: Random) -> list[bytes]:
    """Lines of a few users over two weeks and a half, many of them around midnight."""
    begin = datetime(2026, 3, 2, 23, tzinfo=UTC)
    found = []
    for number in range(420):
        user = f"u{random.randrange(12)}"
        at = begin + timedelta(days=random.randrange(18), seconds=random.randrange(2 * 3600), microseconds=number)
        told: dict[str, Any] = {"time": at.isoformat(), "remote_addr": "198.51.100.7", "method": "GET"}
        told |= {"target": random.choice(PATHS), "status": str(random.choice((200, 200, 200, 404, 500)))}
        told |= {"user_id": user, "visitor_id": f"k{user}", "business_id": f"b{random.choice((0, 0, 1, 2, 3))}"}
        told |= {"user_agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0", "request_time": random.choice(("0.1", "4.2"))}
        found.append(json.dumps(told).encode() + b"\n")
    return found


def house_of(folder: Path) -> House:
    folder.mkdir()
    (folder / "features.toml").write_text(CATALOGUE, encoding="utf-8")
    return House(folder, builds_all=True, features=folder / "features.toml")


def product_tables(house: House) -> dict[str, list[tuple[Any, ...]]]:
    with connect(house.settings) as connection:
        return {name: sorted(connection.sql(f"from {name}").fetchall(), key=repr) for name in MADE}


def test_pieces_give_what_one_delivery_gives(tmp_path: Path) -> None:
    random = Random(1)
    told = lines(random)
    whole, pieces = house_of(tmp_path / "whole"), house_of(tmp_path / "pieces")
    whole.deliver("web/all.log", b"".join(told))
    whole.run()
    random.shuffle(told)
    late = [line for line in told if b'"2026-03-0' in line]
    rest = [line for line in told if line not in late]
    for number, part in enumerate((rest[::2], late[::2], rest[1::2], late[1::2])):
        pieces.deliver(f"web/part{number}.log", b"".join(part))
        pieces.run()
    assert find_stale(StagedState(pieces.settings)) == {}
    assert stale_whole(StagedState(pieces.settings)) == []
    expected, found = product_tables(whole), product_tables(pieces)
    for name in MADE:
        assert found[name] == expected[name], name
        assert expected[name], f"{name} has no row: the lines show nothing of it"


def test_a_late_line_rebuilds_its_day_and_neighbours_only(tmp_path: Path) -> None:
    house = house_of(tmp_path / "house")
    told = lines(Random(3))
    house.deliver("web/all.log", b"".join(told))
    house.run()
    by_day = [name for name in MADE if name in INPUTS]

    def live() -> dict[tuple[str, Any], list[str]]:
        state = StagedState(house.settings)
        files = {(name, day): paths for name in by_day for day, paths in state.files(name).items()}
        return {key: sorted(path.name for path in paths) for key, paths in files.items()}

    before = live()
    late = json.loads(told[0]) | {"time": "2026-03-10T12:00:00+00:00", "target": "/notes/9", "status": "500"}
    house.deliver("web/late.log", json.dumps(late).encode() + b"\n")
    house.run()
    changed = {key for key, names in live().items() if names != before.get(key)}
    assert {str(day) for _, day in changed} <= {"2026-03-09", "2026-03-10", "2026-03-11"}
    assert {name for name, day in changed if str(day) == "2026-03-10"} >= {"feature_days", "feature_usage", "friction"}
