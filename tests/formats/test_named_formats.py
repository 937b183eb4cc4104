"""Each named format by a line as its vendor documents it, with made-up values, and what is wrapped round lines."""

from __future__ import annotations

import json

import pytest

from pipeline.formats import find_format, known_formats
from pipeline.formats.catalogue import CATALOGUE, WRAPPER_CATALOGUE
from pipeline.formats.wrappers import WRAPPERS
from pipeline.settings import Settings

CLOCK = "[02/Mar/2026:10:00:05 +0100]"
AT = 1772442005_000000  # 09:00:05 UTC
COMMON = f'203.0.113.7 - ann {CLOCK} "GET /a?b=c HTTP/1.1" 200 512'
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"
HAPROXY = "203.0.113.7:50186 [02/Mar/2026:10:00:05.250] web~ app/app1 0/0/1/20/+41 503 512 - - SC-- 9/9/0/0/0 0/0"
TIMES = "0.001 0.020 0.000"

LINES: dict[str, tuple[str, dict[str, object]]] = {
    "ionos": (
        f'{COMMON} www.example.com "https://example.org/" "{AGENT}" "-"',
        {"host": "www.example.com", "referrer": "https://example.org/", "user_agent": AGENT, "occurred_at": AT},
    ),
    "ionos_short": (f'{COMMON} www.example.com "-" "{AGENT}"', {"host": "www.example.com", "bytes_sent": 512}),
    "traefik": (
        f'{COMMON} "-" "{AGENT}" 7 "app@docker" "http://10.0.0.2:80" 12ms',
        {"duration_ms": 12.0, "remote_user": "ann", "user_agent": AGENT},
    ),
    "haproxy": (
        f'{HAPROXY} "GET /a?b=c HTTP/1.1"',
        {"ip": "203.0.113.7", "status": 503, "duration_ms": 41.0, "target": "/a?b=c", "occurred_at": AT + 3600_250_000},
    ),
    "haproxy+1": (f'{HAPROXY} {{a b|c}} "GET / HTTP/1.1"', {"target": "/", "bytes_sent": 512}),
    "haproxy+2": (f'{HAPROXY} {{a b|c}} {{d}} "GET / HTTP/1.1"', {"target": "/", "bytes_sent": 512}),
    "envoy": (
        '[2026-03-02T09:00:05.250Z] "POST /api HTTP/2" 204 - 154 7 226 100 "198.51.100.9, 203.0.113.7" "app/1" "c1-9" '
        '"api.example.com" "tcp://10.0.2.1:80"',
        {"ip": "203.0.113.7", "host": "api.example.com", "duration_ms": 226.0, "bytes_sent": 7, "status": 204},
    ),
    "aws_alb": (
        f"h2 2026-03-02T09:00:05.250000Z app/web/50dc 203.0.113.7:2817 10.0.0.1:80 {TIMES} 200 201 34 366 "
        f'"GET https://www.example.com:443/a HTTP/2.0" "{AGENT}" TLS_AES TLSv1.3 arn:tg "Root=1-5" "www.example.com" '
        '"arn:cert" 1 2026-03-02T09:00:05.200000Z "forward" "-" "-" "10.0.0.1:80" "201" "-" "-"',
        {"ip": "203.0.113.7", "duration_ms": 21.0, "status": 200, "host": "www.example.com", "bytes_sent": 366},
    ),
    "aws_elb": (
        f"2026-03-02T09:00:05.250000Z web 203.0.113.7:2817 10.0.0.1:80 {TIMES} 200 200 0 29 "
        '"GET http://www.example.com:80/ HTTP/1.1" "curl/8.11.0" - -',
        {"ip": "203.0.113.7", "duration_ms": 21.0, "user_agent": "curl/8.11.0", "bytes_sent": 29},
    ),
    "aws_s3": (
        f"79a5 bucket {CLOCK} 203.0.113.7 - 3E57427F REST.GET.OBJECT k.png "
        '"GET /bucket/k.png HTTP/1.1" 200 - 4406 4406 41 28 "https://example.org/" "S3Console/0.4" - QpAd= SigV4 '
        "ECDHE AuthHeader bucket.s3.example TLSv1.2 - -",
        {
            "ip": "203.0.113.7",
            "duration_ms": 41.0,
            "bytes_sent": 4406,
            "referrer": "https://example.org/",
            "occurred_at": AT,
        },
    ),
    "iis": (
        "203.0.113.7, ann, 3/2/26, 9:00:05, W3SVC2, WEB1, 10.0.0.1, 450, 163, 3223, 200, 0, GET, /a.gif, b=c,",
        {"target": "/a.gif?b=c", "duration_ms": 450.0, "bytes_sent": 3223, "occurred_at": AT},
    ),
    "squid": (
        "1772442005.250    921 203.0.113.7 TCP_MISS/200 507 GET http://example.com/a - DIRECT/10.0.0.1 text/html",
        {"ip": "203.0.113.7", "status": 200, "duration_ms": 921.0, "target": "http://example.com/a"},
    ),
    "traefik_json": (
        json.dumps(
            {
                "ClientHost": "203.0.113.7",
                "DownstreamContentSize": 512,
                "DownstreamStatus": 200,
                "Duration": 1500000,
                "RequestHost": "example.com",
                "RequestMethod": "GET",
                "RequestPath": "/a?b=c",
                "RequestProtocol": "HTTP/2.0",
                "StartUTC": "2026-03-02T09:00:05.25Z",
                "request_User-Agent": AGENT,
                "time": "2026-03-02T09:00:06Z",
            }
        ),
        {"duration_ms": 1.5, "target": "/a?b=c", "user_agent": AGENT, "occurred_at": AT + 250_000},
    ),
    "google_load_balancer": (
        json.dumps(
            {
                "httpRequest": {
                    "latency": "0.042s",
                    "remoteIp": "203.0.113.7",
                    "requestMethod": "GET",
                    "requestUrl": "https://example.com/a",
                    "responseSize": "512",
                    "status": 200,
                    "userAgent": AGENT,
                },
                "severity": "INFO",
                "timestamp": "2026-03-02T09:00:05.25Z",
            }
        ),
        {"duration_ms": 42.0, "target": "https://example.com/a", "bytes_sent": 512, "extra": '{"severity": "INFO"}'},
    ),
}


