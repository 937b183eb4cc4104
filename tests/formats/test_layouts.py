"""Space-separated formats, line by line."""

import re

import pytest

from pipeline.formats import Rejected, find_format
from pipeline.formats.layout import LayoutFormat
from pipeline.formats.layouts import named_layouts
from pipeline.settings import Settings

COMMON = '203.0.113.7 - ann [10/Oct/2000:13:55:36 -0700] "GET /a?b=c HTTP/1.0" 200 2326'
COMBINED = COMMON + ' "http://example.org/start" "Mozilla/4.08 [en] (Win98; I)"'


def by_name(name: str) -> LayoutFormat:
    return next(known for known in named_layouts() if known.name == name)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (COMMON, "common"),
        (COMBINED, "combined"),
        (f"www.example.org:443 {COMMON}", "vhost_common"),
        (f"www.example.org:443 {COMBINED}", "vhost_combined"),
        (f'{COMBINED} "-"', "combined+1"),
        (f'{COMBINED} "198.51.100.2, 10.0.0.1" "0.004" "x"', "combined+3"),
    ],
)
def test_each_format_is_found_by_its_line(line: str, name: str) -> None:
    found = find_format([line], Settings())
    assert found is not None
    assert found.name == name


def test_combined_line_becomes_its_fields() -> None:
    assert by_name("combined").parse_line(COMBINED) == {
        "ip": "203.0.113.7",
        "remote_user": "ann",
        "occurred_at": 971211336_000000,
        "zone": "-0700",
        "method": "GET",
        "target": "/a?b=c",
        "protocol": "HTTP/1.0",
        "status": 200,
        "bytes_sent": 2326,
        "referrer": "http://example.org/start",
        "user_agent": "Mozilla/4.08 [en] (Win98; I)",
    }


def test_escaped_quotes_stay_inside_their_field() -> None:
    line = COMMON + r' "-" "say \"hi\" \\ \x22"'
    assert by_name("combined").parse_line(line)["user_agent"] == r"say \"hi\" \\ \x22"


def test_request_that_is_no_request_line_stays_whole() -> None:
    row = by_name("common").parse_line(r'203.0.113.7 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03\x01" 400 -')
    assert row["request"] == r"\x16\x03\x01"
    assert "method" not in row
    assert "bytes_sent" not in row


@pytest.mark.parametrize(
    "line",
    [
        COMMON,
        COMBINED,
        f"www.example.org:443 {COMBINED}",
        COMBINED.removesuffix('"'),
        f'{COMBINED} "198.51.100.2, 10.0.0.1" "" "-"',
        r'::1 - - [01/Jan/2026:00:30:05 +0130] "\x16\x03" 400 - "-" "say \"hi\""',
    ],
)
def test_a_line_is_written_again_as_it_was(line: str) -> None:
    known = find_format([line], Settings())
    assert isinstance(known, LayoutFormat)
    assert known.write_line(known.parse_line(line)) == line


def test_last_quote_may_be_missing_and_is_noted() -> None:
    row = by_name("combined").parse_line(COMBINED.removesuffix('"'))
    assert row["user_agent"] == "Mozilla/4.08 [en] (Win98; I)"
    assert row["extra"] == '{"unclosed": "user_agent"}'


def test_first_further_field_is_the_forwarded_address_where_it_looks_like_one() -> None:
    known = by_name("combined+2")
    row = known.parse_line(f'{COMBINED} "198.51.100.2, 10.0.0.1" "0.004"')
    assert row["forwarded_for"] == "198.51.100.2, 10.0.0.1"
    assert row["extra"] == '{"quoted_2": "0.004"}'
    assert known.parse_line(f'{COMBINED} "abc" "-"')["extra"] == '{"quoted_1": "abc"}'


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("10/Oct/2000:13:55:36", "31/Feb/2000:13:55:36"), "bad_time"),
        (("10/Oct/2000:13:55:36", "10/Okt/2000:13:55:36"), "bad_time"),
        (("-0700", "-7:00"), "bad_time"),
        ((" 200 ", " 20x "), "bad_status"),
        ((" 200 ", " 42 "), "bad_status"),
        ((" 2326", " many"), "bad_number"),
        (("[10", "10"), "no_match"),
    ],
)
def test_lines_are_rejected_with_a_true_reason(change: tuple[str, str], reason: str) -> None:
    with pytest.raises(Rejected) as why:
        by_name("combined").parse_line(COMBINED.replace(*change))
    assert why.value.reason == reason


def test_no_quantifier_of_a_pattern_can_backtrack() -> None:
    for known in named_layouts():
        bare = re.sub(r"\[[^\]]*\]|\\.", "x", known.pattern.pattern)
        assert not re.findall(r"[*+](?!\+)(?<![*+]\+)", bare), known.name
