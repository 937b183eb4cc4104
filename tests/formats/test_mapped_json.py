"""JSON lines of frameworks' own loggers, by the keys that the settings name: shapes as they document them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.formats import Rejected, check_formats, find_format
from pipeline.formats.proposal_json import propose_fields
from pipeline.ingest.doctor import examine
from pipeline.settings import SettingError, Settings, SourceSettings, load_settings
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
    return Settings(sources={"app": SourceSettings(**source)})  # type: ignore[arg-type]  # wrong ones too


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
        ({"fields": {"time": "t", "target": "u", "query": "q"}}, "sources.app.fields: query belongs to path"),
        ({"fields": {"time": "t", "target": "t"}}, "sources.app.fields: time has the key 't', which target has too"),
        (
            {"fields": {"time": "t", "target": "u", "duration_s": "a", "duration_ms": "b"}},
            "sources.app.fields: duration_s and duration_ms are both the duration",
        ),
        ({"format": "combined", "fields": {"time": "t"}}, "sources.app.fields are for the format json, not 'combined'"),
    ],
)
def test_what_is_wrong_is_said_at_the_start(source: dict[str, object], says: str) -> None:
    with pytest.raises(SettingError) as error:
        check_formats(settings(**source))
    assert str(error.value).startswith(says)


def test_who_asked_is_taken_from_the_keys_that_the_settings_name() -> None:
    own = Settings(user_field="user.id", sources={"app": SourceSettings(fields={"time": "t", "target": "u"})})
    known = find_format([], own, "app")
    assert known is not None
    row = known.parse_line(json.dumps({"t": 1772445600.123, "u": "/", "user": {"id": 7}, "visitor_id": "v"}))
    assert (row["user_id"], row["visitor_cookie"], row.get("extra")) == ("7", "v", None)


@pytest.mark.parametrize(("took", "milliseconds"), [("1.25e-05", 0.012), ("2E0", 2000.0), ("1e-99", 0.0)])
def test_durations_with_an_exponent(took: str, milliseconds: float) -> None:
    known = find_format([], settings(fields={"time": "t", "target": "u", "duration_s": "took"}), "app")
    assert known is not None
    assert known.parse_line(f'{{"t": 1772445600.123, "u": "/", "took": {took}}}')["duration_ms"] == milliseconds


@pytest.mark.parametrize("took", ["1e99", "1e400", "-1e-3"])
def test_what_is_no_duration(took: str) -> None:
    known = find_format([], settings(fields={"time": "t", "target": "u", "duration_s": "took"}), "app")
    assert known is not None
    with pytest.raises(Rejected, match="not a number"):
        known.parse_line(f'{{"t": 1772445600.123, "u": "/", "took": {took}}}')


def test_a_format_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "trail.toml").write_text("[sources.app]\nformat = 3\n")
    with pytest.raises(SettingError, match=r"sources\.app\.format is 3; it must be a text"):
        load_settings(tmp_path / "trail.toml", {})


def test_fields_are_proposed_for_json_of_no_known_writer(tmp_path: Path) -> None:
    fields, line, _ = SHAPES["pino"]
    started = {"level": 30, "time": 1772445600123, "hostname": "web1", "msg": "listening on /tmp/app.sock"}
    path = tmp_path / "app.log"
    path.write_text("".join(f"{json.dumps(text)}\n" for text in (started, line, line)))
    found = examine("app.log", path, Settings()).proposal
    assert found is not None
    assert found.fields == fields
    assert (found.format, found.reads, found.looked_at) == ("json", 2, 3)
    shown = CliRunner().invoke(main, ["doctor", str(path)])
    pasted = tmp_path / "trail.toml"
    pasted.write_text(shown.output[shown.output.index("  [sources.NAME]") : shown.output.index("\n\ncolumn")])
    assert load_settings(pasted, {}).sources["NAME"] == SourceSettings(format="json", fields=fields)


@pytest.mark.parametrize(
    ("key", "field"),
    [("elapsed_ms", "ms"), ("tookMillis", "ms"), ("event.duration_ns", "ns"), ("took_us", "us"), ("latency_s", "s")],
)
def test_the_unit_of_a_proposed_duration_is_its_key_s(key: str, field: str) -> None:
    found = propose_fields([json.dumps({"ts": 1772445600.123, "path": "/a", key: 12})])
    assert found is not None
    assert found.fields == {"time": "ts", "target": "path", f"duration_{field}": key}


@pytest.mark.parametrize("text", ['{"msg": "hello", "time": 1772445600}', "hello", '{"path": "/a"}', "[" * 9999])
def test_nothing_is_proposed_for_what_tells_no_request(text: str) -> None:
    assert propose_fields([text]) is None
