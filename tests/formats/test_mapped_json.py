"""JSON lines of frameworks' own loggers, by the keys that the settings name: shapes as they document them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.formats import check_formats, find_format
from pipeline.settings import SettingError, Settings, SourceSettings
from tests.ingest.deliveries import House

AT = 1772445600_123000
SHAPES: dict[str, tuple[dict[str, str], dict[str, object], dict[str, object]]] = {
    "pino": (
        {
            "time": "time",
            "ip": "req.remoteAddress",
            "method": "req.method",
            "target": "req.url",
            "user_agent": "req.headers.user-agent",
            "status": "res.statusCode",
            "duration_ms": "responseTime",
        },
        {
            "level": 30,
            "time": 1772445600123,
            "req": {"method": "GET", "url": "/a?b=c", "headers": {"user-agent": "x"}, "remoteAddress": "::1"},
            "res": {"statusCode": 200},
            "responseTime": 5,
            "msg": "request completed",
        },
        {"ip": "::1", "method": "GET", "target": "/a?b=c", "user_agent": "x", "status": 200, "duration_ms": 5.0},
    ),
    "lograge": (
        {"time": "@timestamp", "method": "method", "path": "path", "status": "status", "duration_ms": "duration"},
        {"method": "GET", "path": "/a", "status": 200, "duration": 58.33, "@timestamp": "2026-03-02T10:00:00.123Z"},
        {"method": "GET", "target": "/a", "status": 200, "duration_ms": 58.33},
    ),
    "structlog": (
        {"time": "timestamp", "request": "request", "status": "code", "user_id": "user_id"},
        {"event": "finished", "request": "GET /a", "timestamp": "2026-03-02T10:00:00.123Z", "code": 200, "user_id": 7},
        {"request": "GET /a", "status": 200, "user_id": "7"},
    ),
    "zap": (
        {"time": "ts", "method": "method", "path": "path", "query": "query", "ip": "ip", "duration_s": "latency"},
        {
            "ts": 1772445600.123,
            "msg": "/a",
            "method": "GET",
            "path": "/a",
            "query": "b=c",
            "ip": "::1",
            "latency": 0.012,
        },
        {"method": "GET", "target": "/a?b=c", "ip": "::1", "duration_ms": 12.0},
    ),
    "slog": (
        {"time": "time", "method": "method", "target": "uri", "duration_ns": "took"},
        {"time": "2026-03-02T10:00:00.123Z", "level": "INFO", "method": "GET", "uri": "/a", "took": 1_500_000},
        {"method": "GET", "target": "/a", "duration_ms": 1.5},
    ),
    "ecs": (
        {"time": "@timestamp", "method": "http.request.method", "path": "url.path", "host": "url.domain"},
        {"@timestamp": "2026-03-02T10:00:00.123Z", "http.request.method": "GET", "url": {"path": "/a", "domain": "h"}},
        {"method": "GET", "target": "/a", "host": "h"},
    ),
}


def settings(**source: object) -> Settings:
    return Settings(sources={"app": SourceSettings(**source)})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_of_loggers(name: str) -> None:
    fields, line, expected = SHAPES[name]
    known = find_format([], settings(fields=fields), "app")
    assert known is not None
    row = known.parse_line(json.dumps(line))
    assert row["occurred_at"] == AT
    assert {key: row.get(key) for key in expected} == expected


def test_a_container_s_log_of_such_lines(tmp_path: Path) -> None:
    fields, line, _ = SHAPES["pino"]
    house = House(tmp_path, sources={"app": SourceSettings(format="docker:json", fields=fields)})
    lines = [json.dumps(line), json.dumps({"time": 1772445600123, "msg": "server started"}), "Listening"]
    wrapped = [json.dumps({"log": f"{text}\n", "stream": "stdout", "time": "2026-03-02T10:00:00Z"}) for text in lines]
    house.deliver("app/app.log", "".join(f"{text}\n" for text in wrapped).encode())
    house.run()
    house.assert_adds_up()
    assert house.rows("select format, lines_kept from ingested_files") == [("docker:json", 1)]
    assert house.rows("select reason from rejected_lines order by line_offset") == [("no_request",), ("bad_json",)]
    assert house.rows("select path, status, ip from requests") == [("/a", 200, "::1")]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"fields": {"time": "t", "metod": "m"}}, "sources.app.fields: metod is no field; fields are time, host, ip"),
        ({"fields": {"target": "t"}}, "sources.app.fields: time is missing"),
        ({"fields": {"time": "t"}}, "sources.app.fields: one of target, path, request is missing"),
        ({"format": "json"}, "sources.app.fields: time is missing"),
        ({"format": "combined", "fields": {"time": "t"}}, "sources.app.fields are for the format json, not 'combined'"),
    ],
)
def test_what_is_wrong_is_said_at_the_start(source: dict[str, object], says: str) -> None:
    with pytest.raises(SettingError) as error:
        check_formats(settings(**source))
    assert str(error.value).startswith(says)
