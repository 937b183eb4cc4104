"""Days derived again: what differs is found and changed, and not a bit of anything else."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.build import RederiveError, asked_days, build_requests, find_stale, open_rederivation, stale_whole
from pipeline.build.differences import Change, ColumnDifference
from pipeline.demo.mmdb import write_mmdb
from pipeline.enrich import GeoDatabase
from pipeline.ingest import ingest
from pipeline.settings import RouteRule, Settings
from pipeline.warehouse import StagedState, live_files, open_run
from tests.build.test_building import line
from tests.ingest.deliveries import House

D2, D3, D4, D6 = (date(2026, 3, day) for day in (2, 3, 4, 6))
NEAR, FAR = "198.51.100.7", "203.0.113.9"


def place(country: str, city: str) -> dict[str, Any]:
    return {"country": {"iso_code": country}, "city": {"names": {"en": city}}}


def write_places(house: House, built_at: int, near: str = "Bonn", far: str = "Paris") -> None:
    """Write the geo database, with where two networks are."""
    path = house.settings.geoip
    assert path is not None
    networks = [("198.51.100.0/24", place("DE", near)), ("203.0.113.0/24", place("FR", far))]
    write_mmdb(path, networks, "GeoLite2-City", built_at)


def days() -> bytes:
    """Three days: both networks on the first, the far one on the second, the near one on the third."""
    asked = [("02", NEAR), ("02", FAR), ("03", FAR), ("06", NEAR)]
    return b"".join(
        line(f"{day}T10:{minute:02}:00", f"c{minute % 3}", "u1" if minute % 3 else "", address)
        for day, address in asked
        for minute in range(10)
    )


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Three days, built and published."""
    house = House(tmp_path, builds_all=True, geoip=tmp_path / "places.mmdb")
    write_places(house, 100)
    house.deliver("web/a.log", days())
    house.run()
    return house


def derive_again(house: House) -> list[date]:
    """Do what the command does, and let the tables above follow; return the days that were changed."""
    with open_rederivation(house.settings) as again:
        again.compare(asked_days(StagedState(house.settings)).ready, keeps_new=True)
        with open_run(house.settings) as run:
            changed, left = again.apply(run)
            run.stage()
    assert left == []
    house.run()
    return changed


def look(house: House) -> tuple[dict[date, int], list[ColumnDifference]]:
    """Rows that differ by day, and how, without changing anything."""
    with open_rederivation(house.settings) as again:
        again.compare(asked_days(StagedState(house.settings)).ready, keeps_new=False)
        return {day.day: day.rows_differing for day in again.days}, again.columns(5)


def files_of(house: House) -> dict[Path, bytes]:
    """All that the warehouse holds but its cache, with its content."""
    paths = sorted(house.settings.warehouse.rglob("*"))
    return {path: path.read_bytes() for path in paths if path.is_file() and "_cache" not in path.parts}


def requests_of(house: House) -> dict[str, tuple[Any, ...]]:
    """Rows of requests as they lie in their files, by request_id."""
    found = house.rows("select request_id, requests.* from requests order by request_id")
    return {request_id: tuple(row) for request_id, *row in found}


def without_version(house: House) -> tuple[Any, ...]:
    """Every table's rows, and those of requests in the order in which they lie."""
    tables = house.tables()
    rows = [pq.read_table(path, partitioning=None) for path in live_files(house.settings, "requests")]
    lying = [table.drop_columns("enrichment_version").to_pylist() for table in rows]
    return tables | {"requests": [row[:-1] for row in tables["requests"]]}, lying


def test_another_geo_database_changes_just_the_rows_of_its_networks(house: House) -> None:
    before, files = requests_of(house), live_files(house.settings, "requests")
    write_places(house, 200, far="Lyon")
    assert look(house) == (
        {D2: 10, D3: 10, D6: 0},
        [ColumnDifference("city", 20, 1, [Change("Paris", "Lyon", 20)])],
    )
    assert derive_again(house) == [D2, D3]
    after = requests_of(house)
    near = [request_id for request_id, row in before.items() if NEAR in row]
    assert len(near) == 20
    assert all(after[request_id] == before[request_id] for request_id in near)
    versions = house.rows(
        "select ip, city, split_part(enrichment_version, '; ', 4), count(*) from requests group by all"
    )
    assert sorted(versions) == [(NEAR, "Bonn", "GeoLite2-City 100", 20), (FAR, "Lyon", "GeoLite2-City 200", 20)]
    kept = [path for path in live_files(house.settings, "requests") if path in files]
    assert [path.parent.name for path in kept] == ["date=2026-03-06"]
    assert house.rows("select distinct city from visits where country = 'FR'") == [("Lyon",)]
    assert house.rows("select distinct city from visits where country = 'DE'") == [("Bonn",)]


