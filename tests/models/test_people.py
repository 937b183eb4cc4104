"""Whose acts are, and visits, against the oracle, on random histories: day by day, at once, in any time zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline import models
from pipeline.models import run_model
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse.views import create_views
from tests.models.oracle import Act, Owner, Said, Told, tell
from tests.models.people_histories import DAYS, STARTS, history, mailboxes, said_of

SIDE_BY_SIDE = 40
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "America/New_York", "Asia/Kolkata")
SEEDS = st.lists(st.integers(0, 2**32), min_size=SIDE_BY_SIDE, max_size=SIDE_BY_SIDE)
SHARED_USERS = st.integers(1, 3)
# A failing history is named by its number; to make forty smaller takes longer than to read one.
IN_MANY = hypothesis_settings(
    deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,)
)


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": "2"}) as connection:
        create_views(connection, {})
        yield connection


def put(engine: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    engine.register(f"{name}_rows", table)
    engine.execute(f"create or replace view {name} as select * from {name}_rows")


def rows_of(acts: list[Act]) -> pa.Table:
    columns = {
        "date": [act.at.date() for act in acts],
        "request_id": [act.request_id for act in acts],
        "occurred_at": [act.at for act in acts],
        "visitor_id": [act.visitor for act in acts],
        "user_agent": [act.agent for act in acts],
        "kind": [act.kind for act in acts],
        "method": [act.method for act in acts],
        "user_id": [act.user for act in acts],
        "business_id": [act.business for act in acts],
        "identifier": [act.login for act in acts],
    }
    schema = TABLES["requests"].file_schema.remove_metadata()
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(len(acts), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def build(
    engine: duckdb.DuckDBPyConnection, acts: list[Act], days: list[date], at_once: bool, shared_users: int
) -> None:
    """Build all tables of histories: by day, the last first, or at once."""
    put(engine, "requests", rows_of(acts))
    put(engine, "identifier_days", run_model(engine, "identifier_days", days[0], days[-1]))
    put(engine, "identifier_links", run_model(engine, "identifier_links", settings=Settings(shared_users=shared_users)))
    ranges = [(days[0], days[-1])] if at_once else [(day, day) for day in reversed(days)]
    for name in ("acts", "clickstream", "visits"):
        put(engine, name, pa.concat_tables([run_model(engine, name, *each) for each in ranges]))


def found(engine: duckdb.DuckDBPyConnection) -> dict[str, Told]:
    """What `clickstream` says of each act; a visit is named by its first act."""
    rows = engine.execute(
        """
        select request_id, user_id, business_id, linked_by,
            first_value(request_id) over (partition by visit_id order by visit_seq), visit_seq, seconds_to_next
        from clickstream
        """
    ).fetchall()
    return {request_id: Told(Owner(*told[:3]), *told[3:]) for request_id, *told in rows}


def visits(engine: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    columns = "date, visit_id, user_id, business_id, epoch_us(started_at), epoch_us(ended_at), length_s, requests"
    return sorted(engine.execute(f"select {columns} from visits").fetchall(), key=repr)


def visits_told(acts: list[Act], told: dict[str, Told]) -> list[tuple[Any, ...]]:
    """The visits that the oracle's acts make: day, whose, from when to when, how long as far as is known, how many."""
    by_id = {act.request_id: act for act in acts}
    visits: dict[str, list[str]] = {}
    for request_id, what in told.items():
        visits.setdefault(what.first_act, []).append(request_id)
    rows = []
    for first, members in visits.items():
        start, end = by_id[first].at, max(by_id[member].at for member in members)
        seconds = (end - start).total_seconds() if len(members) > 1 else None
        owner = told[first].owner
        rows.append((start.date(), owner.user, owner.business, _us(start), _us(end), seconds, len(members)))
    return sorted(rows, key=repr)


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def put_words(engine: duckdb.DuckDBPyConnection, words: list[Said]) -> None:
    kinds = {"c": "visitor", "h": "address", "g": "login"}
    rows = [
        {
            "identifier_kind": kinds[word.identifier[0]],
            "identifier": word.identifier,
            "user_id": word.user,
            "verdict": "add" if word.is_theirs else "remove",
            "business_id": word.business,
            "valid_from": word.start,
            "valid_to": word.end,
        }
        for word in words
    ]
    schema = TABLES["link_corrections"].file_schema.remove_metadata()
    put(engine, "link_corrections", pa.Table.from_pylist(rows, schema=schema))


