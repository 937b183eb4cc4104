"""Real logs, as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.ingest.deliveries import House


def test_a_blogs_four_days(tmp_path: Path, shared_data: Path) -> None:
    house = House(tmp_path)
    log = shared_data / "logs/semicomplete-2015.apache-combined.log"
    house.deliver("blog/access.log", log.read_bytes())
    house.run()
    house.assert_adds_up()
    assert house.rows("select lines_read, lines_kept + lines_rejected from ingested_files") == [(10_000, 10_000)]
    assert house.rows("select count(*), count(distinct request_id) from requests") == [(10_000, 10_000)]
    days = house.rows("select distinct date::varchar from requests order by 1")
    assert [day for (day,) in days] == ["2015-05-17", "2015-05-18", "2015-05-19", "2015-05-20"]
    addresses, agents = house.rows("select count(distinct ip), count(distinct user_agent) from requests")[0]
    assert (addresses, agents) == (1753, 558)


def test_all_logs_in_one_landing(tmp_path: Path, shared_data: Path) -> None:
    house = House(tmp_path)
    shutil.copytree(shared_data / "logs", house.settings.landing / "all", dirs_exist_ok=True)
    house.run()
    house.assert_adds_up()
    found = dict(house.rows("select path, format from ingested_files where path like '%.log'"))
    assert len(found) == 25 - 1
    assert found["all/shop-2019.nginx-combined.log"] == "combined+1"
    reasons = {reason for (reason,) in house.rows("select distinct reason from rejected_lines")}
    assert reasons == {"unknown_format", "no_match"}
    for path, rejected in house.rows("select path, lines_rejected from ingested_files where format is null"):
        assert rejected > 0, path


@pytest.mark.parametrize(
    ("log", "zone", "first"),
    [
        ("hackers-2015.apache-combined.log", "+0100", "2015-10-25 03:11:25+00"),
        ("shop-2019.nginx-combined.log", "+0330", "2019-01-22 00:26:14+00"),
    ],
)
def test_times_are_read_with_the_lines_own_offset(
    tmp_path: Path, shared_data: Path, log: str, zone: str, first: str
) -> None:
    house = House(tmp_path)
    house.deliver("web/access.log", (shared_data / "logs" / log).read_bytes())
    house.read()
    assert house.rows("select distinct zone from raw_requests") == [(zone,)]
    assert house.rows("select min(occurred_at)::varchar from requests") == [(first,)]
    shop = house.rows("select count(*) from requests where starts_with(path, '/image/')")
    assert shop[0][0] > 100 or zone == "+0100"
