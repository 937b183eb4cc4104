"""The channel of a visit: a case for every line of `channels.toml`, and the traps that others fall into."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

from pipeline.channels import channel_rules
from pipeline.models import run_model
from pipeline.schemas import TABLES
from pipeline.warehouse.views import create_views
from tests.models.oracle import Act
from tests.models.people_histories import STARTS
from tests.models.test_people import put, rows_of

# Medium of the referrer, utm_source, utm_medium, utm_campaign; the channel.
CASES: list[tuple[str, str | None, str | None, str | None, str]] = [
    ("direct", None, None, None, "Direct"),
    ("direct", "(direct)", "(none)", None, "Direct"),
    ("direct", "news", "web", "x-cross-network", "Cross-network"),
    ("direct", "news", "cross-network", None, "Cross-network"),
    ("direct", "shopify", "cpc", None, "Paid Shopping"),
    ("paid", "shopify", None, None, "Paid Shopping"),
    ("direct", "news", "cpc", "eshop", "Paid Shopping"),
    ("paid", "news", None, "spring-shopping", "Paid Shopping"),
    ("direct", "google", "cpc", None, "Paid Search"),
    ("paid", "google", None, None, "Paid Search"),
    ("search", None, "ppc", None, "Paid Search"),
    ("paid", None, None, None, "Paid Search"),
    ("direct", "facebook", "paid_social", None, "Paid Social"),
    ("paid", "m.facebook.com", None, None, "Paid Social"),
    ("social", None, "cpc", None, "Paid Social"),
    ("direct", "youtube", "ppc", None, "Paid Video"),
    ("paid", "youtube", None, None, "Paid Video"),
    ("direct", "news", "banner", None, "Display"),
    ("paid", "news", None, None, "Paid Other"),
    ("direct", "news", "retargeting", None, "Paid Other"),
    ("direct", "etsy", None, None, "Organic Shopping"),
    ("direct", "news", "web", "the shop", "Organic Shopping"),
    ("direct", "t.co", None, None, "Organic Social"),
    ("social", None, None, None, "Organic Social"),
    ("direct", "news", "social", None, "Organic Social"),
    ("direct", "vimeo", None, None, "Organic Video"),
    ("direct", "news", "online-video", None, "Organic Video"),
    ("direct", "chatgpt.com", None, None, "AI Assistant"),
    ("ai", None, None, None, "AI Assistant"),
    ("direct", "anything", "organic", None, "Organic Search"),
    ("direct", "bing", None, None, "Organic Search"),
    ("search", None, None, None, "Organic Search"),
    ("direct", "e-mail", "spring", None, "Email"),
    ("direct", "newsletter", "Email ", None, "Email"),
    ("email", None, None, None, "Email"),
    ("direct", "partner", "affiliate", None, "Affiliates"),
    ("direct", "podcast", "audio", None, "Audio"),
    ("direct", "sms", "text", None, "SMS"),
    ("direct", "texts", "sms", None, "SMS"),
    ("direct", "app", "web-push", None, "Mobile Push Notifications"),
    ("direct", "firebase", "notice", None, "Mobile Push Notifications"),
    ("direct", "partner", "link", None, "Referral"),
    ("referral", None, None, None, "Referral"),
    ("unknown", None, None, None, "Unassigned"),
    ("direct", "news", "web", None, "Unassigned"),
]
TRAPS: list[tuple[str, str | None, str | None, str | None, str]] = [
    ("direct", "news", "cpm", None, "Display"),  # not Paid Other, whose pattern takes it too
    ("direct", "google", "cpm", None, "Paid Search"),  # the first that matches
    ("direct", "news", "web", "workshop", "Unassigned"),  # no shop
    ("direct", "news", "mcp", None, "Unassigned"),  # nothing paid for
    ("direct", "news", "cpanel", None, "Unassigned"),
    ("direct", "news", "google-cpc", None, "Paid Other"),
    ("search", "newsletter", "email", None, "Email"),  # what the address says comes before the referrer
    ("social", "newsletter", "email", None, "Email"),
    ("direct", "xing", None, None, "Unassigned"),  # not x
    ("direct", "x.acme.io", None, None, "Unassigned"),
    ("direct", "ask.acme.com", None, None, "Unassigned"),
    ("direct", "news", "a\nvideo", None, "Organic Video"),
]


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": "2"}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_views(connection, {})
        yield connection


@pytest.mark.parametrize(("referrer", "source", "medium", "campaign", "channel"), CASES + TRAPS)
def test_channels(
    engine: duckdb.DuckDBPyConnection,
    referrer: str,
    source: str | None,
    medium: str | None,
    campaign: str | None,
    channel: str,
) -> None:
    start = STARTS[0]
    (row,) = rows_of([Act("1", start, "c-1", "agent", "page", "GET", None, None, None)]).to_pylist()
    row |= {"referrer_medium": referrer, "utm_source": source, "utm_medium": medium, "utm_campaign": campaign}
    put(engine, "requests", pa.Table.from_pylist([row], schema=TABLES["requests"].file_schema.remove_metadata()))
    put(engine, "identifier_links", TABLES["identifier_links"].file_schema.empty_table())
    put(engine, "acts", run_model(engine, "acts", start.date(), start.date()))
    assert run_model(engine, "visits", start.date(), start.date())["channel"].to_pylist() == [channel]


def test_every_rule_has_a_case_that_only_it_takes_first(engine: duckdb.DuckDBPyConnection) -> None:
    """Each row of the relation is the first that matches some case."""
    engine.register("channel_rules", channel_rules())
    firsts = set()
    for referrer, *told, _ in CASES:
        source, medium, campaign = ((text or "").strip().lower() for text in told)
        (first,) = engine.execute(
            """
            select min(rank) from channel_rules
            where (referrer is null or referrer = $referrer)
                and (source is null or regexp_matches($source, source))
                and (medium is null or regexp_matches($medium, medium))
                and (campaign is null or regexp_matches($campaign, campaign))
            """,
            {"referrer": referrer, "source": source, "medium": medium, "campaign": campaign},
        ).fetchall()[0]
        firsts.add(first)
    rules = {row["rank"]: row for row in channel_rules().to_pylist()}
    assert [rules[rank] for rank in sorted(rules.keys() - firsts)] == []
