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
    shutil.copytree(shared_data / "logs", house.landing / "all", dirs_exist_ok=True)
    house.run()
    house.assert_adds_up()
    found = dict(house.rows("select path, format from ingested_files where path like '%.log'"))
    assert len(found) == 25 - 1
    assert found["all/shop-2019.nginx-combined.log"] == "combined+1"
    assert [path for path, found in found.items() if found is None] == []
    rejected = house.rows("""
        select path, reason, count(*)
        from rejected_lines
        join ingested_files using (file_id)
        where path like '%.log'
        group by all
        order by all
    """)
    assert rejected == [
        ("all/iis/ex031118.log", "missing_field", 3),  # its lines have a day, and no time
        ("all/iis/ex031118.log", "no_match", 1),  # a value fewer than the header names
        ("all/iis/pf040903.log", "missing_field", 4),  # a firewall's log: no requests
        ("all/samples/bad_access_log.0.log", "no_match", 1),
        ("all/samples/caddy_log.0.log", "missing_field", 35),  # what Caddy says of itself
        ("all/samples/haproxy.0.log", "no_match", 4),  # three notices and a failed handshake
        ("all/samples/w3c.5.log", "no_match", 1),  # values more than the header names
    ]


# Read off the files by eye: where a line begins is found by its number, its values are those written there.
BY_HAND: dict[str, tuple[str, dict[int, tuple[object, ...]]]] = {
    "iis/u_ex100815.log": (
        "w3c",
        {
            5: ("2010-08-15 00:39:30", "77.88.25.28", "GET", "/", 200, 8999, 376.0),
            10: ("2010-08-15 03:48:23", "207.46.195.235", "GET", "/robots.txt", 404, 0, 27.0),
            12: ("2010-08-15 03:53:32", "66.249.71.164", "GET", "/images/House/Guest1.JPG", 304, 210, 97.0),
        },
    ),
    "iis/u_ex160110.log": (
        "w3c",
        {
            5: ("2016-01-10 00:07:26", "188.68.224.62", "GET", "/httptest.php", 404, None, 591.0),
            10: ("2016-01-10 00:29:52", "66.249.66.155", "GET", "/", 200, None, 1183.0),
            15: ("2016-01-10 01:15:28", "66.249.66.122", "GET", "/", 200, None, 1361.0),
        },
    ),
    "iis/ex960101.log": (
        "w3c",
        {
            2: ("1996-01-01 10:48:02", "195.52.225.44", "GET", "/default.htm", 200, 1703, None),
            4: ("1996-01-01 10:48:05", "195.52.225.44", "GET", "/styles/style1.css", 200, 586, None),
            5: ("1996-01-01 10:48:05", "195.52.225.44", "GET", "/graphics/atremote/remote.jpg", 200, 12367, None),
        },
    ),
    "iis/ex010320.log": (
        "iis",
        {
            1: ("2001-03-20 07:55:20", "192.168.114.201", "GET", "/DeptLogo.gif", 200, 3223, 4502.0),
            2: ("2001-03-20 07:57:20", "192.168.110.54", "GET", "/style.css", 200, 1967, 411.0),
        },
    ),
    "samples/w3c.1.log": (
        "w3c",
        {7: ("2001-10-31 08:00:18", "64.103.37.2", "GET", "/admin/images/oc_bottomleft.gif", 200, 350, None)},
    ),
    "samples/w3c.3.log": (
        "w3c",
        {
            8: ("2012-08-15 17:00:00.363", "70.95.0.0", "GET", "/Products/theProduct", 200, None, 109.0),
            9: ("2012-08-15 17:00:00.66", None, "GET", "/Topic/hw43061", 301, None, 0.0),
            10: ("2012-08-15 17:00:00.675", "173.5.0.0", "GET", "/hello/world/6,681965", 404, None, 359.0),
        },
    ),
    "samples/w3c_big.0.log": (
        "w3c",
        {
            5: ("2015-01-13 00:32:17", "157.55.39.146", "GET", "/robots.txt", 404, 1405, 283.0),
            100: ("2015-01-13 22:29:56", "183.60.244.30", "GET", "/forum/", 404, 1405, 369.0),
            101: ("2015-01-13 22:29:57", "183.60.244.30", "GET", "/ipboard/", 404, 1405, 377.0),
        },
    ),
    "samples/caddy_log.1.log": (
        "caddy",
        {
            2: (
                "2024-05-26 11:43:50.508136",
                "10.5.1.1",
                "GET",
                "/gentoo/gentoo-portage/app-emulation/metadata.xml",
                200,
                446,
                0.724,
            ),
            3: (
                "2024-05-26 11:44:00.654197",
                "10.5.1.1",
                "GET",
                "/gentoo/gentoo-distfiles/distfiles/b6/libvirt-python-9.9.0.tar.gz",
                200,
                246357,
                24.626,
            ),
        },
    ),
    "samples/caddy_log.0.log": (
        "compose:caddy",
        {
            16: ("2025-10-21 04:10:28.615395", "172.19.0.1", "GET", "/", 304, 0, 1.674),
            37: ("2025-10-21 04:10:59.196494", "172.19.0.1", "GET", "/", 304, 0, 1.239),
            39: ("2025-10-21 04:12:37.924754", "172.19.0.1", "GET", "/index.html", 200, 188, 0.073),
        },
    ),
    "samples/cloudflare.1.log": (
        "cloudflare",
        {
            1: ("2024-04-10 23:00:00.1", "89.163.242.206", "GET", "/", 200, 12480, None),
            2: ("2024-04-10 23:00:01.18", "45.33.32.156", "GET", "/about", 200, 8320, None),
            3: ("2024-04-10 23:00:02.35", "103.21.244.0", "POST", "/api/login", 200, 512, None),
        },
    ),
    "samples/haproxy.0.log": (
        "syslog:haproxy+2",
        {
            5: (
                "2019-02-25 16:19:49.851",
                "92.193.212.151",
                "POST",
                "/portal/?Script=934&onlinetest=speichereKorrektur&anm=10347",
                200,
                306,
                62.0,
            ),
            13: (
                "2019-02-25 16:20:14.317",
                "87.183.41.77",
                "GET",
                "/media/core/jquery/jquery-ui-1.12.1.js?1550939557",
                200,
                11065,
                1.0,
            ),
            17: ("2019-02-25 16:20:12.331", "87.183.41.77", "GET", "/media/core/core.css?1550939640", 200, 2496, 1.0),
        },
    ),
    "shop-2019.nginx-combined.log": (
        "combined+1",
        {
            2: ("2019-01-22 00:26:16", "31.56.96.51", "GET", "/image/60844/productModel/200x200", 200, 5667, None),
            3: ("2019-01-22 00:26:16", "31.56.96.51", "GET", "/image/61474/productModel/200x200", 200, 5379, None),
            4: ("2019-01-22 00:26:17", "40.77.167.129", "GET", "/image/14925/productModel/100x100", 200, 1696, None),
        },
    ),
}


@pytest.mark.parametrize("name", list(BY_HAND))
def test_lines_read_by_eye(tmp_path: Path, shared_data: Path, name: str) -> None:
    data = (shared_data / "logs" / name).read_bytes()
    house = House(tmp_path)
    house.deliver("web/log", data)
    house.read()
    known, lines = BY_HAND[name]
    assert house.rows("select format from ingested_files") == [(known,)]
    starts = [0, *(place + 1 for place, char in enumerate(data) if char == 10)]
    for number, expected in lines.items():
        found = house.rows(
            "select strftime(occurred_at, '%Y-%m-%d %H:%M:%S.%f'), ip, method, target, status, bytes_sent, duration_ms "
            f"from raw_requests where line_offset = {starts[number - 1]}"
        )
        assert len(found) == 1, number
        at, *values = found[0]
        assert at.rstrip("0").rstrip(".") == expected[0]
        assert values == list(expected[1:]), number


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
