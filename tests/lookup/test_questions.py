"""What a person types is read as what they mean, or refused with the word that is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from pipeline.lookup.questions import Met, Period, QuestionError, before, read_met, read_period, read_typed

NEWEST = date(2026, 3, 15)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "read"),
    [
        ("", "", ("2026-03-09", "2026-03-16")),
        ("2026-03-14", "", ("2026-03-14", "2026-03-16")),
        ("", "2026-03-10", ("2026-03-04", "2026-03-11")),
        ("2026-03-10", "2026-03-10", ("2026-03-10", "2026-03-11")),
        ("2026-03-10 16:05", "", ("2026-03-10 16:00", "2026-03-10 16:11")),
        ("2026-03-10T16:05:30", "", ("2026-03-10 16:00:30", "2026-03-10 16:10:31")),
        ("16:05", "", ("2026-03-15 16:00", "2026-03-15 16:11")),
        ("16:05", "17:00", ("2026-03-15 16:05", "2026-03-15 17:01")),
        ("2026-02-28 23:59", "", ("2026-02-28 23:54", "2026-03-01 00:05")),
    ],
)
def test_a_period_is_what_a_person_means_by_it(since: str, until: str, read: tuple[str, str]) -> None:
    assert read_period(since, until, NEWEST) == Period(at(read[0]), at(read[1]))


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"from": "yesterday"}, "from is 'yesterday'"),
        ({"to": "2026-02-30"}, "to is '2026-02-30'"),
        ({"from": "25:00"}, "from is '25:00'"),
        ({"from": "2026-03-14", "to": "2026-03-13"}, "not before"),
        ({"status": "6xx"}, "status is '6xx'"),
        ({"status": "50"}, "status is '50'"),
        ({"method": "GET /"}, "method is 'GET /'"),
    ],
)
def test_what_cannot_be_read_is_named(said: dict[str, str], wrong: str) -> None:
    with pytest.raises(QuestionError, match=wrong.replace("(", r"\(")):
        read_met(said, NEWEST)


@pytest.mark.parametrize(
    ("status", "read"), [("500", (500, 500)), ("5xx", (500, 599)), ("4XX", (400, 499)), ("400-599", (400, 599))]
)
def test_a_status_is_one_a_class_or_a_range(status: str, read: tuple[int, int]) -> None:
    assert read_met({"status": status}, NEWEST).status == read


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("/clients", {"path": "/clients"}),
        ("POST /clients", {"method": "POST", "path": "/clients"}),
        ("post /clients 500 2026-03-15 16:05",
         {"method": "post", "path": "/clients", "status": "500", "from": "2026-03-15 16:05"}),
        ("/clients 16:05", {"path": "/clients", "from": "16:05"}),
        ("/clients 5xx", {"path": "/clients", "status": "5xx"}),
        ("/clients 2026-03-15", {"path": "/clients", "from": "2026-03-15"}),
    ],
)  # fmt: skip
def test_a_path_is_told_from_a_name(typed: str, read: dict[str, str]) -> None:
    assert read_typed(typed) == read


@pytest.mark.parametrize("typed", ["Lucía Okafor", "ana@example.net", "AC/DC", "okafor /clients x", "", "203.0.113.9"])
def test_what_is_no_path_is_left_to_the_search(typed: str) -> None:
    assert read_typed(typed) is None


def test_a_share_is_of_all_who_came_there() -> None:
    met = read_met({"path": "/x", "method": "get", "status": "5xx", "browser": "Chrome", "country": "de"}, NEWEST)
    assert met.met_by_all == Met(met.period, "/x", "GET")


def test_the_usual_is_of_whole_days_before() -> None:
    period = read_period("2026-03-10 16:05", "", NEWEST)
    assert before(period, 28) == Period(at("2026-02-10"), at("2026-03-10"))
