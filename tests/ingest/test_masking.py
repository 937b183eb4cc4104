"""Values that are masked before anything is written: which bytes, in every format, whole or in pieces; the count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.ingest.masking import Masks
from pipeline.settings import SettingError, load_settings
from tests.ingest.deliveries import House

MASKS = Masks(["?email", "?Token", "/invite/", "/a/b/"])


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        (b"GET /x?email=ann@x.org&q=1 HTTP", b"GET /x?email=xxxxxxxxx&q=1 HTTP"),
        (b"GET /x?q=1&EMAIL=ann%40x.org#top HTTP", b"GET /x?q=1&EMAIL=xxxxxxxxxxx#top HTTP"),
        (b"GET /x?token=1&token=22 HTTP", b"GET /x?token=x&token=xx HTTP"),
        (b"GET /x?token=a%26b;c'd&q=2 HTTP", b"GET /x?token=xxxxxxxxx&q=2 HTTP"),
        (b"GET /x?myemail=ann&remail=b&email2=c HTTP", b"GET /x?myemail=ann&remail=b&email2=c HTTP"),
        (b"GET /x?email=&token HTTP", b"GET /x?email=&token HTTP"),
        (b'"https://a.example/x?email=ann" "Mozilla"', b'"https://a.example/x?email=xxx" "Mozilla"'),
        (b"/in?next=%2Fx%3Femail%3Dann%40x.org%26q%3D1 HTTP", b"/in?next=%2Fx%3Femail%3Dxxxxxxxxxxx%26q%3D1 HTTP"),
        (b'{"t":"/x?q=1\\u0026email=a\\"b\\u0026r=2"}', b'{"t":"/x?q=1\\u0026email=xxxx\\u0026r=2"}'),
        (b'{"query":"email=ann&q=1"}', b'{"query":"email=xxx&q=1"}'),
        (b"GET /x?email=a\\x22b\\x26q=1 HTTP", b"GET /x?email=xxxxxx\\x26q=1 HTTP"),
        (b"12:00 GET /x email=ann&token=b 200", b"12:00 GET /x email=xxx&token=x 200"),
        (b"GET /invite/s3cret?x HTTP", b"GET /invite/xxxxxx?x HTTP"),
        (b"GET /invite/s3cret/go HTTP", b"GET /invite/xxxxxx/go HTTP"),
        (b"GET /invite/ HTTP", b"GET /invite/ HTTP"),
        (b'{"t":"\\/invite\\/s3cret\\/go"}', b'{"t":"\\/invite\\/xxxxxx\\/go"}'),
        (b"GET /A/b/c%40d HTTP", b"GET /A/b/xxxxx HTTP"),
        (b"?email=\xff\xfe\xc3\xa9 1", b"?email=xxxx 1"),
        (b"?email=a\n?email=bc\n", b"?email=x\n?email=xx\n"),
        (b"nothing of the kind", b"nothing of the kind"),
    ],
)
def test_which_bytes_are_masked(line: bytes, masked: bytes) -> None:
    assert MASKS.apply(line)[0] == masked
    assert MASKS.apply(masked)[0] == masked


@given(
    st.lists(st.sampled_from([b"?email=", b"&token=", b"/invite/", b"ann", b"\\", b"%26", b" ", b"\n", b'"', b"\xff"]))
)
def test_nothing_moves_and_nothing_else_changes(parts: list[bytes]) -> None:
    data = b"".join(parts)
    masked, count = MASKS.apply(data)
    assert len(masked) == len(data)
    assert all(old == new or new == ord("x") for old, new in zip(data, masked, strict=True))
    assert (count == 0) == (masked == data)
    assert masked.count(b"\n") == data.count(b"\n")


def test_without_rules_bytes_stay_themselves() -> None:
    data = b"GET /x?email=ann"
    assert Masks([]).apply(data) == (data, 0)


SECRET = b"s3cr3t.value"
COMBINED = (
    b'198.51.100.7 - - [02/Mar/2026:10:00:%02d +0000] "GET /x?token=s3cr3t.value%02d HTTP/1.1" 200 5 '
    b'"https://a.example/?q=1&token=s3cr3t.value" "Mozilla/5.0"\n'
)
W3C = (
    b"#Fields: date time cs-method cs-uri-stem cs-uri-query sc-status c-ip\n"
    b"2026-03-02 10:00:00 GET /invite/s3cr3t.value token=s3cr3t.value 200 198.51.100.7\n"
)


def held(house: House) -> bytes:
    """Every text and every byte string of every file in the warehouse."""
    found = []
    for path in house.settings.warehouse.rglob("*"):
        if path.suffix == ".parquet" and path.stat().st_size and not path.name.startswith("read-me"):
            found += [repr(row).encode() for row in pq.read_table(path, partitioning=None).to_pylist()]
        elif path.is_file():
            found.append(path.read_bytes())
    return b"\n".join(found)


def house_of(folder: Path, **more: Any) -> House:
    return House(folder, mask=("?token", "/invite/"), **more)


def test_no_value_is_written_anywhere_and_the_ledger_counts_them(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    told = {"time": "2026-03-02T10:00:00+00:00", "remote_addr": "198.51.100.7", "method": "GET", "status": "200"}
    told |= {"protocol": "HTTP/1.1", "bytes_sent": "1", "user_agent": "Mozilla/5.0"}
    lines = [json.dumps(told | {"target": f"/invite/s3cr3t.value/{n}?token=s3cr3t.value"}).encode() for n in range(3)]
    house.deliver("json/a.log", b"\n".join(lines) + b"\n")
    house.deliver("web/a.log", b"".join(COMBINED % (n, n) for n in range(40)) + b"GET /x?token=s3cr3t.value no line\n")
    house.deliver("odd/a.log", COMBINED % (1, 1) + b'198.51.100.7 - - \\x22 "GET /y?token=s3cr3t.value')
    house.deliver(
        "long/a.log", COMBINED % (1, 1) + b"?token=s3cr3t.value" + b"y" * (20 << 20) + b"\n" + COMBINED % (2, 2)
    )
    house.deliver("w3c/a.log", W3C)
    house.run()
    assert SECRET not in held(house)
    assert house.rows("select path, values_masked from ingested_files order by path") == [
        ("json/a.log", 6),
        ("long/a.log", 5),
        ("odd/a.log", 2),
        ("w3c/a.log", 2),
        ("web/a.log", 81),
    ]
    assert house.rows("select query from requests where source = 'json' limit 1") == [("token=xxxxxxxxxxxx",)]
    assert house.rows("select distinct path from requests where source = 'w3c'") == [("/invite/xxxxxxxxxxxx",)]
    house.assert_adds_up()


@pytest.mark.parametrize("cut", range(60, 140, 7))
def test_pieces_give_what_the_whole_gives(tmp_path: Path, cut: int) -> None:
    lines = b"".join(COMBINED % (n, n) for n in range(5))
    whole, pieces = house_of(tmp_path / "whole"), house_of(tmp_path / "pieces")
    whole.deliver("web/a.log", lines)
    whole.run()
    for end in (cut, cut + 300, len(lines)):
        pieces.deliver("web/a.log", lines[:end])
        pieces.run()
        assert SECRET not in held(pieces)
    assert pieces.tables() == whole.tables()
    of_files = "select lines_read, values_masked, content_hash from ingested_files"
    assert pieces.rows(of_files) == whole.rows(of_files) != []
    assert whole.rows("select values_masked from ingested_files") == [(10,)]


def test_a_last_line_without_an_end_is_counted_once(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    of_file = "select lines_rejected, values_masked from ingested_files where path = 'web/a.log.1'"
    lines = b"".join(COMBINED % (n, n) for n in range(2))
    house.deliver("web/a.log", COMBINED % (30, 30))
    house.deliver("web/a.log.1", lines + b"GET /x?token=s3cr3t.value&tok")
    house.run()
    assert house.rows(of_file) == [(1, 5)]
    house.deliver("web/a.log.1", lines + b"GET /x?token=s3cr3t.value&token=s3cr3t.value no line\n")
    house.run()
    assert house.rows(of_file) == [(1, 6)]
    assert SECRET not in held(house)


def test_a_file_with_masked_values_is_not_said_to_be_written_out_as_it_was(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.deliver("web/a.log", COMBINED % (1, 1))
    house.run()
    config = tmp_path / "trail.toml"
    config.write_text(f'landing = "{house.landing}"\nwarehouse = "{house.settings.warehouse}"\n')
    said = CliRunner().invoke(main, ["--config", str(config), "raw", "--file", "a.log", "--out", str(tmp_path / "out")])
    assert said.exit_code == 1
    assert "2 values were masked when it was read" in said.output
    assert (tmp_path / "out").read_bytes() == (COMBINED % (1, 1)).replace(b"s3cr3t.value01", b"x" * 14).replace(
        SECRET, b"x" * 12
    )


@pytest.mark.parametrize("said", ["email", "?", "?a b", "/", "/a", "a/", "?e=", "//", "/a/{b}/"])
def test_a_rule_that_is_none_is_refused(tmp_path: Path, said: str) -> None:
    config = tmp_path / "trail.toml"
    config.write_text(f'mask = ["?token", "{said}"]\n')
    with pytest.raises(SettingError, match=r"mask is .*; it must be a list of query parameters such as \?email"):
        load_settings(config, {})
    config.write_text('mask = ["?token", "/invite/"]\n')
    assert load_settings(config, {"TRAIL_MASK": "?e.mail[0], /a/b-c/"}).mask == ("?e.mail[0]", "/a/b-c/")
