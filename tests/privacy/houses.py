"""A small service for what Businesses ask: a few people in two of them, with lines of every kind that may be theirs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.ingest.deliveries import House

SCRIPT = "/<script>alert(1)</script>?q=%00&amp;\\u001b[31m"
USERS = """user_id,name,email
u1,"Ann ""<i>"" Doe",ann@example.com
u2,Ann Other,ann.other@example.com
u3,Ann Other,third@example.com
"""


def line(second: int, user: str, target: str, cookie: str = "", business: str = "b1", **more: str) -> bytes:
    told = {
        "time": f"2026-03-02T10:00:{second:02}+00:00",
        "remote_addr": "198.51.100.7",
        "method": "GET",
        "target": target,
        "protocol": "HTTP/1.1",
        "status": "200",
        "bytes_sent": "10",
        "user_agent": "Mozilla/5.0",
        "user_id": user,
        "business_id": business if user else "",
        "visitor_id": cookie,
    } | more
    return json.dumps(told).encode() + b"\n"


def house_in(folder: Path) -> House:
    """The house that lies in a folder, as it is."""
    return House(
        folder,
        builds_all=True,
        users=str(folder / "users"),
        privacy=folder / "privacy",
        access_log=folder / "access_log",
    )


def small_house(folder: Path) -> House:
    """A few people: hostile lines, equal lines, a copied file, an unreadable line, and cookies of one and of two."""
    directory = folder / "users"
    directory.mkdir(parents=True)
    (directory / "users.csv").write_text(USERS, encoding="utf-8")
    (directory / "memberships.csv").write_text("user_id,business_id\nu1,b1\nu2,b1\nu3,b1\nu2,b2\n", encoding="utf-8")
    house = house_in(folder)
    mine = [
        line(1, "u1", SCRIPT, "k1"),
        line(2, "u1", "/notes", "k1"),
        line(2, "u1", "/notes", "k1"),
        line(3, "", "/assets/a.js", "k1"),
        line(4, "u1", "/notes", "shared"),
        line(5, "", "/assets/b.js", "shared"),
    ]
    others = [
        line(6, "u2", "/find?email=ann%40example.com", "shared"),
        line(7, "u2", "/b2", "k2", "b2"),
        line(11, "u2", "/choose", "k2", ""),
        line(8, "u3", "/notes", "k3"),
        line(9, "", "/assets/c.js", "k3"),
    ]
    unread = [
        b"GET /mail?to=Ann@Example.com not a line\n",
        b"user=u1; no line\n",
        b"user=u11; no line\n",
        b"for ann.other@example.com; no line\n",
    ]
    house.deliver("web/a.log", b"".join([*mine, *others, *unread]))
    house.deliver("web/copy.log", b"".join([mine[0], line(10, "u3", "/last", "k3")]))
    house.run()
    return house
