"""The tables against the demo's truth: every request, every visit of a known user, nobody named wrongly."""

from __future__ import annotations

import duckdb
import pyarrow.parquet as pq
import pytest

from pipeline.demo import DemoPaths
from tests.conftest import Demo

KEY = "source, occurred_at, ip, coalesce(user_agent, '') as user_agent, method, target, status"
LOGGED = """
    select *, case when method is null then null else path || coalesce('?' || query, '') end as target
    from requests
"""


def test_every_request_is_there_once(demo_tables: duckdb.DuckDBPyConnection) -> None:
    """Requests whose target the web server escaped are compared by count, all others field by field."""
    plain = "method is not null and not contains(target, '\\') and not contains(target, ' ')"
    ours = f"select {KEY} from ({LOGGED}) where {plain}"
    true = f"select {KEY} from true_requests where {plain}"
    missing = demo_tables.execute(f"select count(*) from (({true}) except all ({ours}))").fetchone()
    surplus = demo_tables.execute(f"select count(*) from (({ours}) except all ({true}))").fetchone()
    assert (missing, surplus) == ((0,), (0,))
    total = demo_tables.execute(
        "select (select count(*) from requests), (select count(*) from true_requests)"
    ).fetchone()
    assert total is not None
    assert total[0] == total[1]


def test_nobody_is_named_wrongly_and_nobody_left_out(demo_tables: duckdb.DuckDBPyConnection) -> None:
    """A person's requests at one instant from one place are one person's: the key tells who."""
    wrong = demo_tables.execute(
        """
        select clickstream.user_id, truth.true_user, truth.known_user, truth.scenario, clickstream.path
        from clickstream
        inner join requests using (date, request_id)
        inner join true_requests as truth
            on truth.source = requests.source and truth.occurred_at = requests.occurred_at and truth.ip = requests.ip
            and truth.method = requests.method and truth.status = requests.status
            and truth.target = requests.path || coalesce('?' || requests.query, '')
            and truth.user_agent = coalesce(requests.user_agent, '')
        where truth.scenario <> 'bots'
            and (clickstream.user_id is distinct from truth.known_user
                or clickstream.business_id is distinct from truth.known_business
                or (clickstream.user_id is not null and clickstream.user_id <> truth.true_user))
        """
    ).fetchall()
    assert wrong == []


def test_visits_of_known_users_are_the_true_ones(demo_tables: duckdb.DuckDBPyConnection) -> None:
    columns = "user_id, business_id, started_at, ended_at, requests, page_views, errors, server_errors"
    ours = f"select {columns} from visits where user_id is not null"
    true = f"select {columns} from true_visits"
    assert demo_tables.execute(f"({true}) except all ({ours})").fetchall() == []
    assert demo_tables.execute(f"({ours}) except all ({true})").fetchall() == []
    assert demo_tables.execute("select count(*) > 500 from true_visits").fetchone() == (True,)


def test_files_add_up_with_what_was_delivered(demo_tables: duckdb.DuckDBPyConnection) -> None:
    different = demo_tables.execute(
        """
        select path, true_files.lines, lines_read, broken, lines_rejected, true_files.blank, lines_blank
        from true_files
        full join ingested_files using (path)
        where lines is distinct from lines_read or broken is distinct from lines_rejected
            or blank is distinct from lines_blank
        """
    ).fetchall()
    assert different == []
    copies = demo_tables.execute(
        "select (select sum(copies) from true_files), (select sum(lines_duplicate) from ingested_files)"
    ).fetchone()
    assert copies is not None
    assert copies[0] == copies[1] > 0


def test_rules_never_name_somebody_else(demo: Demo) -> None:
    truth = pq.read_table(demo.paths.truth / "requests.parquet").to_pandas()
    named = truth[truth.known_user.notna() & (truth.scenario != "guest at home")]
    assert (named.known_user == named.true_user).all()
    linked = named[named.scenario.isin(["before login", "home", "office"])]
    assert len(linked) > 1000


@pytest.mark.parametrize(
    "scenario",
    [
        "office",
        "cookies refused",
        "front desk",
        "family tablet",
        "several devices",
        "before login",
        "over midnight",
        "exact gaps",
        "wall display",
        "changing networks",
        "two businesses",
        "internal area",
        "guest at home",
        "site",
        "bots",
        "health checks",
        "incident",
    ],
)
def test_each_situation_is_there(demo: Demo, scenario: str) -> None:
    assert scenario in pq.read_table(demo.paths.truth / "requests.parquet")["scenario"].to_pylist()


def test_same_seed_same_bytes(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> None:
    from pipeline.demo import make_demo

    again: DemoPaths = make_demo(tmp_path_factory.mktemp("again"), scale=0.05)
    for path in sorted(demo.paths.landing.rglob("*")):
        if path.is_file():
            assert (again.landing / path.relative_to(demo.paths.landing)).read_bytes() == path.read_bytes(), path
