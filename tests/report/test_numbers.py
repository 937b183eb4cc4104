"""The page of the demo says what the tables say, and names nobody."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from typing import Any

import duckdb
import pytest

from pipeline.features import catalogue_of
from pipeline.lookup.rows import rows
from pipeline.product import funnel, retention
from pipeline.product.candidates import candidates
from pipeline.report import Week
from pipeline.report.words import duration, interval, part, people, points, reason
from tests.conftest import Demo
from tests.report.pages import Page, page_of

WEEK = Week(date(2026, 3, 9))
IN_WEEK, BEFORE = "between '2026-03-09' and '2026-03-15'", "between '2026-03-02' and '2026-03-08'"


@pytest.fixture(scope="module")
def page(demo: Demo) -> Page:
    return page_of(demo.settings)


def one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    (found,) = connection.execute(query).fetchall()
    return tuple(found)


def said(*values: Any) -> list[str]:
    return [people(value) for value in values]


def read(text: str) -> str:
    """A text as it is read: a gap that does not break is a gap."""
    return text.replace("\xa0", " ")


def test_users_are_those_of_the_tables(page: Page, demo_tables: duckdb.DuckDBPyConnection) -> None:
    assert page.headings[0] == (1, "Week of 9 to 15 March 2026")
    weekly = "select weekly_users from active_users where scope = 'all' and feature is null and date = "
    active, before = (one(demo_tables, f"{weekly}'{day}'")[0] for day in (WEEK.last, WEEK.before.last))
    distinct = one(demo_tables, f"select count(distinct user_id) from user_days where not is_bot and date {IN_WEEK}")
    assert distinct == (active,)
    groups = one(
        demo_tables,
        """
        select new_users, returning_users, resurrected_users, dormant_users
        from lifecycle
        where unit = 'week' and scope = 'all' and feature is null and period_at = '2026-03-09'
        """,
    )
    shown = page.table("Users, each counted once")
    assert shown["All did anything"][:2] == said(active, before)
    assert [row[0] for row in list(shown.values())[1:5]] == said(*groups)
    assert [row[1] for row in list(shown.values())[1:5]] == ["unknown"] * 4, "the log's first week knows nobody before"
    assert shown["In 28 days did anything in the 28 days up to Sunday"] == ["unknown"] * 3


def test_each_day_is_told_in_words_too(page: Page, demo_tables: duckdb.DuckDBPyConnection) -> None:
    daily = dict(
        demo_tables.execute(
            "select date, daily_users from active_users where scope = 'all' and feature is null"
        ).fetchall()
    )
    (chart,) = [attributes["aria-label"] for tag, attributes in page.tags if attributes.get("role") == "img"]
    assert chart == "Users of each day. " + "; ".join(
        f"{day:%A} {people(daily[day])}, week before {people(daily[was])}"
        for day, was in zip(WEEK.days, WEEK.before.days, strict=True)
    )


def test_visits_and_their_known_lengths_are_those_of_the_table(
    page: Page, demo_tables: duckdb.DuckDBPyConnection
) -> None:
    shown = page.table("Visits of people")
    for column, days in ((0, IN_WEEK), (1, BEFORE)):
        visits, known, mean = one(
            demo_tables,
            f"select count(*), count(length_s), avg(length_s) from visits where not is_bot and date {days}",
        )
        assert 0 < known < visits
        told = [row[column] for row in shown.values()]
        assert (told[0], told[2], told[3]) == (f"{visits:,}", f"{known:,}", read(duration(mean)))
    bots = one(demo_tables, f"select count(*) from visits where is_bot and date {IN_WEEK}")[0]
    assert f"{bots:,} visits of bots are left out" in page.shown


def test_ranks_scores_and_what_to_do_are_those_of_the_tables(
    page: Page, demo_tables: duckdb.DuckDBPyConnection, demo: Demo
) -> None:
    scores = {(row["feature"], row["measure"]): row for row in rows(demo_tables, "from feature_scores")}
    places = [row["rank"] for (_, measure), row in scores.items() if measure == "score"]
    (table,) = page.all_rows("Features by rank")
    shown = {row[1]: row for row in table}
    for name, title in catalogue_of(demo.settings).titles.items():
        score, reach, trend = (scores[name, measure] for measure in ("score", "reach", "trend"))
        rank, _, habit, used, change = shown[title]
        assert rank.startswith(str(score["rank"] or "unknown"))
        assert habit == read(interval(score))
        assert read(interval(reach)) in used
        assert points(trend) in change
        if score["rank"] is not None and score["rank_at_best"] != score["rank_at_worst"]:
            assert rank.endswith(f" {score['rank_at_best']} to {score['rank_at_worst']}")
        assert ("shared" in rank) == (score["rank"] is not None and places.count(score["rank"]) > 1)
    proposed = candidates(demo_tables).to_arrow_table().to_pylist()
    assert proposed
    for row in proposed:
        assert f"{row['reason']}." in page.shown


def test_funnels_are_those_of_the_week(page: Page, demo_tables: duckdb.DuckDBPyConnection, demo: Demo) -> None:
    (table,) = [rows[1:] for rows in page.all_rows("Who reached each step") if len(rows) == 4]
    asked = (
        funnel(demo_tables, ["sign-in", "clients", "notes"], first=of.first, last=of.last, settings=demo.settings)
        for of in (WEEK, WEEK.before)
    )
    now, before = ([steps[0] for steps in one_week.project("entered").fetchall()] for one_week in asked)
    assert now != before
    assert [row[2:4] for row in table] == [
        [read(f"{people(count)} {part(count, of[0])}") for count, of in ((reached, now), (was, before))]
        for reached, was in zip(now, before, strict=True)
    ]


def test_who_stays_is_as_the_function_says(page: Page, demo_tables: duckdb.DuckDBPyConnection) -> None:
    asked = retention(demo_tables).filter("cohort_at = date '2026-03-02' and later = 1")
    ((users, again),) = asked.project("cohort_users, recurring_users").fetchall()
    ((first_seen, shown),) = page.table("Users by the week").items()
    assert first_seen.startswith("2 to 8 March 2026")
    assert shown == [people(users), read(f"{part(again, users)} {people(again)}")]


def test_trouble_is_as_the_table_says(page: Page, demo_tables: duckdb.DuckDBPyConnection) -> None:
    errors, uses = one(
        demo_tables, f"select sum(errors), sum(uses) from friction where feature = 'clients' and date {IN_WEEK}"
    )
    users = one(
        demo_tables,
        "select count(distinct user_id) from feature_days "
        f"where feature = 'clients' and errors > 0 and user_id is not null and date {IN_WEEK}",
    )[0]
    shown = page.table("Users whom the use of a feature went wrong for")["Clients"]
    assert shown[0].split()[0] == f"{users:,}"
    assert shown[2] == f"{errors:,} of {uses:,}"


def test_what_was_read_is_as_the_ledger_says(page: Page, demo_tables: duckdb.DuckDBPyConnection) -> None:
    kinds = ("read", "kept", "rejected", "duplicate", "blank")
    counts = one(demo_tables, f"select {', '.join(f'sum(lines_{kind})' for kind in kinds)} from ingested_files")
    shown = page.table("Every line ever read")
    assert [row[0] for row in shown.values()] == [f"{count:,}" for count in counts]
    for code, number in demo_tables.execute("select reason, count(*) from rejected_lines group by reason").fetchall():
        assert f"{number}: {reason(code)}" in page.shown
    kept = one(demo_tables, f"select count(*) from raw_requests where date {IN_WEEK}")[0]
    assert f"{kept:,} requests of this week are kept" in page.shown


def test_nobody_is_in_it(page: Page, demo_tables: duckdb.DuckDBPyConnection) -> None:
    everything = page.text
    people_known = rows(demo_tables, "select user_id, name, email from users")
    assert len(people_known) > 50
    named = {str(value) for row in people_known for value in row.values() if value}
    named |= {row["name"] for row in rows(demo_tables, "select name from businesses")}
    ids = "select distinct visitor_id from visits union all select distinct visit_id from visits"
    named |= {row["visitor_id"] for row in rows(demo_tables, ids) if row["visitor_id"]}
    named |= {row["ip"] for row in rows(demo_tables, "select distinct ip from requests") if row["ip"]}
    found = {name for name in named if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", everything)}
    assert found == set()
    assert "@" not in page.shown


def test_headings_are_in_order_tables_have_captions_and_scopes(page: Page) -> None:
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(next_one <= level + 1 for level, next_one in pairwise(levels))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("caption") == tags.count("table") > 6
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in page.tags if tag == "th")
    drawn = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawn) > 10
    assert all(one.get("aria-hidden") == "true" or (one["role"] == "img" and one["aria-label"]) for one in drawn)


def test_it_fetches_nothing_and_runs_nothing(page: Page) -> None:
    names = [(tag, name, value) for tag, attributes in page.tags for name, value in attributes.items()]
    assert [found for found in names if found[1] in ("src", "srcset", "data", "action", "background", "style")] == []
    assert [value for _, name, value in names if name == "href" and not (value or "").startswith("data:")] == []
    assert "http:" not in page.text
    assert "https:" not in page.text
    assert "url(" not in page.text
    assert "@import" not in page.text
    assert not {"script", "iframe", "object", "embed", "form"} & {tag for tag, _ in page.tags}


def test_a_week_is_told_of_its_own_days_whatever_comes_after_it(
    demo: Demo, demo_tables: duckdb.DuckDBPyConnection
) -> None:
    """Scores of the week before the last one are of its own days, though the log goes on."""
    earlier = page_of(demo.settings, date(2026, 3, 8))
    assert earlier.headings[0] == (1, "Week of 2 to 8 March 2026")
    assert "what was then is unknown" in earlier.shown
    used = one(
        demo_tables, f"select count(distinct user_id) from feature_days where feature = 'clients' and date {BEFORE}"
    )
    (table,) = earlier.all_rows("Features by rank")
    (shown,) = [row[3] for row in table if row[1] == "Clients"]
    assert shown.split()[0] == f"{used[0]:,}"