def test_what_comes_out_is_what_a_rebuild_gives(house: House, tmp_path: Path) -> None:
    write_places(house, 200, far="Lyon")
    derive_again(house)
    new = House(tmp_path / "new", builds_all=True, geoip=house.settings.geoip)
    new.deliver("web/a.log", days())
    new.run()
    assert without_version(house) == without_version(new)


def test_an_added_route_rule_changes_its_routes(house: House) -> None:
    house.deliver("web/b.log", line("02T11:00:00", "c1").replace(b"/notes", b"/blog/why"))
    house.run()
    house.settings = replace(house.settings, route_rules=(RouteRule("/blog/", "slug"),))
    assert derive_again(house) == [D2]
    assert house.rows("select route, path from requests where route like '/blog%'") == [("/blog/{slug}", "/blog/why")]
    assert house.rows("select route from clickstream where path = '/blog/why'") == [("/blog/{slug}",)]
    assert len(house.rows("select distinct enrichment_version from requests")) == 2


def test_where_nothing_differs_nothing_is_touched(house: House) -> None:
    before = files_of(house)
    write_places(house, 200)
    with open_rederivation(house.settings) as again:
        again.compare([D2, D3, D6], keeps_new=True)
        assert again.rows_differing == 0
        assert "GeoLite2-City 200" in again.version
        with open_run(house.settings) as run:
            assert again.apply(run) == ([], [])
            assert (find_stale(run), stale_whole(run)) == ({}, [])
            run.publish()
    assert files_of(house) == before


def test_to_look_changes_nothing(house: House) -> None:
    before = files_of(house)
    write_places(house, 200, far="Lyon")
    found, _ = look(house)
    assert found[D3] == 10
    assert files_of(house) == before


def test_what_was_made_and_not_applied_is_gone(house: House) -> None:
    before = files_of(house)
    write_places(house, 200, far="Lyon")
    with open_rederivation(house.settings) as again:
        again.compare([D2, D3], keeps_new=True)
        assert files_of(house) != before
    assert files_of(house) == before


def test_an_ordinary_run_leaves_history_but_for_the_days_of_late_lines(house: House) -> None:
    before = live_files(house.settings, "requests")
    write_places(house, 200, near="Köln", far="Lyon")
    house.run()
    assert live_files(house.settings, "requests") == before
    house.deliver("web/late.log", line("03T23:00:00", "c9", address=FAR))
    house.run()
    assert len([path for path in live_files(house.settings, "requests") if path in before]) == 2
    rows = house.rows("select city, split_part(enrichment_version, '; ', 4), count(*) from requests group by all")
    assert sorted(rows) == [
        ("Bonn", "GeoLite2-City 100", 20),
        ("Lyon", "GeoLite2-City 200", 11),
        ("Paris", "GeoLite2-City 100", 10),
    ]
    assert derive_again(house) == [D2, D6]


@pytest.mark.parametrize("in_parts", [False, True])
def test_each_row_of_a_large_day_has_its_own_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_parts: bool
) -> None:
    if in_parts:
        monkeypatch.setattr("pipeline.build.requests.FILE_ROWS", 400)
        monkeypatch.setattr("pipeline.build.requests.ROW_GROUP_ROWS", 150)
        monkeypatch.setattr("pipeline.build.requests.PIECE_ROWS", 1000)
        monkeypatch.setattr("pipeline.enrich.requests.CHUNK_ROWS", 1500)
        monkeypatch.setattr("pipeline.enrich.requests._MOST_REMEMBERED_BYTES", 1)
    house = House(tmp_path, builds_all=True, geoip=tmp_path / "places.mmdb")
    write_places(house, 100)
    asked = range(6000)
    house.deliver(
        "web/a.log",
        b"".join(
            line(f"02T{10 + n // 3600}:{n // 60 % 60:02}:{n % 60:02}", f"c{n % 97}", address=FAR if n % 7 else NEAR)
            for n in asked
        ),
    )
    house.read()
    assert (len(live_files(house.settings, "requests")) > 8) == in_parts
    write_places(house, 200, near="Köln")
    with open_rederivation(house.settings) as again:
        again.compare([D2], keeps_new=True)
        with open_run(house.settings) as run:
            again.apply(run)
            run.publish()
    versions = house.rows("select city, split_part(enrichment_version, '; ', 4), count(*) from requests group by all")
    near = len([n for n in asked if n % 7 == 0])
    assert sorted(versions) == [("Köln", "GeoLite2-City 200", near), ("Paris", "GeoLite2-City 100", 6000 - near)]


