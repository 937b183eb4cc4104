"""Putting right what is held on a user: in every table in one run, as long as the directory is wrong, with counts."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.lookup import find_users, open_scope
from pipeline.people.corrections import CorrectionError
from pipeline.privacy import Asking, PersonError, Record, Wanted, correct_person, erase_waiting
from tests.ingest.deliveries import House
from tests.privacy.houses import USERS, line
from tests.privacy.test_erasing_other_things import targets, trail

ANA = Asking("ana", "The office", "T-1")


def correct(house: House, user: str = "u1", **wanted: object) -> dict[str, tuple[int, int, int]]:
    _, changed = correct_person(house.settings, "b1", user, Wanted(**{"fields": {}, **wanted}), ANA)  # type: ignore[arg-type]
    return {one.table: (one.before, one.after, one.changed) for one in changed}


def found(house: House, text: str) -> set[str]:
    with open_scope(house.settings, None) as connection:
        return {one["user_id"] for one in find_users(connection, text)}


def test_a_name_and_an_email_are_right_in_every_table_and_the_wrong_ones_nowhere(house: House) -> None:
    changed = correct(house, fields={"name": "Anna Dough", "email": "hd@elsewhere.example"}, reason="misspelt")
    assert house.rows("select name, email from users where user_id = 'u1'") == [("Anna Dough", "hd@elsewhere.example")]
    assert house.rows("select name, email from user_lookup where user_id = 'u1'") == [
        ("Anna Dough", "hd@elsewhere.example")
    ]
    assert house.rows("from former_names") == []
    assert "u1" in found(house, "anna dough")
    assert "u1" not in found(house, "ann@example.com")
    assert changed["users"] == (1, 1, 1)
    assert changed["user_corrections"] == (0, 2, 2)
    assert {"user_lookup", "search_terms"} <= changed.keys()
    assert not {"acts", "visits", "requests", "retention"} & changed.keys()


def test_it_stands_while_the_directory_is_wrong_and_rests_once_it_says_something_else(
    house: House, tmp_path: Path
) -> None:
    correct(house, fields={"email": "anna@example.com"})
    house.run()
    assert house.rows("select email from users where user_id = 'u1'") == [("anna@example.com",)]
    (tmp_path / "house" / "users" / "users.csv").write_text(
        USERS.replace("ann@example.com", "new@example.com"), encoding="utf-8"
    )
    house.run()
    assert house.rows("select email from users where user_id = 'u1'") == [("new@example.com",)]
    assert house.rows("select user_id, field, value from former_names") == [("u1", "email", "anna@example.com")]


def test_what_was_put_right_can_be_put_right_again(house: House) -> None:
    correct(house, fields={"name": "Anna Dough"})
    correct(house, fields={"name": "Hannah Dough"})
    house.run()
    assert house.rows("select name from users where user_id = 'u1'") == [("Hannah Dough",)]
    assert house.rows("select value, was from user_corrections") == [("Hannah Dough", 'Ann "<i>" Doe')]
    correct(house, fields={"name": None})
    house.run()
    assert house.rows("select name from users where user_id = 'u1'") == [(None,)]


def test_a_wrong_link_goes_and_comes_back_as_it_was(house: House) -> None:
    house.deliver("web/later.log", line(50, "", "/anonymous", "k1"))
    house.run()
    anonymous = "select user_id from acts where linked_by is distinct from 'on_line' order by 1"
    before = house.rows(anonymous)
    assert ("u1",) in before
    tables = house.tables()
    changed = correct(house, not_theirs=("c-k1",), reason="a friend's")
    assert ("u1",) not in house.rows(anonymous)
    assert changed["acts"][0] == changed["acts"][1] + 1
    correct(house, theirs=("c-k1",))
    assert house.tables() == tables
    assert house.rows("from link_corrections") == []


def test_who_was_no_child_is_kept_again(house: House, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    people = f"user_id,name,email,date_of_birth\nu1,Ann Doe,ann@example.com,{today - timedelta(days=4000)}\n"
    path = tmp_path / "house" / "users" / "users.csv"
    path.write_text(people, encoding="utf-8")
    house.run()
    certificate = erase_waiting(house.settings)
    assert certificate is not None
    assert house.rows("from users") == []
    house.run()
    assert house.rows("from users") == []
    path.write_text(people.replace(str(today - timedelta(days=4000)), "1990-01-01"), encoding="utf-8")
    house.run()
    erase_waiting(house.settings)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    house.deliver("web/later.log", line(1, "u1", "/grown", "k9", time=now))
    house.run()
    assert "/grown" in targets(house)
    assert house.rows("select date_of_birth from users") == [(date(1990, 1, 1),)]


def test_a_wrong_birth_date_is_put_right_and_then_decides(house: House) -> None:
    young = datetime.now(UTC).date() - timedelta(days=4000)
    changed = correct(house, fields={"date_of_birth": young.isoformat()})
    assert changed["users"] == (1, 1, 1)
    assert house.rows("select date_of_birth from users where user_id = 'u1'") == [(young,)]
    certificate = erase_waiting(house.settings)
    assert certificate is not None
    assert certificate["subjects"] == {"child": 1}
    assert house.rows("from user_corrections") == []


def test_it_is_in_the_record_and_what_cannot_be_done_too(house: House) -> None:
    correct(house, fields={"name": "Anna Dough"})
    (done,) = Record(house.settings).all()
    assert (done.kind, done.outcome, done.user, done.rows["users"]) == ("correction", "done", None, 1)
    with pytest.raises(CorrectionError, match="was ever seen"):
        correct(house, not_theirs=("c-never",))
    with pytest.raises(PersonError):
        correct(house, user="nobody")
    with pytest.raises(CorrectionError, match="'long ago' is no birth date such as 2001-12-31"):
        correct(house, fields={"date_of_birth": "long ago"})
    assert [one.outcome for one in Record(house.settings).all()] == ["refused", "refused", "done"]
    assert house.rows("select name from users where user_id = 'u1'") == [("Anna Dough",)]


def test_the_command_tells_before_and_after(house: House) -> None:
    asked = ("correct", "--business", "b1", "--user", "u1")
    result = trail(house, *asked, "--name", "Anna Dough", "--reason", "misspelt")
    assert "request 1: corrected" in result.output
    assert any(row.split() == ["users", "1", "1", "1"] for row in result.output.splitlines())
    told = json.loads(trail(house, *asked, "--email", "", "--json").output)
    assert told["request"] == 2
    assert house.rows("select email from users where user_id = 'u1'") == [(None,)]
    assert "say what is right" in trail(house, *asked).output
    assert "'soon' is no birth date" in trail(house, *asked, "--birth-date", "soon").output
