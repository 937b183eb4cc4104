"""What building keeps to: one person's requests lie together, and a new link reaches the days before it, no others."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.build import build_requests, build_whole, find_stale, stale_days
from pipeline.build.tables import build_days
from pipeline.ingest import ingest
from pipeline.settings import SourceSettings
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
        build_whole(run, "identifier_links")
        stale = [day.day for day in find_stale(run)["acts"]]
        assert stale == [2, 3, 9]
    house.run()
    assert house.rows("select date::varchar from clickstream where user_id = 'u1' order by date") == [
        ("2026-03-02",),
        ("2026-03-09",),
    ]


TOLD = '203.0.113.7 - - [02/Mar/2026:10:00:00 +0000] "GET /{} HTTP/1.1" 200 5'
W3C = (
    "#Software: x\n#Fields: date time c-ip cs-method cs-uri-stem sc-status{}\n"
    "2026-03-02 10:00:00 203.0.113.7 GET /{} 200{}\n"
)


@pytest.mark.parametrize(
    ("lines", "signals"),
    [
        (TOLD + "\n", None),
        ("2026-03-02T10:00:00.5Z stdout F " + TOLD + "\n", None),
        (TOLD + ' "-" "-"\n', "no_user_agent"),
        (TOLD + ' "-" ""\n', "no_user_agent"),
        (W3C.format("", "{}", ""), None),
        (W3C.format(" cs(User-Agent)", "{}", " -"), "no_user_agent"),
        ('{{"time":"2026-03-02T10:00:00Z","remote_addr":"203.0.113.7","target":"/{}"}}\n', "no_user_agent"),
    ],
)
def test_no_user_agent_is_a_signal_only_where_the_log_has_a_place_for_one(
    tmp_path: Path, lines: str, signals: str | None
) -> None:
    house = House(tmp_path)
    house.deliver("a/access.log", "".join(lines.format(number) for number in range(3)).encode())
    house.deliver("b/access.log", (TOLD + ' "-" "-"\n').format("other").encode())
    house.read()
    found = house.rows("select bot_signals, is_bot, user_agent from requests where source = 'a' order by path")
    assert found == [(signals, signals is not None, "" if '""' in lines else None)] * 3
    assert house.rows("select bot_signals from requests where source = 'b'") == [("no_user_agent",)]


def test_no_user_agent_in_a_mapped_log_is_a_signal_only_where_the_mapping_has_one(tmp_path: Path) -> None:
    fields = {"time": "ts", "target": "uri", "ip": "ip"}
    sources = {"a": SourceSettings(fields=fields), "b": SourceSettings(fields=fields | {"user_agent": "ua"})}
    house = House(tmp_path, sources=sources)
    for source in sources:
        house.deliver(f"{source}/app.log", b'{"ts":"2026-03-02T10:00:00Z","ip":"203.0.113.7","uri":"/"}\n')
    house.read()
    assert house.rows("select source, bot_signals from requests order by 1") == [("a", None), ("b", "no_user_agent")]


def test_where_nothing_was_ever_read_nothing_is_built(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert house.run().files == []
    assert house.rows("from requests") == []
