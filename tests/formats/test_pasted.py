"""Pasted formats of nginx and Apache: what they read, and what they say where they cannot."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import check_formats, find_format
from pipeline.formats.layout import LayoutError
from pipeline.formats.pasted import compile_pasted
from pipeline.formats.proposal import propose
from pipeline.ingest.blocks import Block
from pipeline.settings import SettingError, Settings, SourceSettings
from tests.ingest.test_hostile import assert_paths_agree

NGINX = (
    "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent '\n  '"
    '"$http_referer" "$http_user_agent" rt=$request_time uct="$upstream_connect_time" $http_x_forwarded_for'
)
NGINX_LINE = (
    '203.0.113.7 - ann [02/Mar/2026:10:00:05 +0100] "GET /a HTTP/1.1" 200 512 "-" "curl/8" '
    'rt=0.042 uct="0.001" 198.51.100.9'
)


def test_nginx() -> None:
    row = compile_pasted(NGINX, "mine").parse_line(NGINX_LINE)
    assert row == {
        "ip": "203.0.113.7",
        "remote_user": "ann",
        "occurred_at": 1772442005_000000,
        "zone": "+0100",
        "method": "GET",
        "target": "/a",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes_sent": 512,
        "user_agent": "curl/8",
        "duration_ms": 42.0,
        "forwarded_for": "198.51.100.9",
        "extra": '{"upstream_connect_time": "0.001"}',
    }


@pytest.mark.parametrize(
    ("pasted", "line", "expected"),
    [
        (
            '%v:%p %h %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\" %D',
            'example.com:443 203.0.113.7 - - [02/Mar/2026:10:00:05 +0100] "GET /a HTTP/1.1" 200 9 "-" "x" 1500',
            {"host": "example.com", "duration_ms": 1.5, "bytes_sent": 9, "extra": '{"server_port": "443"}'},
        ),
        (
            "%a|%{%Y-%m-%dT%H:%M:%S%z}t|%m|%U%q|%H|%s|%b|%{ms}T|%{Cookie}i",
            "203.0.113.7|2026-03-02T10:00:05+0100|GET|/a|HTTP/1.1|200|-|12|k=v w",
            None,
        ),
        (
            "%a|%{%Y-%m-%dT%H:%M:%S%z}t|%m|%U|%q|%H|%s|%b|%{ms}T|%{X-Trace}i",
            "203.0.113.7|2026-03-02T10:00:05+0100|GET|/a|?b=c|HTTP/1.1|200|-|12|k v",
            {"method": "GET", "duration_ms": 12.0, "status": 200, "extra": '{"X-Trace": "k v"}'},
        ),
    ],
)
def test_apache(pasted: str, line: str, expected: dict[str, object] | None) -> None:
    if expected is None:
        with pytest.raises(LayoutError, match="nothing separates"):
            compile_pasted(pasted, "mine")
        return
    row = compile_pasted(pasted, "mine").parse_line(line)
    assert {name: row.get(name) for name in expected} == expected
    assert row["occurred_at"] == 1772442005_000000


def test_between_bars_a_value_may_hold_spaces() -> None:
    known = compile_pasted("$remote_addr | $time_iso8601 | $request | $status | $http_user_agent", "pasted", {})
    row = known.parse_line("203.0.113.7 | 2026-03-02T10:00:00+00:00 | GET / HTTP/1.1 | 200 | a b | c")
    assert (row["method"], row["status"], row["user_agent"]) == ("GET", 200, "a b | c")


def test_who_asked_is_taken_from_the_variables_that_the_settings_name() -> None:
    pasted = '$remote_addr [$time_local] "$request" $status $cookie_vid $upstream_http_x_user "$sent_http_x_org"'
    named = Settings(
        visitor_field="cookie_vid",
        user_field="upstream_http_x_user",
        business_field="sent_http_x_org",
        sources={"web": SourceSettings(format=pasted)},
    )
    known = find_format([], named, "web")
    assert known is not None
    row = known.parse_line('203.0.113.7 [02/Mar/2026:10:00:05 +0100] "GET /a HTTP/1.1" 200 v1 u1 "b 1"')
    assert (row["visitor_cookie"], row["user_id"], row["business_id"]) == ("v1", "u1", "b 1")
    assert "extra" not in row


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        ("$remote_addr [$time_local] $remote_adr", "$remote_adr at position 28 is no variable of nginx"),
        ("%h %t %Y", "%Y at position 7 is no directive of Apache"),
        ("%h %t %{x}D", "%{x}D at position 7"),
        ("$remote_addr$status [$time_local]", "nothing separates ip and status"),
        ('{"ip":"$remote_addr"}', "read as JSON"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(pasted: str, says: str) -> None:
    with pytest.raises(LayoutError, match=re.escape(says)):
        compile_pasted(pasted, "mine")


def test_a_wrong_format_of_a_source_names_the_setting() -> None:
    wrong = Settings(sources={"web": SourceSettings(format="$nonsense")})
    with pytest.raises(SettingError, match=r"sources\.web\.format: \$nonsense at position 1"):
        find_format(["x"], wrong, "web")
    with pytest.raises(SettingError, match=r"sources\.web\.format: \$nonsense"):
        check_formats(wrong)
    with pytest.raises(SettingError, match=r"sources\.web\.format is 'combinde'; it must be"):
        find_format(["x"], Settings(sources={"web": SourceSettings(format="combinde")}), "web")


def test_a_proposal_reads_the_lines_it_was_made_of() -> None:
    lines = [
        f'{n}.5 [2026-03-02T10:00:0{n}Z] 203.0.113.{n} app-7 "GET /a/{n} HTTP/1.1" 200 {n}00 0.0{n} "Mozilla/5.0 x" "-"'
        for n in range(1, 9)
    ]
    assert find_format(lines, Settings()) is None
    found = propose(lines)
    assert found is not None
    assert found.reads == found.looked_at == len(lines)
    row = compile_pasted(found.format, "proposed").parse_line(lines[0])
    assert (row["ip"], row["target"], row["status"], row["bytes_sent"]) == ("203.0.113.1", "/a/1", 200, 100)
    assert row["user_agent"] == "Mozilla/5.0 x"
    assert propose(["no time here", "none there"]) is None


FAST = (
    '$remote_addr $host [$time_local] "$request" $status $bytes_sent $request_time "$http_referer" $http_x_id '
    '"$http_x_b" $pid'
)


def test_a_spaced_format_takes_the_fast_path_and_others_do_not() -> None:
    assert [item.field for item in compile_pasted(FAST, "mine").items][-2:] == ["http_x_b", "pid"]
    assert compile_pasted(NGINX, "mine").items == ()


PIECES = st.sampled_from(["-", "a", "a b", '"', '""', "", "1.5", "200", "[x]", 'a\\"b', "x\\", "\x01"])
MUDDLED = st.builds(
    '203.0.113.7 {} [02/Mar/2026:10:00:05 +0100] "GET /a HTTP/1.1" {} 5 {} "{}" {} "{}" {}'.format,
    *[PIECES] * 7,
)
FINE = '203.0.113.7 h [02/Mar/2026:10:00:05 +0100] "GET /a HTTP/1.1" 200 5 0.25 "-" id "b c" 7'
EITHER = st.sampled_from(["a", '"a"', "2.5", '"2.5"', "-", '"-"', '"a b"'])
MISPLACED = st.builds(  # as many quotes and spaces as there should be, not always where they should be
    '203.0.113.7 h [02/Mar/2026:10:00:05 +0100] "GET /a HTTP/1.1" 200 5 {} {} {} {} {}'.format, *[EITHER] * 5
).filter(lambda line: line.count('"') == FINE.count('"'))


@settings(max_examples=400, deadline=None)
@given(lines=st.lists(MUDDLED | MISPLACED | st.just(FINE), min_size=1, max_size=6))
def test_fast_path_agrees_with_the_exact_path_on_pasted_formats(lines: list[str]) -> None:
    assert_paths_agree(Block("".join(f"{line}\n" for line in lines).encode(), 0), compile_pasted(FAST, "mine"))
