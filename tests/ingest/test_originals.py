"""Lines written out again from the tables are the file, byte for byte."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.formats import known_formats
from pipeline.ingest.originals import Original, OriginalError, write_original
from pipeline.settings import Settings, SourceSettings
from pipeline.warehouse import connect
from tests.ingest.deliveries import House


def line(second: int, target: str = "/", rest: str = '200 5 "-" "x"') -> str:
    return f'203.0.113.7 - - [02/Mar/2026:10:00:{second:02} +0000] "GET {target} HTTP/1.1" {rest}\n'


def written(house: House, path: str, settings: Settings | None = None) -> tuple[bytes, Original]:
    (file_id,) = house.rows(f"select file_id from ingested_files where path = '{path}'")[0]
    to = io.BytesIO()
    with connect(house.settings) as connection:
        original = write_original(connection, settings or house.settings, file_id, to)
    return to.getvalue(), original


def assert_comes_back(house: House, path: str, data: bytes, settings: Settings | None = None) -> None:
    found, original = written(house, path, settings)
    assert found == data
    assert original.is_proven
    assert original.bytes_written == len(data)


def kept_whole(house: House) -> int:
    return int(house.rows("select count(line) from raw_requests")[0][0])


ODD = [
    line(1),
    "\r\n",
    line(2).replace("\n", "\r\n"),
    "\n",
    line(3, rest='200 007 "-" "x"'),  # zeros in front of a number
    line(60),  # a leap second
    line(4, rest='200 5 "-" "say \\"hi\\" \\\\"'),
    line(5, rest='200 5 "-" "no end').replace("\n", "\n"),
    "nonsense\n",
    line(6, rest='200 - "" "-"'),
    line(7, target="/\udcff"),  # a byte that is no UTF-8
    line(8).replace("\n", "\r\r\n"),
    line(9) * 3,
    "x" * 70_000 + "\n",
    line(10).removesuffix("\n"),
]


def encoded(lines: list[str]) -> bytes:
    return "".join(lines).encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("name", ["access.log", "access.log.gz"])
def test_odd_lines(tmp_path: Path, name: str) -> None:
    house = House(tmp_path)
    data = encoded(ODD)
    house.deliver(f"web1/{name}", gzip.compress(data) if name.endswith("gz") else data)
    house.ingest()
    assert_comes_back(house, f"web1/{name}", data)
    assert kept_whole(house) == 2  # the zeros, and the leap second


def test_what_the_columns_tell_is_not_kept_twice(tmp_path: Path) -> None:
    house = House(tmp_path)
    data = encoded([line(second, f"/{second}") for second in range(60)])
    house.deliver("web1/access.log", data)
    house.ingest()
    assert_comes_back(house, "web1/access.log", data)
    assert kept_whole(house) == 0


def test_every_real_log_of_a_text_format(tmp_path: Path, shared_data: Path) -> None:
    house = House(tmp_path)
    logs = [path for path in sorted((shared_data / "logs").rglob("*.log")) if path.is_file()]
    for path in logs:
        house.deliver(f"{path.stem}/{path.name}", path.read_bytes())
    house.ingest()
    names = [known.name for known in known_formats(house.settings) if not known.is_text]
    json_lines = dict(
        house.rows(f"select path, list_contains({names}, split_part(format, ':', -1)) from ingested_files")
    )
    for path in logs:
        name = f"{path.stem}/{path.name}"
        if not json_lines[name]:
            assert_comes_back(house, name, path.read_bytes())
    assert sum(not is_json for is_json in json_lines.values()) > 10


@pytest.mark.parametrize(
    "prefix", ["Mar  2 10:00:00 web1 nginx: ", "2026-03-02T10:00:00.1Z stdout F ", "web-1  | "], ids=lambda text: text
)
def test_what_a_wrapper_had_put_in_front(tmp_path: Path, prefix: str) -> None:
    house = House(tmp_path)
    lines = [prefix + text for text in (line(1), line(2, rest='200 007 "-" "x"'), "nonsense\n", "\n")]
    lines.append(line(3))  # without
    house.deliver("web1/access.log", encoded(lines))
    house.ingest()
    assert house.rows("select distinct line_prefix from raw_requests order by 1") == [(prefix,), (None,)]
    assert_comes_back(house, "web1/access.log", encoded(lines))


def test_json_is_refused_and_says_so(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web1/a.log", b'{"time":"2026-03-02T10:00:00Z","remote_addr":"203.0.113.7","target":"/"}\n')
    house.ingest()
    with pytest.raises(OriginalError, match=r"web1/a.log is of format nginx_json"):
        written(house, "web1/a.log")


def test_text_inside_of_json_is_refused_too(tmp_path: Path) -> None:
    house = House(tmp_path)
    packed = json.dumps({"log": line(1), "stream": "stdout", "time": "2026-03-02T10:00:01.1Z"})
    house.deliver("web1/a.log", f"{packed}\n".encode() * 2)
    house.ingest()
    with pytest.raises(OriginalError, match=r"web1/a.log is of format docker:combined"):
        written(house, "web1/a.log")


def test_copies_of_lines_of_another_file(tmp_path: Path) -> None:
    house = House(tmp_path)
    lines = [line(second) for second in range(10)]
    data = [encoded(lines[:7]), encoded(lines[4:])]
    house.deliver("web1/a.log", data[0])
    house.deliver("web1/b.log", data[1].replace(b"\n", b"\r\n"))
    house.ingest()
    assert house.rows("select sum(lines_duplicate) from ingested_files") == [(3,)]
    assert_comes_back(house, "web1/a.log", data[0])
    assert_comes_back(house, "web1/b.log", data[1].replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("cut", [1, 5, 40, -2, -1])
def test_a_line_cut_between_two_files(tmp_path: Path, cut: int, newline: bytes) -> None:
    house = House(tmp_path)
    data = encoded([line(second) for second in range(6)]).replace(b"\n", newline)
    middle = 3 * (len(data) // 6)
    at = middle + cut if cut > 0 else middle + cut + (len(newline) == 1)
    house.deliver("web1/a.log", data[:at])
    house.deliver("web1/b.log", data[at:])
    house.ingest()
    assert house.rows("select count(*) from raw_requests") == [(6,)]
    assert_comes_back(house, "web1/a.log", data[:at])
    assert_comes_back(house, "web1/b.log", data[at:])


def pasted(house: House, text: str | None) -> Settings:
    return Settings(
        landing=house.settings.landing,
        warehouse=house.settings.warehouse,
        sources={"web1": SourceSettings(format=text)} if text else {},
    )


SHORT = '$remote_addr [$time_local] "$request" $status $request_time'


def test_a_pasted_format_that_was_changed_or_removed_since(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.settings = pasted(house, SHORT)
    first = b'203.0.113.7 [02/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 0.120\n'
    house.deliver("web1/a.log", first)
    house.ingest()
    assert kept_whole(house) == 0
    then = first + b'[02/Mar/2026:10:00:01 +0000] 203.0.113.7 "GET / HTTP/1.1" 200 0.120\n'
    house.settings = pasted(house, '[$time_local] $remote_addr "$request" $status $request_time')
    house.deliver("web1/a.log", then)
    house.ingest()
    assert kept_whole(house) == 1
    assert_comes_back(house, "web1/a.log", then)
    assert_comes_back(house, "web1/a.log", then, pasted(house, None))


@pytest.mark.parametrize(
    ("text", "clock", "whole"),
    [
        ("$msec", "1772445600.123", 1),
        ("$time_iso8601", "2026-03-02T10:00:00+00:00", 0),
        ("$time_iso8601", "2026-03-02T11:30:00+0130", 0),
    ],
)
def test_times_of_other_forms(tmp_path: Path, text: str, clock: str, whole: int) -> None:
    house = House(tmp_path)
    house.settings = pasted(house, SHORT.replace("[$time_local]", text))
    data = f'203.0.113.7 {clock} "GET / HTTP/1.1" 200 0.120\n'.encode()
    house.deliver("web1/a.log", data)
    house.ingest()
    assert kept_whole(house) == whole
    assert_comes_back(house, "web1/a.log", data)


def test_a_changed_row_is_not_passed_off_as_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path)
    data = encoded([line(1), line(2)])
    house.deliver("web1/a.log", data)
    house.ingest()

    def spoilt(row: Any, known: Any) -> bytes:
        return data.splitlines()[0]

    monkeypatch.setattr("pipeline.ingest.originals.written_line", spoilt)
    assert not written(house, "web1/a.log")[1].is_proven