@pytest.mark.parametrize("name", list(LINES))
def test_a_line_is_found_and_read(name: str) -> None:
    line, expected = LINES[name]
    found = find_format([line], Settings())
    assert found is not None
    assert found.name == name
    row = found.parse_line(line)
    assert {column: row.get(column) for column in expected} == expected


WRAPPED = {
    "syslog": "<134>Mar  2 10:00:05 web1 nginx[77]: {}",
    "syslog_5424": "<134>1 2026-03-02T09:00:05.1Z web1 nginx 77 - - {}",
    "compose": "web-1  | {}",
    "cri": "2026-03-02T09:00:05.123456789Z stdout F {}",
}


@pytest.mark.parametrize("name", list(WRAPPED))
def test_a_wrapper_is_taken_off(name: str) -> None:
    bare = find_format([COMMON], Settings())
    found = find_format([WRAPPED[name].format(COMMON)] * 3, Settings())
    assert bare is not None
    assert found is not None
    assert found.name == f"{name}:common"
    assert found.parse_line(WRAPPED[name].format(COMMON)) == bare.parse_line(COMMON)


@pytest.mark.parametrize(
    ("name", "wrapped"),
    [
        ("docker", {"log": f"{COMMON}\n", "stream": "stdout", "time": "2026-03-02T09:00:05.1Z"}),
        ("journald", {"MESSAGE": COMMON, "__REALTIME_TIMESTAMP": "1772442005000000", "PRIORITY": "6"}),
    ],
)
def test_a_json_wrapper_is_taken_off(name: str, wrapped: dict[str, str]) -> None:
    found = find_format([json.dumps(wrapped)], Settings())
    assert found is not None
    assert found.name == f"{name}:common"
    assert found.parse_line(json.dumps(wrapped))["target"] == "/a?b=c"


def test_the_catalogue_names_every_format() -> None:
    names = {known.name.partition("+")[0] for known in known_formats(Settings())} | {"w3c", "json"}
    assert names == set(CATALOGUE)
    assert {wrapper.name for wrapper in WRAPPERS} == set(WRAPPER_CATALOGUE)
    assert set(LINES) | {"caddy", "cloudflare"} >= {
        known.name
        for known in known_formats(Settings())
        if not known.name.startswith(("common", "combined", "vhost", "nginx"))
    }
