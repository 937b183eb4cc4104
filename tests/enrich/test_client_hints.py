"""Client hints through real formats, and what is made of them; hints that say nothing or lie change nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.enrich import UserAgentCache
from pipeline.enrich.client_hints import find_hints, hinted_client
from pipeline.settings import SourceSettings
from tests.formats.test_linear_time import LIMIT_S, LINES, limit
from tests.ingest.deliveries import House

WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36"
)
MAC = WINDOWS.replace("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7")
CHROME_OS = WINDOWS.replace("Windows NT 10.0; Win64; x64", "X11; CrOS x86_64 14541.0.0")
ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Mobile Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (Android 15; Mobile; rv:146.0) Gecko/146.0 Firefox/146.0"


def extra(platform: str = "", version: str = "", model: str = "") -> str:
    told = {"Sec-CH-UA-Platform": platform, "Sec-CH-UA-Platform-Version": version, "Sec-CH-UA-Model": model}
    return json.dumps({name: f'"{value}"' for name, value in told.items() if value})


@pytest.mark.parametrize(
    ("user_agent", "hints", "system"),
    [
        (WINDOWS, ("Windows", "15.0.0"), ("Windows", "11", None, "desktop")),
        (WINDOWS, ("Windows", "13.0.0"), ("Windows", "11", None, "desktop")),
        (WINDOWS, ("Windows", "10.0.0"), ("Windows", "10", None, "desktop")),
        (WINDOWS, ("Windows", "0.3.0"), ("Windows", "8.1", None, "desktop")),
        (WINDOWS, ("Windows", ""), ("Windows", "10", None, "desktop")),
        (WINDOWS, ("Windows", "new"), ("Windows", "10", None, "desktop")),
        (WINDOWS, ("macOS", "14.5.0"), ("Windows", "10", None, "desktop")),
        (MAC, ("macOS", "14.5.0"), ("Mac OS X", "14.5", "Apple Mac", "desktop")),
        (MAC, ("macOS", "15.0.0"), ("Mac OS X", "15.0", "Apple Mac", "desktop")),
        (MAC, ("macOS", ""), ("Mac OS X", "10.15.7", "Apple Mac", "desktop")),
        (CHROME_OS, ("Chrome OS", "15633.69.0"), ("Chrome OS", "15633.69.0", None, "desktop")),
        (ANDROID, ("Android", "14.0.0", "Pixel 7"), ("Android", "14", "Google Pixel 7", "mobile")),
        (ANDROID, ("Android", "13", "SM-S931B"), ("Android", "13", "Samsung SM-S931B", "mobile")),
        (ANDROID, ("Android", "14.0.0"), ("Android", "14", "Generic_Android K", "mobile")),
        (ANDROID, ("", "", "Pixel 7"), ("Android", "10", "Google Pixel 7", "mobile")),
        (ANDROID, ("Android", "14.0.0", "x) Googlebot/2.1 ("), ("Android", "14", "Generic_Android K", "mobile")),
        (ANDROID, ("Android", "14.0.0", r"\g<0>\1"), ("Android", "14", "Generic_Android K", "mobile")),
        (FIREFOX, ("Android", "16.0.0", "Pixel 7"), ("Android", "15", "Generic Smartphone", "mobile")),
        ("curl/8.11.0", ("Windows", "15.0.0"), (None, None, None, "other")),
    ],
)
def test_system_and_model(user_agent: str, hints: tuple[str, ...], system: tuple[str | None, ...]) -> None:
    (found,) = find_hints(pa.array([extra(*hints)])).to_pylist()
    client = hinted_client(user_agent, found, UserAgentCache(None))
    assert (client.os, client.os_version, client.device, client.device_type) == system


def test_only_members_are_hints_however_they_are_named() -> None:
    named = [
        '{"http_sec_ch_ua_platform":"\\"Windows\\""}',
        '{"headers":{"Sec-Ch-Ua-Platform":["\\"Windows\\""]}}',
        json.dumps({"http_sec_ch_ua_platform": "\\x22Windows\\x22"}),
        json.dumps({"sec_ch_ua": '"Chromium";v="144"', "sec_ch_ua_mobile": "?0"}),
        json.dumps({"note": 'sec-ch-ua-platform":"Windows"'}),
        json.dumps({"note": "sec-ch-ua-platform"}),
        "{}",
        None,
    ]
    found = find_hints(pa.array(named)).to_pylist()
    assert [text is not None for text in found] == [True] * 3 + [False] * 5
    versions = [hinted_client(WINDOWS, text, UserAgentCache(None)).os_version for text in found if text]
    assert versions == ["10"] * 3
    assert find_hints(pa.array([], pa.string())).to_pylist() == []


def test_no_text_takes_long() -> None:
    with limit(LIMIT_S):
        found = find_hints(pa.array([extra("Android", line, line) for line in LINES]))
        for line, hints in zip(LINES, found.to_pylist(), strict=True):
            hinted_client(f"Android 10; K) {line}", hints, UserAgentCache(None))


NGINX = '$remote_addr [$time_local] "$request" $status "$http_user_agent" '
NGINX += '"$http_sec_ch_ua_platform" "$http_sec_ch_ua_platform_version"'
APACHE = '%h %l %u %t "%r" %>s %b "%{User-Agent}i" "%{Sec-CH-UA-Platform}i" "%{Sec-CH-UA-Platform-Version}i"'
TIME, REQUEST = "02/Mar/2026:10:00:00 +0000", "GET / HTTP/1.1"
CADDY_REQUEST = {
    "remote_ip": "203.0.113.7",
    "proto": "HTTP/2.0",
    "method": "GET",
    "host": "app.example",
    "uri": "/",
    "headers": {
        "User-Agent": [WINDOWS],
        "Sec-Ch-Ua-Platform": ['"Windows"'],
        "Sec-Ch-Ua-Platform-Version": ['"15.0.0"'],
    },
}
CADDY = {
    "level": "info",
    "ts": 1772445600.5,
    "logger": "http.log.access",
    "msg": "handled request",
    "request": CADDY_REQUEST,
    "status": 200,
}
TRAIL = {
    "time": "2026-03-02T10:00:00+00:00",
    "remote_addr": "203.0.113.7",
    "method": "GET",
    "target": "/",
    "user_agent": WINDOWS,
    "sec_ch_ua_platform": '"Windows"',
    "sec_ch_ua_platform_version": '"15.0.0"',
}


@pytest.mark.parametrize(
    ("pasted", "line"),
    [
        (NGINX, rf'203.0.113.7 [{TIME}] "{REQUEST}" 200 "{WINDOWS}" "\x22Windows\x22" "\x2215.0.0\x22"'),
        (APACHE, rf'203.0.113.7 - - [{TIME}] "{REQUEST}" 200 5 "{WINDOWS}" "\"Windows\"" "\"15.0.0\""'),
        (None, json.dumps(TRAIL)),
        (None, json.dumps(CADDY)),
    ],
    ids=["nginx", "apache", "trail", "caddy"],
)
def test_hints_of_logs(tmp_path: Path, pasted: str | None, line: str) -> None:
    sources: dict[str, Any] = {"web": SourceSettings(format=pasted)} if pasted else {}
    house = House(tmp_path, sources=sources)
    house.deliver("web/access.log", f"{line}\n".encode())
    house.read()
    assert house.rows("select browser, os, os_version from requests") == [("Chrome", "Windows", "11")]
