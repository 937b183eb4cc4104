"""W3C extended logs: what a header says holds until the next, also for lines that come later."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.formats.w3c import W3cFormat
from tests.ingest.deliveries import House

IIS = [
    b"#Software: Microsoft Internet Information Services 10.0\r\n",
    b"#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query cs(User-Agent) sc-status time-taken\r\n",
    b"2026-03-02 10:00:00 203.0.113.7 GET /a b=c Mozilla/5.0+(X11) 200 15\r\n",
    b"#Fields: date time cs-method cs-uri-stem c-ip sc-status sc-bytes\r\n",
    b"2026-03-02 10:00:01 GET /b 203.0.113.8 404 77\r\n",
    b"2026-03-02 10:00:02 GET /c 203.0.113.8 404 78 extra\r\n",
    b"2026-03-02 10:00:03 GET /d 203.0.113.9 200 79\r\n",
]
ASKED = "select target, ip, status, bytes_sent, duration_ms, user_agent from raw_requests order by occurred_at"


def test_headers_change_inside_a_file(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web/u_ex.log", b"".join(IIS))
    house.read()
    house.assert_adds_up()
    assert house.rows(ASKED) == [
        ("/a?b=c", "203.0.113.7", 200, None, 15.0, "Mozilla/5.0 (X11)"),
        ("/b", "203.0.113.8", 404, 77, None, None),
        ("/d", "203.0.113.9", 200, 79, None, None),
    ]
    assert house.rows("select reason from rejected_lines") == [("no_match",)]
    assert house.rows("select lines_read, lines_blank from ingested_files") == [(7, 3)]


@pytest.mark.parametrize("lines", range(1, len(IIS)))
def test_a_file_read_further_keeps_its_header(tmp_path: Path, lines: int) -> None:
    whole, growing = House(tmp_path / "whole"), House(tmp_path / "growing")
    whole.deliver("web/u_ex.log", b"".join(IIS))
    whole.read()
    growing.deliver("web/u_ex.log", b"".join(IIS[:lines]) + IIS[lines][:9])
    growing.read()
    growing.deliver("web/u_ex.log", b"".join(IIS))
    growing.read()
    growing.assert_adds_up()
    assert growing.rows(ASKED) == whole.rows(ASKED)
    assert growing.requests() == whole.requests()


def test_cloudfront() -> None:
    header = (
        "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) "
        "cs(User-Agent) cs-uri-query x-host-header time-taken cs-protocol-version"
    )
    line = (
        "2026-03-02 10:00:00 FRA2 512 203.0.113.7 GET d1.cdn.example /a 200 https://example.org/ "
        "Mozilla/5.0%20(X11) b=c www.example.com 0.042 HTTP/2.0"
    ).replace(" ", "\t")
    row = W3cFormat().after("#Version: 1.0").after(header).parse_line(line)
    assert (row["user_agent"], row["target"], row["duration_ms"]) == ("Mozilla/5.0 (X11)", "/a?b=c", 42.0)
    assert (row["host"], row["protocol"], row["occurred_at"]) == ("d1.cdn.example", "HTTP/2.0", 1772445600_000000)


def test_what_holds_is_kept_as_text() -> None:
    state = W3cFormat().after_block(b"".join(IIS[:2]) + b"#Date: 2026-03-02 10:00:00\n#GMT-Offset: -0800\n")
    assert W3cFormat.from_state(state.state) == state
    assert W3cFormat.from_state(None) == W3cFormat()
