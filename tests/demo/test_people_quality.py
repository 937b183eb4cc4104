"""The table of how well people are told apart: rules link nobody wrongly, and a wrong link shows in it."""

from __future__ import annotations

import duckdb

from tests.benchmarks.people_quality import Quality, measure, table
from tests.conftest import Demo

BY_GUESS = "guest at home"  # what no rule over address and user agent can know


def shares(found: list[Quality]) -> dict[str | None, tuple[float | None, ...]]:
    return {row.scenario: row.shares for row in found}


def test_rules_link_nobody_wrongly_and_cut_visits_of_known_people_exactly(
    demo: Demo, demo_tables: duckdb.DuckDBPyConnection
) -> None:
    found = measure(demo_tables, demo.paths.truth)
    by_scenario = shares(found)
    assert {row.scenario for row in found if row.linked and row.shares[0] != 1} == {BY_GUESS, None}
    for scenario in ("home", "office", "several devices", "before login", "internal area"):
        assert by_scenario[scenario] == (1, 1, 1, 1), scenario
    for scenario in ("family tablet", "changing networks", "two businesses", "exact gaps", "over midnight"):
        assert by_scenario[scenario][2:] == (1, 1), scenario
    for scenario in ("front desk", "cookies refused"):
        assert by_scenario[scenario][:2] == (None, 0), scenario
    assert "| all |" in table(found)


def test_a_wrong_link_and_a_wrong_cut_show(demo: Demo, demo_tables: duckdb.DuckDBPyConnection) -> None:
    demo_tables.execute(
        """
        create temp table broken as
        select * replace (
            case when linked_by = 'visitor_cookie' then 'u0' else user_id end as user_id,
            case when visit_seq = 2 then 1 else visit_seq end as visit_seq)
        from clickstream
        """
    )
    demo_tables.execute("create or replace temp view clickstream as from broken")
    broken = shares(measure(demo_tables, demo.paths.truth))
    precision, _, starts, _ = broken["before login"]
    assert precision is not None
    assert starts is not None
    assert precision < 1
    assert starts < 1
