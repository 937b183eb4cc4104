"""Visits and links against a plain reading of the definitions over the whole history at once, by random histories."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.demo.events import Event
from pipeline.demo.truth import know, visits_of
from pipeline.models import run_model
from pipeline.schemas import TABLES
from pipeline.warehouse.views import create_views

START = datetime(2026, 3, 2, tzinfo=UTC)
HALF_HOUR_MS = 1_800_000
DAYS = 5

STEPS = st.one_of(
    st.sampled_from([0, 1, HALF_HOUR_MS - 1, HALF_HOUR_MS, HALF_HOUR_MS + 1, 4 * HALF_HOUR_MS]),
    st.integers(1, 2 * HALF_HOUR_MS),
)
ACTS = st.tuples(
    STEPS,
    st.sampled_from(["a", "b", ""]),  # the cookie
    st.sampled_from([("u1", "b1"), ("u1", "b2"), ("u2", "b1"), (None, None), (None, None), (None, None)]),
    st.sampled_from(["ip1", "ip2"]),
)
POLLERS = st.lists(st.tuples(st.sampled_from(["a", ""]), st.integers(0, 30), st.integers(20, 80)), max_size=2)


def history(acts: list[Any], pollers: list[Any]) -> list[Event]:
    """Turn drawn steps into events; pollers ask every 29 minutes, for days."""
    events, at = [], round((START + timedelta(hours=20)).timestamp() * 1000)
    for step, cookie, (user, business), ip in acts:
        at += step
        events.append(Event(at, "web", ip, "agent", "GET", "/x", cookie=cookie, user_id=user, business_id=business))
    for cookie, hour, count in pollers:
        first = round((START + timedelta(hours=hour)).timestamp() * 1000)
        for number in range(count):
            moment = first + number * 29 * 60_000
            known = ("u1", "b1") if number % 7 == 0 else (None, None)
            events.append(
                Event(moment, "web", "ip1", "agent", "GET", "/p", cookie=cookie, user_id=known[0], business_id=known[1])
            )
    # One act an instant and visitor: the order of ties is the models' own and changes no sum.
    return list({(event.at_ms, event.cookie, event.ip): event for event in events}.values())


def requests_table(events: list[Event]) -> pa.Table:
    rows = []
    for number, event in enumerate(events):
        moment = datetime.fromtimestamp(event.at_ms / 1000, UTC)
        rows.append(
            {
                "date": moment.date(),
                "request_id": f"{moment:%Y%m%d}-{number:016x}",
                "occurred_at": moment,
                "visitor_id": f"c-{event.cookie}" if event.cookie else f"h-{event.ip}",
                "user_agent": event.user_agent,
                "user_id": event.user_id,
                "business_id": event.business_id,
                "method": "GET",
                "kind": "page",
                "path": event.target,
                "status": 200,
                "is_bot": False,
                "referrer_medium": "direct",
            }
        )
    return pa.Table.from_pylist(rows, schema=TABLES["requests"].file_schema)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": "2"}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_views(connection, {})
        yield connection


def put(engine: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    engine.register(f"{name}_rows", table)
    engine.execute(f"create or replace view {name} as select * from {name}_rows")


def build(engine: duckdb.DuckDBPyConnection, events: list[Event], ranges: list[tuple[date, date]]) -> dict[str, Any]:
    """Build the tables range by range."""
    put(engine, "requests", requests_table(events))
    last = START.date() + timedelta(days=DAYS)
    put(engine, "identifier_days", run_model(engine, "identifier_days", START.date(), last))
    put(engine, "user_links", run_model(engine, "user_links"))
    for name in ("acts", "clickstream", "visits"):
        parts = [run_model(engine, name, first, end) for first, end in ranges]
        put(engine, name, pa.concat_tables(parts))
    return {
        name: sorted(engine.execute(f"from {name}").fetchall(), key=repr) for name in ("acts", "clickstream", "visits")
    }


@settings(max_examples=15, deadline=None)
@given(acts=st.lists(ACTS, max_size=25), pollers=POLLERS)
def test_days_alone_equal_the_whole_history(
    engine: duckdb.DuckDBPyConnection, acts: list[Any], pollers: list[Any]
) -> None:
    events = history(acts, pollers)
    days = [START.date() + timedelta(days=number) for number in range(DAYS)]
    at_once = build(engine, events, [(days[0], days[-1])])
    assert build(engine, events, [(day, day) for day in reversed(days)]) == at_once
    true = [
        (visit.user_id, visit.business_id, visit.acts[0].at_ms, visit.acts[-1].at_ms, len(visit.acts))
        for visit in visits_of(know(events, []))
    ]
    ours = engine.execute(
        """
        select user_id, business_id, epoch_ms(started_at), epoch_ms(ended_at), requests
        from visits where user_id is not null
        """
    ).fetchall()
    assert sorted(ours, key=repr) == sorted(true, key=repr)


CHANNELS = [
    ("direct", None, None, None, "Direct"),
    ("search", None, None, None, "Organic Search"),
    ("social", None, None, None, "Organic Social"),
    ("ai", None, None, None, "AI Assistant"),
    ("email", None, None, None, "Email"),
    ("referral", None, None, None, "Referral"),
    ("paid", "google", "cpc", None, "Paid Search"),
    ("paid", None, None, None, "Paid Search"),
    ("paid", "facebook", "paid_social", None, "Paid Social"),
    ("paid", "youtube", "ppc", None, "Paid Video"),
    ("paid", "anywhere", "cpm", None, "Display"),
    ("direct", "anywhere", "banner", None, "Display"),
    ("direct", "anywhere", "mcp", None, "Paid Other"),
    ("direct", "shopify", "cpc", None, "Paid Shopping"),
    ("direct", "news", "web", "spring-shopping", "Organic Shopping"),
    ("direct", "news", "web", "workshop", "Unassigned"),
    ("direct", "news", "web", "x-cross-network", "Cross-network"),
    ("direct", "newsletter", "email", None, "Email"),
    ("direct", "partner", "affiliate", None, "Affiliates"),
    ("direct", "texts", "sms", None, "SMS"),
    ("direct", "pod", "audio", None, "Audio"),
    ("direct", "app", "web-push", None, "Mobile Push Notifications"),
    ("direct", "vlog", "online-video", None, "Organic Video"),
]


@pytest.mark.parametrize(("medium", "source", "utm_medium", "campaign", "channel"), CHANNELS)
def test_channels(
    engine: duckdb.DuckDBPyConnection,
    medium: str,
    source: str | None,
    utm_medium: str | None,
    campaign: str | None,
    channel: str,
) -> None:
    rows = requests_table(history([(0, "a", (None, None), "ip1")], [])).to_pylist()
    rows[0] |= {"referrer_medium": medium, "utm_source": source, "utm_medium": utm_medium, "utm_campaign": campaign}
    put(engine, "requests", pa.Table.from_pylist(rows, schema=TABLES["requests"].file_schema))
    for name in ("identifier_days", "user_links"):
        put(engine, name, TABLES[name].file_schema.empty_table())
    put(engine, "acts", run_model(engine, "acts", START.date(), START.date()))
    assert run_model(engine, "visits", START.date(), START.date())["channel"].to_pylist() == [channel]


def test_one_act_has_no_known_length(engine: duckdb.DuckDBPyConnection) -> None:
    build(engine, history([(0, "a", ("u1", "b1"), "ip1")], []), [(START.date(), START.date())])
    found = engine.execute("select length_s, length_basis, observed_s, is_bounce, requests from visits").fetchall()
    assert found == [(None, "unknown", 0.0, True, 1)]