def difference(engine: duckdb.DuckDBPyConnection, seeds: list[int], start: datetime, shared_users: int = 5) -> str:
    """Build histories day by day and at once; say what differs, from each other or from the oracle."""
    histories = [history(number, seed, start) for number, seed in enumerate(seeds)]
    acts = [act for acts in histories for act in acts]
    if not acts:
        return ""
    directory = [(user, email) for number in range(len(seeds)) for email, user in mailboxes(number).items()]
    users = TABLES["users"].file_schema.remove_metadata()
    rows = [{"user_id": user, "email": email} for user, email in directory]
    put(engine, "users", pa.Table.from_pylist(rows, schema=users))
    said = [said_of(number, seed, start) for number, seed in enumerate(seeds)]
    put_words(engine, [word for words in said for word in words])
    days = [start.date() + timedelta(days=number) for number in range(DAYS)]
    build(engine, acts, days, True, shared_users)
    at_once, visits_at_once = found(engine), visits(engine)
    build(engine, acts, days, False, shared_users)
    if (found(engine), visits(engine)) != (at_once, visits_at_once):
        return "day by day gives other rows than at once"
    told = {
        name: what
        for number, mine in enumerate(histories)
        for name, what in tell(mine, mailboxes(number), said[number], shared_users).items()
    }
    wrong = {name: (told[name], at_once.get(name)) for name in told if told[name] != at_once.get(name)}
    if wrong:
        name = min(wrong)
        return f"seed {seeds[int(name[9:17], 16)]}, start {start}: {name}: {wrong[name]}"
    ours = [(row[0], *row[2:]) for row in visits_at_once]
    return "" if sorted(ours, key=repr) == visits_told(acts, told) else "visits are not those of their acts"


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("start", STARTS, ids=lambda start: f"{start:%Y-%m-%d}")
def test_any_history_gives_what_the_definitions_say(
    engine: duckdb.DuckDBPyConnection, start: datetime, zone: str
) -> None:
    """720 histories in all."""
    engine.execute(f"set TimeZone = '{zone}'")

    @hypothesis_settings(IN_MANY, max_examples=2, derandomize=True)
    @given(seeds=SEEDS, shared_users=SHARED_USERS)
    def check(seeds: list[int], shared_users: int) -> None:
        assert not difference(engine, seeds, start, shared_users)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("start", STARTS, ids=lambda start: f"{start:%Y-%m-%d}")
def test_any_of_20_000_histories_does(engine: duckdb.DuckDBPyConnection, start: datetime, zone: str) -> None:
    engine.execute(f"set TimeZone = '{zone}'")

    @hypothesis_settings(IN_MANY, max_examples=56)
    @given(seeds=SEEDS, shared_users=SHARED_USERS)
    def check(seeds: list[int], shared_users: int) -> None:
        assert not difference(engine, seeds, start, shared_users)

    check()


@pytest.mark.parametrize(
    ("model", "right", "wrong"),
    [
        ("visit_acts", "previous_at > interval 30 minutes", "previous_at > interval 1801 seconds"),
        ("visit_acts", "previous_at > interval 30 minutes", "previous_at >= interval 30 minutes"),
        ("acts", "previous_at > interval 30 minutes", "previous_at > interval 1801 seconds"),
        ("visit_acts", "and full_days.date is not null then true", "then true"),
        ("visit_acts", "and full_days.date is not null then true", "and full_days.date is not null then false"),
        ("acts", "and full_days.date is not null then 1", "and full_days.date is not null then 0"),
        ("visit_acts", "interval 1410 minutes", "interval 1411 minutes"),
        ("acts", "and shared_visitors.identifier is null", ""),
        ("acts", "and removed_links.identifier is null", ""),
        ("acts", "raw_acts.occurred_at <= visitor_said.valid_to", "raw_acts.occurred_at < visitor_said.valid_to"),
        ("acts", "login_said.user_id, visitor_said.user_id, login", "login_links.user_id, visitor_said.user_id, login"),
        ("identifier_links", "<= $shared_users", "< $shared_users"),
        ("identifier_links", "then 1 else $shared_users", "then 2 else $shared_users"),
        ("identifier_links", "from said\n    where identifier_kind = 'visitor'", "from said\n    where false"),
        ("identifier_links", "and removed.user_id = named_logins.user_id\n    where", "and false where"),
    ],
)
def test_a_wrong_rule_is_seen(
    engine: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, model: str, right: str, wrong: str
) -> None:
    true = models.load_model(model)
    assert right in true.sql
    broken = models.Model(true.name, true.what, true.grain, true.key, true.inputs, true.sql.replace(right, wrong))
    load = models.load_model
    monkeypatch.setattr(models, "load_model", lambda name: broken if name == model else load(name))
    turns = (list(range(turn, turn + SIDE_BY_SIDE)) for turn in range(0, 600, SIDE_BY_SIDE))
    assert any(difference(engine, seeds, STARTS[0], shared_users=2) for seeds in turns)
