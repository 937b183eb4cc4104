"""Rejected lines read again: what is kept then leaves the rejects, and everything still adds up."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.ingest.ledger import LedgerEntry
from pipeline.ingest.retry import RetryReport, retry
from pipeline.settings import Settings, SourceSettings
from pipeline.warehouse import open_run
from tests.ingest.deliveries import House
from tests.ingest.test_originals import assert_comes_back, line, pasted

ODD = "[$time_local] $remote_addr | $status | $request"


def odd(second: int) -> str:
    return f"[02/Mar/2026:10:00:{second:02} +0000] 203.0.113.7 | 200 | GET /{second} HTTP/1.1\n"


def again(house: House, **more: object) -> RetryReport:
    with open_run(house.settings) as run:
        report = retry(run, house.settings, **more)  # type: ignore[arg-type]  # passed on as they are
        run.publish()
    house.assert_adds_up()
    return report


def test_a_file_of_no_known_format(tmp_path: Path) -> None:
    house = House(tmp_path)
    data = "".join([odd(1), "\n", odd(2), "nonsense\n", odd(3)]).encode()
    house.deliver("web1/a.log", data)
    house.run()
    assert again(house).lines == {"tried": 4, "kept": 0, "duplicate": 0, "blank": 0, "rejected": 4}
    house.settings = pasted(house, ODD)
    report = again(house)
    assert report.lines == {"tried": 4, "kept": 3, "duplicate": 0, "blank": 0, "rejected": 1}
    assert [day.isoformat() for day in report.days] == ["2026-03-02"]
    assert house.rows("select reason, text from rejected_lines") == [("unknown_format", "nonsense")]
    assert_comes_back(house, "web1/a.log", data)
    house.run()
    plain = House(tmp_path / "plain", sources=house.settings.sources)
    plain.deliver("web1/a.log", data)
    plain.run()
    assert house.rows("from requests order by all") == plain.rows("from requests order by all")
    house.deliver("web1/a.log", data + odd(4).encode())  # and it is read further as what it is now known to be
    house.run()
    assert house.rows("select count(*) from requests") == [(4,)]
    assert_comes_back(house, "web1/a.log", data + odd(4).encode())


def test_a_file_whose_lines_change_their_format_midway(tmp_path: Path) -> None:
    house = House(tmp_path)
    data = "".join([*(line(second) for second in range(20)), *(odd(second) for second in range(5))]).encode()
    house.deliver("web1/a.log", data)
    house.run()
    assert house.rows("select reason, count(*) from rejected_lines group by reason") == [("no_match", 5)]
    house.settings = pasted(house, ODD)
    assert again(house).lines["kept"] == 5
    assert house.rows("select count(*) from rejected_lines") == [(0,)]
    assert_comes_back(house, "web1/a.log", data)


def test_copies_are_found_whichever_came_first(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver("web1/a.log", "".join(odd(second) for second in range(6)).encode())
    house.run()
    house.settings = pasted(house, ODD)
    house.deliver("web1/b.log", "".join(odd(second) for second in range(3, 9)).encode())
    house.run()
    assert again(house).lines == {"tried": 6, "kept": 3, "duplicate": 3, "blank": 0, "rejected": 0}
    house.run()
    assert house.rows("select count(*), count(distinct path) from requests") == [(9, 9)]


def test_headers_among_the_rejected_lines_say_what_follows(tmp_path: Path) -> None:
    house = House(tmp_path)
    log = "#Software: x\n#Fields: date time c-ip cs-method cs-uri-stem\n2026-03-02 10:00:00 203.0.113.7 GET /\n"
    house.settings = Settings(
        landing=house.settings.landing,
        warehouse=house.settings.warehouse,
        sources={"web1": SourceSettings(format="combined")},
    )
    house.deliver("web1/a.log", log.encode())
    house.run()
    house.settings = Settings(landing=house.settings.landing, warehouse=house.settings.warehouse)
    assert again(house).lines == {"tried": 3, "kept": 1, "duplicate": 0, "blank": 2, "rejected": 0}
    assert house.rows("select target from raw_requests") == [("/",)]
    assert_comes_back(house, "web1/a.log", log.encode())


@pytest.mark.parametrize(
    ("wanted", "reason", "tried"),
    [("web1", None, 3), ("web2", None, 2), (None, "nul_byte", 1), (None, None, 5)],
)
def test_only_what_is_asked_for(tmp_path: Path, wanted: str | None, reason: str | None, tried: int) -> None:
    house = House(tmp_path)
    house.deliver("web1/a.log", (odd(1) + odd(2) + "\0\n").encode())
    house.deliver("web2/a.log", (odd(1) + odd(2)).encode())
    house.run()

    def is_wanted(entry: LedgerEntry) -> bool:
        return wanted in (None, entry.source)

    assert again(house, wanted=is_wanted, reason=reason).lines["tried"] == tried
