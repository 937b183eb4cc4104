"""What building keeps to: one person's requests lie together, and a new link reaches the days before it, no others."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.build import build_requests, build_whole, find_stale, stale_days
from pipeline.build.tables import build_days
from pipeline.ingest import ingest
from pipeline.warehouse import live_files, open_run
from tests.ingest.deliveries import House


def line(at: str, cookie: str, user: str = "", address: str = "198.51.100.7") -> bytes:
    told = {
        "time": f"2026-03-{at}+00:00",
        "remote_addr": address,
        "method": "GET",
        "target": "/notes",
        "protocol": "HTTP/1.1",
        "status": "200",
        "bytes_sent": "10",
        "user_agent": "Mozilla/5.0",
        "user_id": user,
        "visitor_id": cookie,
    }
    return json.dumps(told).encode() + b"\n"


def test_requests_lie_by_user_visitor_and_time(tmp_path: Path) -> None:
    house = House(tmp_path)
    people = [("b", "u2"), ("c", ""), ("a", "u2"), ("b", "u1"), ("d", "")]
    lines = [line(f"02T10:{minute:02}:00", *people[minute * 7 % 5]) for minute in reversed(range(40))]
    house.deliver("web/access.log", b"".join(lines))
    house.read()
    (path,) = live_files(house.settings, "requests")
    rows = pq.read_table(path, partitioning=None).select(["user_id", "visitor_id", "occurred_at"]).to_pylist()
    found = [(row["user_id"] or "~", row["visitor_id"], row["occurred_at"]) for row in rows]
    assert len(found) == 40
    assert found == sorted(found)


def test_equal_lines_have_the_same_ids_however_many_chunks_and_passes_a_day_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line(f"02T10:00:{second % 7:02}", f"c{second % 3}") for second in range(60)]
    ids = []
    for name in ("at once", "in parts"):
        house = House(tmp_path / name)
        house.deliver("web/access.log", b"".join(lines))
        house.read()
        ids.append(house.rows("select request_id, visitor_id, occurred_at from requests order by all"))
        assert len(set(ids[-1])) == len(lines)
        monkeypatch.setattr("pipeline.build.requests._SORTED_ROWS", 7)
        monkeypatch.setattr("pipeline.build.requests.FILE_ROWS", 4)
        monkeypatch.setattr("pipeline.build.requests.ROW_GROUP_ROWS", 4)
        monkeypatch.setattr("pipeline.enrich.requests.CHUNK_ROWS", 1)
        monkeypatch.setattr("pipeline.enrich.requests._MOST_REMEMBERED_BYTES", 1)
    assert ids[0] == ids[1]


def test_a_new_link_makes_the_days_of_its_cookie_and_their_neighbours_stale(tmp_path: Path) -> None:
    house = House(tmp_path)
    seen = {"02": "k1", "03": "other", "05": "other", "06": "other"}
    house.deliver("web/a.log", b"".join(line(f"{day}T10:00:00", cookie) for day, cookie in seen.items()))
    house.run()
    assert house.rows("select count(*) from clickstream where user_id = 'u1'") == [(0,)]
    house.deliver("web/b.log", line("09T10:00:00", "k1", "u1"))
    with open_run(house.settings) as run:
        ingest(run, house.settings)
        build_requests(run, house.settings, stale_days(run, "requests"))
        build_days(run, "identifier_days", stale_days(run, "identifier_days"))
        build_whole(run, "user_links")
        stale = [day.day for day in find_stale(run)["acts"]]
        assert stale == [2, 3, 9]
    house.run()
    assert house.rows("select date::varchar from clickstream where user_id = 'u1' order by date") == [
        ("2026-03-02",),
        ("2026-03-09",),
    ]
