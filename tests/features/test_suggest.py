"""A proposed catalogue: it is one, claims what it says, groups what belongs together, and nothing hostile breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features import Catalogue
from pipeline.features.coverage import feature_use
from pipeline.features.suggest import Suggestion, suggest, write_catalogue
from tests.features.acts import PERIOD, catalogue, clickstream

API = ("/api/", "/rpc/")


def visits(*routes: tuple[str, ...], times: int = 10) -> list[dict[str, Any]]:
    """Make visits, each of some routes, all of them some times."""
    return [
        {"visit_id": f"v{number}-{time}", "user_id": f"u{time}", "route": route}
        for number, of_one in enumerate(routes)
        for time in range(times)
        for route in of_one
    ]


def proposed(*acts: Mapping[str, Any]) -> Suggestion:
    with clickstream(*acts) as connection:
        return suggest(connection, API, PERIOD)


def grouped(*acts: Mapping[str, Any]) -> dict[str, set[str | None]]:
    return {one.name: {said.route or said.event for said in one.patterns} for one in proposed(*acts).features}


def test_routes_are_grouped_by_their_first_word_and_the_one_after_a_variable() -> None:
    routes = (
        "/",
        "/clients",
        "/clients/new",
        "/clients/{id}",
        "/clients/{id}/notes/{id}",
        "/clients/{id}/notes/drafts",
        "/api/v2/clients/{uuid}",
        "/api/",
        "/blog/{slug}",
        "/invoices/{id}.pdf",
    )
    assert grouped(*visits(*((route,) for route in routes))) == {
        "home": {"/"},
        "api": {"/api/"},
        "clients": {"/clients", "/clients/new", "/clients/{id}", "/api/v2/clients/{uuid}"},
        "clients-notes": {"/clients/{id}/notes/{id}", "/clients/{id}/notes/drafts"},
        "blog": {"/blog/{slug}"},
        "invoices": {"/invoices/{id}.pdf"},
    }


def test_what_is_used_in_the_same_visits_is_one_feature() -> None:
    together = visits(("/notes", "/notes", "/api/v1/drafts"), ("/calendar",))
    assert grouped(*together) == {"notes": {"/notes", "/api/v1/drafts"}, "calendar": {"/calendar"}}


def test_what_is_often_used_apart_or_seldom_at_all_is_not() -> None:
    apart = [*visits(("/notes", "/drafts")), *visits((), ("/notes",), times=2)]
    assert set(grouped(*apart)) == {"notes", "drafts"}
    assert set(grouped(*visits(("/notes", "/drafts"), times=4))) == {"notes", "drafts"}


def test_words_of_pages_are_features_and_what_all_pages_report_is_none() -> None:
    event = {"kind": "event", "route": "/trail/event", "user_id": "u"}
    events = [
        event | {"event": name, "event_label": "x"} for name in ("saved", "hide", "view", "click", "*", "a:b", "é\n")
    ]
    assert grouped(*events, event) == {"saved": {"saved"}}
    assert proposed(*events).left_out == 3


def test_bots_and_addresses_that_were_only_guessed_are_left_out() -> None:
    assert grouped(
        {"route": "/probed", "is_bot": True},
        {"route": "/guessed", "status": 404, "user_id": "u"},
        {"route": "/failed", "status": 500},
        {"route": "/logged-without-status", "status": None},
        {"route": "/fine", "status": 304},
        {"route": "/fine", "status": 500},
    ) == {"fine": {"/fine"}, "logged-without-status": {"/logged-without-status"}}


def test_it_is_in_the_order_of_users(tmp_path: Path) -> None:
    text = write_catalogue(proposed(*visits(("/many",), times=6), *visits(("/few", "/few", "/few", "/few"), times=3)))
    assert "[features.many]  # 6 users, 6 uses" in text
    assert '    { route = "/few" },  # 3 users, 12 uses' in text
    assert [one.name for one in catalogue(tmp_path, text).features] == ["many", "few"]


def check_it_claims_what_it_says(folder: Path, acts: list[dict[str, Any]]) -> tuple[Suggestion, Catalogue]:
    with clickstream(*acts) as connection:
        found = suggest(connection, API, PERIOD)
        if not found.features:
            return found, Catalogue(())
        read = catalogue(folder, write_catalogue(found))
        assert [(one.name, one.patterns) for one in read.features] == [
            (one.name, one.patterns) for one in found.features
        ]
        for row in feature_use(connection, read, PERIOD):
            said = found.used[row["feature"]]
            assert (row["users"], row["uses"]) == (said.users, said.uses)
    claimed = [act for act in acts if read.features_of("GET", None, act["route"], status=200)]
    routes = {said.route for one in read.features for said in one.patterns}
    assert {act["route"] for act in claimed} == routes
    return found, read


def test_hostile_routes_are_quoted_and_none_is_claimed_by_anothers_pattern(tmp_path: Path) -> None:
    routes = [
        '/a"b',
        "/a\\b",
        "/a\nb = 1\n[features.evil]",
        "/\x00\x1b[31m\x7f\x85",
        "/\u202egnp.exe",
        "/\U0001f600/\U000e0001",
        "/" + "A" * 3000,
        "/'''",
        "/{}",
        "/-",
        "/7",
        "/ÄÖ",
        "/features.notes",
        "/Features-Notes",
    ]
    starred = ["/*", "/**", "/a/*", "/a*b"]
    found, read = check_it_claims_what_it_says(tmp_path, [{"route": route} for route in [*routes, *starred]])
    assert {said.route for one in read.features for said in one.patterns} == set(routes)
    assert found.left_out == len(starred)
    text = write_catalogue(found)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "# 4 further routes and events" in text


ROUTES = st.lists(st.text(max_size=8), max_size=3).map(lambda parts: "/" + "/".join(parts))


@settings(max_examples=60, deadline=None)
@given(acts=st.lists(st.tuples(ROUTES, st.sampled_from("uvw"), st.sampled_from("abc")), max_size=30))
def test_whatever_was_seen_it_is_a_catalogue_that_claims_what_it_says(
    tmp_path_factory: Any, acts: list[tuple[str, str, str]]
) -> None:
    said = [{"route": route, "user_id": user, "visit_id": visit} for route, user, visit in acts]
    check_it_claims_what_it_says(tmp_path_factory.mktemp("any"), said)


def test_a_team_is_not_given_more_than_it_can_read() -> None:
    found = proposed(*({"route": f"/page{number}"} for number in range(320)))
    assert sum(len(one.patterns) for one in found.features) == 300
    assert found.left_out == 20
