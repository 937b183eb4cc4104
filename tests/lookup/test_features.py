"""What a user did, in the service's own words, beside the same counted act by act."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import duckdb
import pytest

from pipeline.features import catalogue_of
from pipeline.lookup import open_scope, user_story, visit_story
from pipeline.lookup.rows import Row, rows
from tests.conftest import Demo


@pytest.fixture(scope="module")
def scope(demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_scope(demo.settings) as connection:
        yield connection


def _key(act: Row) -> tuple[str, str, str, str | None, str | None, int]:
    return act["method"], act["host"], act["route"], act["event"], act["event_label"], act["status"]


def test_features_of_a_user_are_those_of_their_acts(demo: Demo, scope: duckdb.DuckDBPyConnection) -> None:
    catalogue = catalogue_of(demo.settings)
    title = {feature.name: feature.title for feature in catalogue.features}
    asked = rows(
        scope,
        "select user_id from visits where user_id is not null and server_errors > 0"
        " group by user_id order by count(*) desc, user_id limit 5",
    )
    for user in asked:
        story = user_story(scope, user["user_id"], 4, catalogue)
        assert story
        visits = [visit["visit_id"] for visit in story["visits_last"]]
        acts = rows(scope, "from clickstream where user_id = $user_id", user)
        acts = [act for act in acts if act["visit_id"] in visits]
        uses = Counter(name for act in acts for name in catalogue.features_of(*_key(act)))
        failed = Counter(name for act in acts if act["status"] >= 400 for name in catalogue.features_of(*_key(act)))
        assert uses
        assert {row["feature"]: row["uses"] for row in story["features"]} == uses
        assert {row["feature"]: row["errors"] for row in story["features"] if row["errors"]} == failed
        for visit in story["visits_last"]:
            own = [act for act in acts if act["visit_id"] == visit["visit_id"]]
            assert set(visit["features"]) == {title[name] for act in own for name in catalogue.features_of(*_key(act))}
            told = visit_story(scope, visit["visit_id"], catalogue)
            assert told
            for act in told["acts_in_order"]:
                assert act["features"] == [title[name] for name in catalogue.features_of(*_key(act))]


def test_without_a_catalogue_there_are_no_features(scope: duckdb.DuckDBPyConnection) -> None:
    (user,) = rows(scope, "select user_id from user_lookup where visits > 0 order by user_id limit 1")
    story = user_story(scope, user["user_id"])
    assert story
    assert story["features"] == []
    assert all(visit["features"] == [] for visit in story["visits_last"])
