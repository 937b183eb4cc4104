"""Erasing in one Business of two, a cookie, an address, a whole Business, a child; asked for, held back, confirmed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.audit import AccessLog, Subject, View, access_key, read_entries
from pipeline.build import bring_up_to_date
from pipeline.cli import main
from pipeline.privacy import (
    Asking,
    ErasureError,
    Record,
    add_hold,
    all_holds,
    ask_erasure,
    erase,
    erase_waiting,
    prove,
    subject_of,
)
from pipeline.privacy.words import Words
from pipeline.warehouse import connect, open_run
from tests.ingest.deliveries import House
from tests.privacy.houses import line
from tests.privacy.town import found_in

ANA = Asking("ana", "The office", "T-1")


def erase_one(house: House, kind: str, value: str, business: str | None = None) -> dict[str, object]:
    return erase(house.settings, [subject_of(kind, value, business, datetime.now(UTC))])


def targets(house: House) -> list[str]:
    return [target for (target,) in house.rows("select target from raw_requests order by occurred_at, target")]


def test_in_one_business_of_two_what_is_of_the_other_stays(house: House) -> None:
    before = house.rows("from users order by all")
    certificate = erase_one(house, "user", "u2", "b1")
    left = targets(house)
    assert "/find?email=ann%40example.com" not in left
    assert {"/b2", "/choose"} <= {*left}
    assert house.rows("from users order by all") == before
    assert house.rows("select business_id from memberships where user_id = 'u2'") == [("b2",)]
    assert certificate["words_looked_for"] == 0
    house.deliver("web/later.log", line(6, "u2", "/more", "shared") + line(12, "u2", "/other", "k2", "b2"))
    house.run()
    assert "/more" not in targets(house)
    assert "/other" in targets(house)
    house.assert_adds_up()


def test_a_cookie_goes_with_all_that_carries_it(house: House) -> None:
    erase_one(house, "identifier", "shared")
    left = targets(house)
    assert not {"/find?email=ann%40example.com", "/assets/b.js"} & {*left}
    assert left.count("/notes") == 3
    house.deliver("web/later.log", line(20, "u3", "/more", "shared") + line(21, "u3", "/more", "k3"))
    house.run()
    assert targets(house).count("/more") == 1
    house.assert_adds_up()


def test_an_address_goes_and_is_masked_where_others_name_it(house: House) -> None:
    there = line(30, "u3", "/seen?ip=203.0.113.9", "k3") + line(31, "u3", "/away", "k3", remote_addr="203.0.113.9")
    house.deliver("web/later.log", there)
    house.run()
    erase_one(house, "address", "203.0.113.9")
    assert "/away" not in targets(house)
    assert "/seen?ip=000.0.000.0" in targets(house)
    assert found_in(house.settings.warehouse, ["203.0.113.9"]) == []
    house.deliver("web/last.log", line(31, "u3", "/away?2", "k3", remote_addr="203.0.113.9"))
    house.run()
    assert "/away?2" not in targets(house)


def test_a_whole_business_goes_with_those_who_are_only_its_own(house: House) -> None:
    certificate = erase_one(house, "business", "b1")
    assert targets(house) == ["/assets/b.js", "/b2", "/choose"]
    assert house.rows("select user_id from users") == [("u2",)]
    assert house.rows("from memberships") == [("u2", "b2", None)]
    assert certificate["subjects"] == {"business": 1}
    house.deliver("web/later.log", line(40, "u9", "/new", "k9"))
    house.run()
    assert "/new" not in targets(house)
    house.assert_adds_up()


AHEAD = "2031-05-06T10:00:00+00:00"


@pytest.mark.parametrize(
    ("kind", "value", "business", "stay"),
    [
        ("user", "u1", None, {"/b2", "/two", "/nobody"}),
        ("user", "u2", "b1", {"/one", "/cookie", "/b2", "/nobody"}),
        ("identifier", "k1", "b2", {"/one", "/two", "/b2", "/nobody"}),
        ("address", "203.0.113.9", None, {"/one", "/cookie", "/two", "/b2"}),
        ("business", "b1", None, {"/b2", "/nobody"}),
    ],
)
def test_lines_of_a_clock_that_is_ahead_go_before_their_day_has_come(
    house: House, kind: str, value: str, business: str | None, stay: set[str]
) -> None:
    ahead = [
        line(1, "u1", "/one", "k1", time=AHEAD),
        line(2, "", "/cookie", "k1", time=AHEAD),
        line(3, "u2", "/two", "shared", time=AHEAD),
        line(4, "u2", "/b2", "k2", "b2", time=AHEAD),
        line(5, "", "/nobody", "k9", time=AHEAD, remote_addr="203.0.113.9"),
    ]
    house.deliver("web/ahead.log", b"".join(ahead))
    house.run()
    assert house.rows("select count(*) from requests where date > '2031-01-01'") == [(0,)]
    left = "select target from raw_requests where date > '2031-01-01'"
    erase_one(house, kind, value, business)
    assert {target for (target,) in house.rows(left)} == stay
    house.deliver("web/again.log", b"".join(reversed(ahead)))
    house.run()
    assert {target for (target,) in house.rows(left)} == stay
    house.assert_adds_up()


def rebuilt(house: House) -> dict[str, list[tuple[Any, ...]]]:
    """The tables, built anew of what is left."""
    with open_run(house.settings) as run:
        run.facts.pop("built")
        run.facts.pop("digests")
        bring_up_to_date(run)
        run.publish()
    return house.tables()


def test_an_anonymous_act_of_a_visit_of_two_stays_nobodys(house: House) -> None:
    house.deliver("web/later.log", line(6, "", "/between", "shared") + line(7, "", "/after", "shared"))
    house.run()
    before = [row for row in house.tables()["acts"] if "u1" not in row]
    assert sum("v-" in str(row) for row in before) == 2
    erase_one(house, "user", "u1")
    after = house.tables()
    assert after["acts"] == before
    assert len(house.rows("from settled_acts")) == 2
    assert rebuilt(house) == after
    erase_one(house, "identifier", "shared")
    assert house.rows("from settled_acts") == house.rows("from erased_owners") == []


def test_a_child_is_erased_by_itself_and_kept_out_until_it_is_none(house: House, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    born = date(today.year - 13, 1, 1) + timedelta(days=(today - date(today.year, 1, 1)).days + 10)
    people = (
        "user_id,name,email,date_of_birth\n"
        f"u1,Ann Doe,ann@example.com,{born}\n"
        "u3,Ann Other,third@example.com,1990-01-01\n"
    )
    (tmp_path / "house" / "users" / "users.csv").write_text(people, encoding="utf-8")
    house.run()
    certificate = erase_waiting(house.settings)
    assert certificate is not None
    assert certificate["subjects"] == {"child": 1}
    assert found_in(house.settings.warehouse, ["ann@example.com", "Ann Doe"]) == []
    now = datetime.now(UTC)
    soon, grown = (at.strftime("%Y-%m-%dT%H:%M:%S+00:00") for at in (now, now + timedelta(days=12)))
    house.deliver("web/later.log", line(1, "u1", "/young", "k1", time=soon) + line(1, "u1", "/grown", "k1", time=grown))
    report = house.run()
    assert report.lines["erased"] == 1
    assert "/young" not in targets(house)
    assert "/grown" in targets(house)
    assert house.rows("select user_id from users order by 1") == [("u3",)]
    assert erase_waiting(house.settings) is None
    house.assert_adds_up()


def test_who_is_held_back_is_not_erased_until_it_is_over(house: House) -> None:
    hold = add_hold(house.settings, "u1", "b1", "tax law, paragraph 147", datetime.now(UTC).date(), "ana")
    ask_erasure(house.settings, "user", "b1", "u1", ANA)
    ask_erasure(house.settings, "user", "b1", "u3", ANA)
    told: list[str] = []
    certificate = erase_waiting(house.settings, told.append)
    assert certificate is not None
    assert certificate["held_back"] == [{"request": 1, "reason": "tax law, paragraph 147", "until": str(hold.until)}]
    assert house.rows("select user_id from users order by 1") == [("u1",), ("u2",)]
    assert [one.is_open for one in sorted(Record(house.settings).all(), key=lambda one: one.number)] == [True, False]
    erase_waiting(house.settings, now=datetime.now(UTC) + timedelta(days=1))
    assert house.rows("select user_id from users order by 1") == [("u2",)]
    assert found_in(house.settings.privacy, ["ann@example.com"]) == []
    assert all_holds(house.settings) == []


@pytest.mark.parametrize(("kind", "value"), [("business", "b1"), ("identifier", "shared")])
def test_whoever_is_held_back_is_so_whatever_the_erasure_is_of(house: House, kind: str, value: str) -> None:
    today = datetime.now(UTC).date()
    add_hold(house.settings, "u1", "b1", "a trial", today, "ana")
    ask_erasure(house.settings, kind, "b1", value, ANA)
    before = house.tables()
    assert erase_waiting(house.settings) is None
    assert house.tables() == before
    result = trail(
        house,
        "erase",
        "--business",
        "b1",
        *(["--whole-business"] if kind == "business" else []),
        *(["--identifier", value] if kind == "identifier" else []),
        "--yes",
    )
    assert f"is held back until {today}: a trial" in result.output


def test_reasons_in_the_log_of_who_looked_go(house: House) -> None:
    log = AccessLog(house.settings.access_log, access_key(house.settings.secret))
    log.append(View("bob", "support", "user", subjects=[Subject("u1", ("b1",))], why="she called"))
    log.append(View("bob", "support", "search", why="mail of ann@example.com"))
    log.append(View("bob", "support", "user", subjects=[Subject("u3", ("b1",))], why="ticket 9"))
    erase_one(house, "user", "u1")
    assert [one.why for one in read_entries(house.settings.access_log)][:3] == [None, None, "ticket 9"]


def test_whoever_looked_stays_named_as_such_and_the_certificate_says_so(house: House) -> None:
    log = AccessLog(house.settings.access_log, access_key(house.settings.secret))
    log.append(View("ann@example.com", "support", "user", subjects=[Subject("u3", ("b1",))], why="ticket 9"))
    assert erase_one(house, "user", "u1")["kept_in_log_of_who_looked"] is True
    assert erase_one(house, "user", "u3")["kept_in_log_of_who_looked"] is False


def test_where_something_is_left_it_says_where_and_is_not_done(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = house.settings.reports_folder
    reports.mkdir(parents=True)
    (reports / "notes.txt").write_text("call Ann@Example.com", encoding="utf-8")
    with pytest.raises(ErasureError, match=r"reports: notes\.txt"):
        erase_one(house, "user", "u1")
    assert not (house.settings.privacy / "erasures" / "000001.json").exists()
    (reports / "notes.txt").unlink()
    searched: list[str] = []
    real = prove._places

    def noted(path: Path, words: Words) -> Iterator[str]:
        searched.append(path.name)
        return real(path, words)

    monkeypatch.setattr(prove, "_places", noted)
    certificate = erase_waiting(house.settings)
    assert certificate is not None
    assert certificate["number"] == 1
    with connect(house.settings) as connection:
        assert connection.sql("from users where user_id = 'u1'").fetchall() == []
    assert len(searched) > 50


def trail(house: House, *arguments: str) -> Result:
    config = house.settings.warehouse.parent / "trail.toml"
    users = house.settings.users
    config.write_text(f'landing = "landing"\nwarehouse = "warehouse"\nusers = "{users}"\n', encoding="utf-8")
    return CliRunner().invoke(main, ["--config", str(config), "privacy", *arguments], catch_exceptions=False)


def test_without_yes_it_tells_what_would_go_and_changes_nothing(house: House) -> None:
    before = house.tables()
    asked = ("erase", "--business", "b1", "--user", "ann@example.com")
    result = trail(house, *asked)
    assert result.exit_code == 0
    assert any(row.split()[:3] == ["raw_requests", "1", "5"] for row in result.output.splitlines())
    assert "the ids u1" in result.output
    assert "nothing was changed; --yes erases it with the next daily run" in result.output
    told = json.loads(trail(house, *asked, "--json").output)
    rows = {one["table"]: one["rows"] for one in told["would_take_out"]}
    assert (rows["raw_requests"], rows["users"], rows["duplicate_lines"], rows["rejected_lines"]) == (5, 1, 1, 1)
    assert told["certificate"] is None
    assert house.tables() == before
    assert Record(house.settings).all() == []


def test_with_yes_it_waits_and_with_now_it_is_made(house: House) -> None:
    result = trail(house, "erase", "--business", "b1", "--user", "u1", "--yes", "--asked-by", "The office")
    assert "request 1: erased with the next daily run" in result.output
    assert "/assets/a.js" in targets(house)
    result = trail(house, "erase", "--business", "b1", "--user", "u3", "--yes", "--now")
    assert "request 2: erased, and nothing is left; the certificate is" in result.output
    assert house.rows("select user_id from users") == [("u2",)]
    assert [(one.number, one.outcome, one.user) for one in Record(house.settings).all()] == [
        *((2, "done", None), (1, "done", None)),
    ]
    assert trail(house, "erase-waiting").output == "nothing waits\n"
    assert trail(house, "replay").output.endswith("it went through all of them before\n")


def test_it_says_what_is_wrong(house: House) -> None:
    assert "--now goes with --yes" in trail(house, "erase", "--business", "b1", "--user", "u1", "--now").output
    assert "say one of --user" in trail(house, "erase", "--business", "b1").output
    assert "say one of --user" in trail(house, "erase", "--business", "b1", "--user", "u1", "--address", "x").output
    assert "b2 has no user" in trail(house, "erase", "--business", "b2", "--user", "u1", "--yes").output
    assert [one.outcome for one in Record(house.settings).all()] == ["refused"]
    result = trail(house, "erase", "--business", "b1", "--user", "u1", "--yes", "--request", "1")
    assert "request 1 is no open one of this erasure in b1" in result.output


def test_holds_are_said_listed_and_lifted(house: House) -> None:
    until = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
    asked = ("--business", "b1", "--user", "u1")
    assert "hold 1: nothing of the user" in trail(house, "hold", *asked, "--reason", "a trial", "--until", until).output
    assert [one["reason"] for one in json.loads(trail(house, "holds", "--json").output)] == ["a trial"]
    assert f"request 1 is held back until {until}: a trial" in trail(house, "erase", *asked, "--yes", "--now").output
    assert "u1" in str(house.rows("from users"))
    assert trail(house, "release", "1").output == "hold 1 is lifted\n"
    assert "there is no hold 1" in trail(house, "release", "1").output
    assert trail(house, "erase-waiting").output.endswith("erasure 1: nothing is left\n")


def test_a_user_who_registers_anew_is_kept_from_then_on(house: House, tmp_path: Path) -> None:
    erase_one(house, "user", "u1")
    later = datetime.now(UTC) + timedelta(hours=1)
    people = f"user_id,name,email,created_at\nu1,Ann Doe,ann@example.com,{later.isoformat()}\n"
    (tmp_path / "house" / "users" / "users.csv").write_text(people, encoding="utf-8")
    at = later.strftime("%Y-%m-%dT%H:%M:%S+00:00")
    house.deliver("web/later.log", line(1, "u1", "/again", "k1", time=at))
    house.run()
    assert "/again" in targets(house)
    assert house.rows("select email from users") == [("ann@example.com",)]


def test_another_secret_is_refused(house: House) -> None:
    erase_one(house, "user", "u1")
    other = House.__new__(House)
    other.settings, other.landing, other.builds_all = replace(house.settings, secret="other"), house.landing, True
    other.deliver("web/later.log", line(50, "u3", "/x", "k3"))
    with pytest.raises(RuntimeError, match="made with another `secret`"):
        other.run()