def test_rows_under_other_ids_are_new_and_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path, builds_all=True)
    house.deliver("web/a.log", 3 * line("02T10:00:00", "c1") + line("02T11:00:00", "c1"))
    house.run()
    monkeypatch.setattr("pipeline.build.request_ids._STEP", np.uint64(12345))
    with open_rederivation(house.settings) as again:
        again.compare([D2], keeps_new=True)
        (day,) = again.days
        assert (day.rows, day.rows_new, day.rows_gone, day.rows_changed, day.columns) == (4, 2, 2, 0, {})
        with open_run(house.settings) as run:
            again.apply(run)
            run.publish()
    assert house.rows("select count(*), count(distinct request_id) from requests") == [(4, 4)]


def test_days_are_ready_not_built_or_without_rows(house: House) -> None:
    house.deliver("web/late.log", line("02T23:00:00", "c9") + line("04T10:00:00", "c9"))
    with open_run(house.settings) as run:
        ingest(run, house.settings)
        run.stage()
    state = StagedState(house.settings)
    found = asked_days(state, date(2026, 2, 27), date(2026, 3, 8))
    assert (found.ready, found.unbuilt) == ([D3, D6], [D2, D4])
    assert found.without_rows == [
        (date(2026, 2, 27), date(2026, 3, 1)),
        (date(2026, 3, 5), date(2026, 3, 5)),
        (date(2026, 3, 7), date(2026, 3, 8)),
    ]
    assert asked_days(state).without_rows == [(date(2026, 3, 5), date(2026, 3, 5))]
    assert asked_days(state, D3, D3).ready == [D3]
    with pytest.raises(RederiveError, match="there are from 2026-03-02 to 2026-03-06"):
        asked_days(state, date(2026, 3, 7))


def test_without_raw_rows_there_is_nothing_to_derive_from(tmp_path: Path) -> None:
    settings = Settings(landing=tmp_path, warehouse=tmp_path / "warehouse")
    with pytest.raises(RederiveError, match="`trail run` reads logs"):
        asked_days(StagedState(settings))
    assert not settings.warehouse.exists()


def test_a_day_that_a_run_built_meanwhile_is_left_to_it(house: House) -> None:
    write_places(house, 200, far="Lyon")
    with open_rederivation(house.settings) as again:
        again.compare([D2, D3, D6], keeps_new=True)
        house.deliver("web/late.log", line("03T23:00:00", "c9", address=FAR))
        house.run()
        with open_run(house.settings) as run:
            assert again.apply(run) == ([D2], [D3])
            run.stage()
    house.run()
    assert house.rows("select count(*) from requests where city = 'Lyon'") == [(21,)]


@pytest.mark.parametrize("damage", ["gone", "no database", "broken inside"])
def test_places_are_not_forgotten_because_a_database_went_bad(
    house: House, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    before, geoip = files_of(house), house.settings.geoip
    assert geoip is not None
    whole = geoip.read_bytes()
    if damage == "gone":
        geoip.unlink()
    elif damage == "no database":
        geoip.write_bytes(b"what is this")
    else:
        records = whole.index(b"country") - 2
        geoip.write_bytes(whole[:records] + b"\xff" * 60 + whole[records + 60 :])
        assert GeoDatabase(geoip).version == "GeoLite2-City 100"
    with caplog.at_level(logging.WARNING, logger="trail"), pytest.raises(RederiveError, match="every place would"):
        look(house)
    assert "places stay unknown" in caplog.text
    assert files_of(house) == before


def test_a_rebuild_asked_for_by_hand_still_gives_every_row_the_version_of_today(house: House) -> None:
    write_places(house, 200)
    with open_run(house.settings) as run:
        build_requests(run, house.settings, [D2])
        run.publish()
    versions = house.rows("select date, split_part(enrichment_version, '; ', 4) from requests group by all")
    assert sorted(versions) == [(D2, "GeoLite2-City 200"), (D3, "GeoLite2-City 100"), (D6, "GeoLite2-City 100")]
