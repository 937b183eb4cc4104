"""Meanings of targets and referrers by hand-checked cases, and of whole rows whatever stands beside them.

User agents, bots and addresses have tests of their own.
"""

from __future__ import annotations

import ipaddress

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.enrich import Enricher, UserAgentCache
from pipeline.enrich.referrers import referrer_origin
from pipeline.enrich.targets import read_kind, read_target
from pipeline.ingest.columns import rows_table
from pipeline.settings import RouteRule, Settings

PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)


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
        for name in ("source", "file_id"):
            table = table.append_column(name, pa.array(["web"] * len(some)).dictionary_encode())
        return table

    whole = enrich(raw(rows)).to_pylist()
    parts = [row for some in (rows[:cut], rows[cut:]) if some for row in enrich(raw(some)).to_pylist()]
    assert whole == parts
    for row, given_row in zip(whole, rows, strict=True):
        assert not (row["is_bot"] and given_row["user_id"])
