"""The documented JSON line."""

import json

import pytest

from pipeline.formats import Rejected
from pipeline.formats.json_lines import json_format

KNOWN = json_format("visitor_id", "user_id", "business_id")
LINE = {
    "time": "2026-03-02T09:00:00.123+01:00",
    "remote_addr": "203.0.113.7",
    "forwarded_for": "-",
    "host": "app.example.com",
    "method": "GET",
    "target": "/clients/812",
    "protocol": "HTTP/2.0",
    "status": "200",
    "bytes_sent": "512",
    "referrer": "",
    "user_agent": "Mozilla/5.0",
    "request_time": "0.123",
    "user_id": "u1",
    "visitor_id": "v1",
    "business_id": "b1",
}


def test_line_becomes_its_fields() -> None:
    assert KNOWN.parse_line(json.dumps(LINE)) == {
        "occurred_at": 1772438400_123000,
        "zone": "+01:00",
        "ip": "203.0.113.7",
        "host": "app.example.com",
        "method": "GET",
        "target": "/clients/812",
        "protocol": "HTTP/2.0",
        "status": 200,
        "bytes_sent": 512,
        "user_agent": "Mozilla/5.0",
        "duration_ms": 123.0,
        "user_id": "u1",
        "visitor_cookie": "v1",
        "business_id": "b1",
    }


def test_further_keys_are_kept_as_extra() -> None:
    row = KNOWN.parse_line(json.dumps({**LINE, "upstream": "a", "nested": {"b": [1, None]}}))
    assert json.loads(str(row["extra"])) == {"nested": {"b": ["1", None]}, "upstream": "a"}


def test_numbers_without_quotes_are_read_too() -> None:
    row = KNOWN.parse_line(json.dumps({**LINE, "status": 404, "request_time": 1.5, "time": 1457212800.5}))
    assert (row["status"], row["duration_ms"], row["occurred_at"]) == (404, 1500.0, 1457212800_500000)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (json.dumps(LINE)[:-5], "bad_json"),
        ("[1]", "bad_json"),
        ("[" * 60_000, "bad_json"),
        (json.dumps({**LINE, "host": ["a"]}), "bad_json"),
        (json.dumps({**LINE, "referrer": "\ud800"}), "bad_json"),
        (json.dumps({**LINE, "remote_addr": ""}), "missing_field"),
        (json.dumps({**LINE, "time": "yesterday"}), "bad_time"),
        (json.dumps({**LINE, "status": "0"}), "bad_status"),
        (json.dumps({**LINE, "request_time": "fast"}), "bad_number"),
    ],
)
def test_lines_are_rejected_with_a_true_reason(text: str, reason: str) -> None:
    with pytest.raises(Rejected) as why:
        KNOWN.parse_line(text)
    assert why.value.reason == reason
