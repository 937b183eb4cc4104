"""Addresses: whose a request is behind proxies, and where it is by published databases, sound ones and bad ones."""

from __future__ import annotations

import ipaddress
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from pipeline.demo.mmdb import write_mmdb
from pipeline.enrich import GeoDatabase, open_geo
from pipeline.enrich.addresses import NOWHERE, Place, client_address
from pipeline.settings import Settings
from tests.conftest import SHARED

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32"))
GEO = SHARED / "geo"
BAD = sorted([*(GEO / "maxmind-bad").glob("*.mmdb"), *(GEO / "maxmind-test").glob("*roken*.mmdb")])
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@pytest.mark.parametrize(
    ("ip", "forwarded", "client"),
    [
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        ("10.0.0.1", "1.2.3.4:5678", "1.2.3.4"),
        ("10.0.0.1", "[2620:0:2d0::1]:443", "2620:0:2d0::1"),
        ("10.0.0.1", "1.2.3.4, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
        ("2001:db8::1", "1.2.3.4", "1.2.3.4"),
        ("not an address", "1.2.3.4", "not an address"),
    ],
)
def test_forwarded_addresses_count_from_the_right(ip: str, forwarded: str | None, client: str) -> None:
    assert client_address(ip, forwarded, PROXIES) == client


def test_places_of_both_schemas(shared_data: Path) -> None:
    nested = GeoDatabase(shared_data / "geo/maxmind-test/GeoLite2-City-Test.mmdb")
    assert nested.place("81.2.69.142") == ("GB", "ENG", "London")
    assert nested.place("::ffff:81.2.69.142") == ("GB", "ENG", "London")
    flat = open_geo(Settings(geoip=shared_data / "geo/iptoasn-country.mmdb"))
    assert flat is not None
    assert flat.place("8.8.8.8") == ("US", None, None)
    assert flat.place("2001:4860:4860::8888")[0] == "US"
    v4_only = GeoDatabase(shared_data / "geo/maxmind-test/MaxMind-DB-test-ipv4-24.mmdb")
    assert v4_only.place("2001:db8::1") == NOWHERE
    assert [nested.place(text) for text in ("", "x", "999.1.1.1")] == [NOWHERE] * 3


def published(name: str) -> dict[Network, dict[str, Any]]:
    """The networks of a published database with their records."""
    listed = json.loads((GEO / f"maxmind-test/{name}.json").read_text(encoding="utf-8"))
    return {ipaddress.ip_network(network): record for entry in listed for network, record in entry.items()}


def edges(network: Network) -> tuple[str, str]:
    """First and last address of a network."""
    return str(network[0]), str(network[-1])


def test_every_published_city_is_found(shared_data: Path) -> None:
    geo = open_geo(Settings(geoip=shared_data / "geo/maxmind-test/GeoLite2-City-Test.mmdb"))
    assert geo is not None
    networks = published("GeoLite2-City-Test")
    found = {network: [geo.place(ip) for ip in edges(network)] for network in networks}
    expected = {network: [city_record(record)] * 2 for network, record in networks.items()}
    assert found == expected
    first = [places[0] for places in found.values()]
    assert [len(first), *(sum(place[part] is not None for place in first) for part in range(3))] == [242, 240, 11, 11]


def city_record(record: dict[str, Any]) -> Place:
    """What a record says; a region is named by its code."""
    region = record.get("subdivisions", [{}])[0].get("iso_code")
    return record.get("country", {}).get("iso_code"), region, record.get("city", {}).get("names", {}).get("en")


def test_nothing_is_known_beside_published_networks(shared_data: Path) -> None:
    geo = GeoDatabase(shared_data / "geo/maxmind-test/GeoLite2-City-Test.mmdb")
    v4 = [network for network in published("GeoLite2-City-Test") if isinstance(network, ipaddress.IPv4Network)]
    beside = [ip for network in v4 for ip in (network[0] - 1, network[-1] + 1)]
    outside = [str(ip) for ip in beside if not any(ip in network for network in v4)]
    assert len(outside) == 16
    assert [ip for ip in outside if geo.place(ip) != NOWHERE] == []


def test_a_database_of_network_owners_gives_no_places_and_says_so(
    shared_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = shared_data / "geo/maxmind-test/GeoLite2-ASN-Test.mmdb"
    with caplog.at_level(logging.WARNING, logger="trail"):
        assert open_geo(Settings(geoip=path)) is None
    assert f"{path} holds no places, its type is 'GeoLite2-ASN'" in caplog.text
    assert "set geoip to" in caplog.text
    owners = GeoDatabase(path)
    looked_up = [ip for network in published("GeoLite2-ASN-Test") for ip in edges(network)]
    assert len(looked_up) == 1_440
    assert [ip for ip in looked_up if owners.place(ip) != NOWHERE] == []


# These the reader can read after all; what they hold is not of places.
SOUND_BUT_WITHOUT_PLACES = (
    "libmaxminddb-corrupt-search-tree",
    "libmaxminddb-empty-array-last-in-metadata",
    "libmaxminddb-empty-map-last-in-metadata",
    "libmaxminddb-uint64-max-epoch",
)


BROKEN_BEHIND_THEIR_HEADERS = (
    "MaxMind-DB-test-broken-search-tree-24",
    "bad-unicode-in-map-key",
    "libmaxminddb-deep-array-nesting",
    "libmaxminddb-deep-nesting",
    "libmaxminddb-oversized-array",
    "libmaxminddb-oversized-map",
    "libmaxminddb-separator-record-max-left",
    "libmaxminddb-separator-record-min-left",
    "libmaxminddb-separator-record-min-right",
)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_databases_end_in_a_message(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="trail"):
        assert open_geo(Settings(geoip=path)) is None
    (message,) = caplog.messages
    assert message.startswith(f"geo database {path} ")
    assert ("holds no places" if path.stem in SOUND_BUT_WITHOUT_PLACES else "is broken: ") in message
    assert "places stay unknown" in message
    assert "set geoip to a MaxMind database (MMDB) of countries or cities" in message


def test_all_bad_databases_are_tried(shared_data: Path) -> None:
    assert len(BAD) == 23


@pytest.mark.parametrize("name", ["absent.mmdb", "folder", "text.mmdb", "empty.mmdb"])
def test_what_is_no_database_ends_in_a_message(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.mmdb").write_text("no database", encoding="utf-8")
    (tmp_path / "empty.mmdb").touch()
    with caplog.at_level(logging.WARNING, logger="trail"):
        assert open_geo(Settings(geoip=tmp_path / name)) is None
    (message,) = caplog.messages
    assert message.startswith(f"geo database {tmp_path / name} ")
    assert "cannot be opened: No such file" in message if name == "absent.mmdb" else "is broken: " in message
    assert "set geoip to" in message


def test_places_may_come_late_in_a_database(tmp_path: Path) -> None:
    nowhere = [(f"10.{number // 256}.{number % 256}.0/24", {"note": "ours"}) for number in range(1_100)]
    write_mmdb(tmp_path / "late.mmdb", [*nowhere, ("203.0.113.0/24", {"country_code": "NZ"})], "Ours", 1_772_323_200)
    geo = open_geo(Settings(geoip=tmp_path / "late.mmdb"))
    assert geo is not None
    assert [geo.place(ip)[0] for ip in ("10.0.0.1", "203.0.113.1")] == [None, "NZ"]


def test_a_broken_record_is_warned_of_once_and_hides_no_other(
    shared_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = shared_data / "geo/maxmind-test/GeoIP2-City-Test-Broken-Double-Format.mmdb"
    ips = [str(network[0]) for network in published("GeoLite2-City-Test")]
    forwards, backwards = GeoDatabase(path), GeoDatabase(path)
    with caplog.at_level(logging.WARNING, logger="trail"):
        places = [forwards.place(ip) for ip in ips]
        assert len(caplog.messages) == 1
        assert caplog.messages[0].startswith(f"geo database {path} is broken: ")
        assert "some places stay unknown" in caplog.messages[0]
    assert [backwards.place(ip) for ip in reversed(ips)][::-1] == places
    assert sum(place != NOWHERE for place in places) == 42


@pytest.mark.parametrize("name", BROKEN_BEHIND_THEIR_HEADERS)
def test_addresses_in_broken_databases_are_unknown(
    name: str, shared_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (path,) = (path for path in BAD if path.stem == name)
    geo = GeoDatabase(path)
    with caplog.at_level(logging.WARNING, logger="trail"):
        assert {geo.place(ip) for ip in ("0.0.0.0", "1.1.1.1", "81.2.69.142", "255.255.255.255", "::1")} == {NOWHERE}
    (message,) = caplog.messages
    assert message.startswith(f"geo database {path} is broken: ")
