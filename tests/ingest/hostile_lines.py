"""Lines to fuzz with: a good line of every known format, and ways to spoil it that keep most of its shape.

What must hold of them does not belong here; that is in `test_fuzz`.
"""

from __future__ import annotations

import bz2
import gzip
import json
import re
from collections.abc import Callable

import zstandard
from hypothesis import strategies as st

from tests.formats.test_json_lines import LINE
from tests.formats.test_named_formats import COMMON, LINES, WRAPPED

_CADDY = {
    "ts": 1772445600.25,
    "request": {
        "remote_ip": "203.0.113.7",
        "host": "example.com",
        "method": "GET",
        "uri": "/a?b=c",
        "proto": "HTTP/2.0",
        "headers": {"User-Agent": ["curl/8"], "Referer": ["https://example.org/"]},
    },
    "status": 200,
    "size": 512,
    "duration": 0.0125,
}
_CLOUDFLARE = {
    "EdgeStartTimestamp": 1772445600000000000,
    "ClientIP": "203.0.113.7",
    "ClientRequestHost": "example.com",
    "ClientRequestMethod": "GET",
    "ClientRequestURI": "/a?b=c",
    "EdgeResponseStatus": 200,
    "EdgeResponseBytes": 512,
}
_FIELDS = "#Fields: date time c-ip cs-method cs-uri-stem sc-status time-taken"

# Good lines by format; all of one format are read as that format.
GOOD: dict[str, list[str]] = {
    "common": [COMMON],
    "combined": [f'{COMMON} "https://example.org/a?b=c" "Mozilla/5.0 (X11)"', f'{COMMON} "-" "a \\"b\\" \\x16"'],
    "vhost_combined": [f'example.com:443 {COMMON} "-" "curl/8"'],
    "nginx_json": [
        json.dumps(LINE),
        json.dumps({**LINE, "status": 404, "bytes_sent": 7, "request_time": 0.25, "a": None}),
    ],
    "caddy": [json.dumps(_CADDY)],
    "cloudflare": [json.dumps(_CLOUDFLARE)],
    **{name: [line] for name, (line, _) in LINES.items()},
    **{f"{name}:common": [wrapped.format(COMMON)] for name, wrapped in WRAPPED.items()},
    "docker:common": [json.dumps({"log": f"{COMMON}\n", "stream": "stdout", "time": "2026-03-02T09:00:05.1Z"})],
    "w3c": [_FIELDS, "2026-03-02 10:00:01 203.0.113.8 GET /b 404 77"],
}
ALL = [line.encode() for lines in GOOD.values() for line in lines]

TOKENS: list[bytes] = [
    *(b"\0", b"\r", b"\t", b" ", b"\n", b'"', b"'", b"\\", b'\\"', b"[", b"]", b"{", b"}", b"-", b"%", b"#"),
    *(b"\x01", b"\x1b", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\\ud800", b"\\u0000"),
    "\ufeff\u2028\u2029\x85\x0b\x0c\U0001f40d\u0661\uffff".encode(),
    *(b"1" + b"0" * 400, b"9" * 18, b"9" * 19, b"9223372036854775808", b"0x10", b"1_000", b"01", b"00", b"+5", b"-0"),
    *(b"1e3", b"1e999", b"-1e999", b"0.0000001", b"1.0", b"1.0E+2", b"-0.0", b"1.", b".5", b"NaN", b"Infinity"),
    *(b"00/Jan/0000:00:00:00", b"31/Feb/2026:10:00:05", b"02/Mar/99999:10:00:05", b"02/Mar/2026:23:59:60"),
    *(b"0000-00-00T00:00:00Z", b"9999-12-31T23:59:59-23:59", b"1995-01-01T00:00:00+23:59", b"2026-02-30 10:00:05"),
    *(b"99999999999999999999", b"4102444800", b"788918399", b"1772445600123", b"+9999", b"-2459", b"Z", b"+00:00"),
    *(b"null", b"true", b"false", b'""', b"[]", b"{}", b'"-"', b'{"a":[{"b":null}]}', b'"a":1,'),
    *(b"[" * 100_000, b'{"a":' * 50_000, b"x" * 70_000),
    *(b"::ffff:1.2.3.4", b"//", b"%00%ff", b"?", b"http://[", b"xn--", b"a@b", b"..%2f"),
]
_NUMBER = re.compile(rb"\d+(?:\.\d+)?")
_VALUE = re.compile(rb'"[^"]*"|\d+(?:\.\d+)?|\S+')


def _flip(line: bytes, place: int, other: bytes) -> bytes:
    at = place % max(len(line), 1)
    return line[:at] + other[:1] + line[at + 1 :]


def _insert(line: bytes, place: int, other: bytes) -> bytes:
    at = place % (len(line) + 1)
    return line[:at] + other + line[at:]


def _delete(line: bytes, place: int, other: bytes) -> bytes:
    at = place % max(len(line), 1)
    return line[:at] + line[at + 1 + len(other) % 9 :]


def _double(line: bytes, place: int, other: bytes) -> bytes:
    at = place % max(len(line), 1)
    return line[:at] + line[at : at + 20] + line[at:]


def _splice(line: bytes, place: int, other: bytes) -> bytes:
    beside = ALL[place % len(ALL)]
    return line[: place % (len(line) + 1)] + beside[len(other) % (len(beside) + 1) :]


def _put(line: bytes, place: int, other: bytes, what: re.Pattern[bytes]) -> bytes:
    found = list(what.finditer(line))
    if not found:
        return line + other
    match = found[place % len(found)]
    return line[: match.start()] + other + line[match.end() :]


def _number(line: bytes, place: int, other: bytes) -> bytes:
    return _put(line, place, other, _NUMBER)


def _value(line: bytes, place: int, other: bytes) -> bytes:
    return _put(line, place, other, _VALUE)


Spoil = Callable[[bytes, int, bytes], bytes]
_SPOILS: list[Spoil] = [_flip, _insert, _delete, _double, _splice, _number, _value, _value, _number]
_STEPS = st.tuples(st.sampled_from(_SPOILS), st.integers(0, 400), st.sampled_from(TOKENS))


def _spoilt(line: bytes, steps: list[tuple[Spoil, int, bytes]]) -> bytes:
    for spoil, place, other in steps:
        line = spoil(line, place, other)
    return line


def spoilt_lines(good: list[bytes]) -> st.SearchStrategy[bytes]:
    """Lines made of good ones by one to three steps; they may hold newlines."""
    return st.builds(_spoilt, st.sampled_from(good), st.lists(_STEPS, min_size=1, max_size=3))


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor().compress,
}
