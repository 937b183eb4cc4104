"""`DNT` and `Sec-GPC` through real formats, and what the setting `opt_out` makes of them in all tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.enrich.opt_out import find_opt_outs
from pipeline.models import model_names
from pipeline.privacy.share import share
from pipeline.report import Week
from pipeline.report.numbers import gather
from pipeline.schemas import TABLES
from pipeline.settings import SettingError, SourceSettings, load_settings
from pipeline.warehouse import connect
from tests.enrich.test_client_hints import CADDY, CADDY_REQUEST, REQUEST, TIME
from tests.formats.test_linear_time import LIMIT_S, LINES, limit
from tests.ingest.deliveries import House
from tests.report.pages import page_of

TRAIL = {"time": "2026-03-02T10:00:00+00:00", "remote_addr": "203.0.113.7", "method": "GET", "target": "/"}
HEADERS = {"User-Agent": ["Mozilla/5.0"], "Dnt": ["1"], "Sec-Gpc": ["1"]}
NGINX = '$remote_addr [$time_local] "$request" $status "$http_user_agent" "$http_dnt" "$http_sec_gpc"'
APACHE = '%h %l %u %t "%r" %>s %b "%{User-Agent}i" "%{DNT}i" "%{Sec-GPC}i"'
W3C = "#Version: 1.0\n#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(DNT) cs(Sec-GPC)\n"


@pytest.mark.parametrize(
    ("pasted", "line", "said"),
    [
        (NGINX, f'203.0.113.7 [{TIME}] "{REQUEST}" 200 "Mozilla/5.0" "1" "1"', "dnt,gpc"),
        (NGINX, f'203.0.113.7 [{TIME}] "{REQUEST}" 200 "Mozilla/5.0" "-" "1"', "gpc"),
        (NGINX, f'203.0.113.7 [{TIME}] "{REQUEST}" 200 "Mozilla/5.0" "1" "-"', "dnt"),
        (NGINX, f'203.0.113.7 [{TIME}] "{REQUEST}" 200 "Mozilla/5.0" "0" "-"', None),
        (APACHE, f'203.0.113.7 - - [{TIME}] "{REQUEST}" 200 5 "Mozilla/5.0" "-" "1"', "gpc"),
        (None, json.dumps(TRAIL | {"dnt": "1", "sec_gpc": 1}), "dnt,gpc"),
        (None, json.dumps(TRAIL | {"http_dnt": "0", "http_sec_gpc": "1"}), "gpc"),
        (None, json.dumps(TRAIL), None),
        (None, json.dumps(CADDY | {"request": CADDY_REQUEST | {"headers": HEADERS}}), "dnt,gpc"),
        (None, f"{W3C}2026-03-02 10:00:00 203.0.113.7 GET / 200 1 -", "dnt"),
    ],
)
def test_what_logs_tell(tmp_path: Path, pasted: str | None, line: str, said: str | None) -> None:
    sources: dict[str, Any] = {"web": SourceSettings(format=pasted)} if pasted else {}
    house = House(tmp_path, sources=sources)
    house.deliver("web/access.log", f"{line}\n".encode())
    house.read()
    assert house.rows("select opt_out from requests") == [(said,)]


def test_only_a_member_of_that_name_that_is_one_asks() -> None:
    asks = ['{"dnt":"1"}', '{"a":2,"DNT": 1}', '{"Do-Not-Track":["1"]}', '{"a":{"http_dnt":"1"}}']
    not_so = [
        *('{"dnt":"10"}', '{"dnt":null}', '{"dnt":"0"}', '{"dnt":""}', '{"dnt":[]}', '{"didnt":"1"}', "{}", None),
        *(json.dumps({"note": '"dnt":"1"'}), json.dumps({"dnt": "x", "x": "dnt"}), '{"dnt":{"a":"1"}}'),
    ]
    assert find_opt_outs(pa.array(asks)).to_pylist() == ["dnt"] * len(asks)
    assert find_opt_outs(pa.array(not_so)).to_pylist() == [None] * len(not_so)
    assert find_opt_outs(pa.array([], pa.string())).to_pylist() == []


def test_no_text_takes_long() -> None:
    with limit(LIMIT_S):
        find_opt_outs(pa.array([f'{{"dnt":"{line}","gpc":[[["1' for line in LINES]))


# Tables that say what happened, whoever it was and whatever was asked; all others of the product team count people.
OF_WHAT_HAPPENED = {
    *("requests", "acts", "identifier_days", "identifier_links", "same_visit_days", "user_links", "clickstream"),
    *("visits", "user_days", "user_businesses", "user_lookup", "search_terms"),
}
FEATURES = """
[features.notes]
description = "d"
owner = "o"
patterns = [{ route = "/notes/**" }, { route = "/login" }]
[features.files]
description = "d"
owner = "o"
patterns = [{ route = "/files" }]
[funnels.both]
title = "t"
description = "d"
steps = ["notes", "files"]
within = "1 day"
per = "person"
"""


def acts(day: int, who: str, *headers: tuple[str, str], status: int = 200) -> list[bytes]:
    """A visit of somebody in March 2026, whose browser sends further headers; one of them uses fewer features."""
    told = TRAIL | {"user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    told |= {"user_id": who, "business_id": "b1", "visitor_id": f"k{who}"} | dict(headers)
    targets = ("/login", "/notes/1", "/files", "/notes/2", "/files", "/notes/3")
    return [
        json.dumps(
            told | {"time": f"2026-03-{day:02}T10:{minute:02}:00+00:00", "target": target, "status": status}
        ).encode()
        for minute, target in enumerate(targets)
        if who != "u2" or target != "/files"
    ]


DNT, GPC = ("http_dnt", "1"), ("http_sec_gpc", "1")
DAYS = range(2, 17)
PLAIN = [line for day in DAYS for who in ("u1", "u2") for line in acts(day, who, status=404 if day % 3 else 200)]
ASKING = {
    "dnt": [line for day in DAYS for line in acts(day, "u3", DNT)],
    "gpc": [line for day in DAYS for line in acts(day, "u4", GPC, status=500)],
    "dnt,gpc": [line for day in DAYS for line in acts(day, "u5", DNT, GPC)],
    # Somebody who asks on some days is counted on the others.
    "": [line for day in DAYS for line in acts(day, "u6", *([DNT, GPC] if day % 2 else []))],
}
MATTERS: dict[str, tuple[str, ...]] = {
    "none": (),
    "dnt": ("dnt", "dnt,gpc"),
    "gpc": ("gpc", "dnt,gpc"),
    "any": ("dnt", "gpc", "dnt,gpc"),
}


def house_in(folder: Path, opt_out: str) -> House:
    places = {name: folder / name for name in ("privacy", "access_log")}
    return House(folder, builds_all=True, features=folder / "features.toml", opt_out=opt_out, **places)


def house_of(folder: Path, lines: Sequence[bytes]) -> House:
    folder.mkdir()
    (folder / "features.toml").write_text(FEATURES, encoding="utf-8")
    house = house_in(folder, "none")
    house.deliver("web/access.log", b"\n".join([*lines, b""]))
    house.run()
    return house


def test_people_are_counted_as_if_whoever_asks_had_not_been_there(tmp_path: Path) -> None:
    house_of(tmp_path / "asked", [*PLAIN, *(line for of in ASKING.values() for line in of)])
    asked = house_in(tmp_path / "asked", "gpc")
    asked.run()  # a changed setting holds for what was read before
    kept = [line for signals in ("dnt", "") for line in ASKING[signals]]
    kept = [line for line in kept if b"http_sec_gpc" not in line]
    other = house_of(tmp_path / "other", [*PLAIN, *kept])
    for name in sorted(set(model_names()) & set(TABLES) - OF_WHAT_HAPPENED):
        query = f"from {name} order by all"
        found = asked.rows(query)
        assert found, name
        assert found == other.rows(query), name
    week = Week(date(2026, 3, 9))
    with connect(asked.settings) as connection, connect(other.settings) as beside:
        told, alike = (gather(one, house.settings, week) for one, house in ((connection, asked), (beside, other)))
    assert told["visits"]["now"].pop("visits_opted_out") == 18
    assert alike["visits"]["now"].pop("visits_opted_out") == 0
    assert told["visits"]["now"] == alike["visits"]["now"]
    assert "18 visits of people who ask not to be tracked" in page_of(asked.settings, week.last).shown
    assert "not to be tracked" not in page_of(other.settings, week.last).shown
    # Support and engineers see all of it, and no processor any.
    assert asked.rows("select count(*) from clickstream") == [(len(PLAIN) + sum(map(len, ASKING.values())),)]
    share(asked.settings, "maps", "clickstream", ["user_id", "route"], None, tmp_path / "copy", "ana")
    assert pq.read_metadata(tmp_path / "copy" / "clickstream.parquet").num_rows == len(PLAIN) + len(kept)


def test_each_value_of_the_setting_takes_the_wishes_that_it_names(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(
        "web/access.log", b"\n".join([*PLAIN[:10], *(line for of in ASKING.values() for line in of[:6]), b""])
    )
    of = {"u3": "dnt", "u4": "gpc", "u5": "dnt,gpc"}
    for opt_out, matters in MATTERS.items():
        house.settings = replace(house.settings, opt_out=opt_out)
        house.run()
        for table in ("clickstream", "visits", "user_days"):
            said = house.rows(f"select distinct user_id, opt_out from {table} where opt_out is not null order by all")
            assert said == [(user, signals) for user, signals in of.items() if signals in matters]


def test_the_setting_says_what_it_may_be() -> None:
    assert load_settings(environment={"TRAIL_OPT_OUT": "gpc"}).opt_out == "gpc"
    with pytest.raises(SettingError, match=r"TRAIL_OPT_OUT is 'yes'; it must be one of none, dnt, gpc, any"):
        load_settings(environment={"TRAIL_OPT_OUT": "yes"})
