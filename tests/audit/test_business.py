"""Reading the log of who looked by what is asked, a Business's own part, and the commands."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from pipeline.audit import (
    UNKNOWN_USER,
    AccessLog,
    Look,
    Subject,
    View,
    access_key,
    looks_at_business,
    read_entries,
    user_hash,
)
from pipeline.cli.audit import audit
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import open_run
from tests.audit.logs import KEY, at, files

BOTH = (Subject("u1", ("b1",)), Subject("u2", ("b2",)), Subject("gone", ("b1",)), Subject("u3", ("b1", "b2")))
LOOKS = [
    ((2026, 10, 31, 23, 59), View("dana", "support", "user", "u1", [Subject("u1", ("b1",))], "ticket 1", "shown", 3)),
    ((2026, 11, 1), View("eli", "lead", "affected", "/pay", BOTH, "=2+3", "shown", 4)),
    ((2026, 11, 2), View("dana", "support", "user", "u2", [Subject("u2", ("b2",))], "of b2 alone", "refused")),
    ((2026, 11, 3), View("dana", "support", "visit", "20261103-0123456789abcdef", [Subject(None, ("b1",))])),
    ((2026, 12, 1), View("dana", "support", "search", outcome="nothing")),
]


def look(folder: Path, key: bytes) -> None:
    for moment, view in LOOKS:
        AccessLog(folder, key, at(*moment)).append(view)


def test_entries_are_found_by_what_is_asked(tmp_path: Path) -> None:
    look(tmp_path, KEY)

    def found(**filters: Any) -> list[int]:
        return [entry.seq for entry in read_entries(tmp_path, **filters)]

    assert found() == [1, 2, 3, 4, 5]
    assert found(business="b1") == [1, 2, 4]
    assert found(business="b2") == [2, 3]
    assert found(actor="eli") == [2]
    assert found(action="user") == [1, 3]
    assert found(action="user", business="b2") == [3]
    assert found(user=user_hash(KEY, "u3")) == [2]
    assert found(user="u3") == []
    assert found(since=datetime(2026, 11, 1, tzinfo=UTC)) == [2, 3, 4, 5]
    assert found(until=datetime(2026, 11, 1, tzinfo=UTC)) == [1, 2]
    assert found(since=datetime(2026, 11, 2, tzinfo=UTC), until=datetime(2026, 11, 30, tzinfo=UTC)) == [3, 4]
    files(tmp_path)[0].write_text("?\n")
    assert found(since=datetime(2026, 11, 1, tzinfo=UTC)) == [2, 3, 4, 5]  # an older file is not opened


def test_a_business_is_told_of_its_own_users_only(tmp_path: Path) -> None:
    look(tmp_path, KEY)
    looks = list(looks_at_business(tmp_path, KEY, "b1", ["u1", "u3", "u9"]))
    assert looks[0] == Look(
        datetime(2026, 10, 31, 23, 59, tzinfo=UTC), "dana", "support", "user", "u1", "shown", "ticket 1", ("u1",)
    )
    assert looks[1].users == ("u1", UNKNOWN_USER, "u3")
    assert [one.target for one in looks] == ["u1", "", "20261103-0123456789abcdef"]
    assert looks[2].users == ()
    other = list(looks_at_business(tmp_path, KEY, "b2", ["u1", "u2", "u3"], datetime(2026, 11, 1, tzinfo=UTC)))
    assert [one.users for one in other] == [("u2", "u3"), ("u2",)]
    assert [one.outcome for one in other] == ["shown", "refused"]
    assert list(looks_at_business(tmp_path, KEY, "b", ["u1"])) == []
    assert "u2" not in str(looks)


DIRECTORY = {
    "users": [{"user_id": "u1", "name": "@Ann"}, {"user_id": "u2", "name": "Bob"}, {"user_id": "u3", "name": "Cy"}],
    "businesses": [{"business_id": "b1", "name": "Cedar"}, {"business_id": "b2"}, {"business_id": "b3"}],
    "memberships": [
        {"user_id": user, "business_id": business}
        for user, business in [("u1", "b1"), ("u2", "b2"), ("u3", "b1"), ("u3", "b2")]
    ],
}


class Desk:
    """A service of two Businesses, whose users were looked at."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(warehouse=folder / "warehouse", access_log=folder / "access_log", secret="own")
        self.settings.warehouse.mkdir()
        with open_run(self.settings) as run:
            for name, rows in DIRECTORY.items():
                data = pa.Table.from_pylist(rows, schema=TABLES[name].file_schema)
                run.replace(name, {None: [run.write(name, None, data)]})
            run.publish()
        self.log = AccessLog(self.settings.access_log, access_key("own"), at(2026, 12, 2))
        look(self.log.folder, self.log.key)

    def audit(self, *arguments: str) -> Result:
        return CliRunner().invoke(audit, arguments, obj=SimpleNamespace(settings=self.settings))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("audit"))


def test_verify_prints_a_head_and_takes_it_back(desk: Desk) -> None:
    result = desk.audit("verify")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    first, head = result.output.splitlines()
    assert first.startswith("5 entries are whole")
    assert head == desk.audit("head").output.strip()
    assert desk.audit("verify", "--head", head).exit_code == 0
    shown = json.loads(desk.audit("verify", "--json").output)
    assert shown == {"whole": {"entries": 5, "head": head}, "problems": []}
    assert json.loads(desk.audit("head", "--json").output) == {"seq": 5, "hash": head.partition(":")[2]}
    assert desk.audit("verify", "--head", "5").exit_code == 2
    assert desk.audit("verify", "--head", f"6:{'0' * 64}").exit_code == 1


def test_verify_says_where_the_log_is_broken(desk: Desk) -> None:
    head = desk.log.folder / "head.json"
    path = files(desk.log.folder)[1]
    for broken, place in ((path, "2026-11.jsonl, line 1, seq 2: "), (head, "head.json: ")):
        before = broken.read_bytes()
        broken.write_bytes(before.replace(b"eli", b"bob").replace(b'"seq":5', b'"seq":4'))
        result = desk.audit("verify")
        as_json = desk.audit("verify", "--json")
        broken.write_bytes(before)
        assert result.exit_code == 1
        assert result.output.startswith(place)
        assert "whole" not in result.output
        assert as_json.exit_code == 1
        assert json.loads(as_json.output)["whole"] is None
        assert json.loads(as_json.output)["problems"][0]["file"] == broken.name
    assert desk.audit("verify").exit_code == 0


def test_an_unset_secret_is_warned_of(tmp_path: Path) -> None:
    settings = Settings(warehouse=tmp_path, access_log=tmp_path / "access_log")
    AccessLog(settings.access_log, access_key(settings.secret)).append(LOOKS[0][1])
    result = CliRunner().invoke(audit, ["verify"], obj=SimpleNamespace(settings=settings))
    assert result.exit_code == 0
    assert "`secret` is not set" in result.stderr


def test_list_filters_and_keeps_to_the_last(desk: Desk) -> None:
    def listed(*arguments: str) -> list[int]:
        return [row["seq"] for row in json.loads(desk.audit("list", "--json", *arguments).output)]

    assert listed() == [1, 2, 3, 4, 5]
    assert listed("--limit", "2") == [4, 5]
    assert listed("--business", "b2") == [2, 3]
    assert listed("--actor", "eli") == [2]
    assert listed("--user", "u1") == [1, 2]
    assert listed("--from", "2026-11-01", "--to", "2026-11-02") == [2, 3]
    shown = desk.audit("list").output
    assert "20261103-0123456789abcdef" in shown
    assert "ticket 1" in shown
    assert desk.audit("list", "--actor", "nobody").output == "nobody looked\n"


def test_a_business_is_handed_its_part(desk: Desk) -> None:
    rows = json.loads(desk.audit("business", "b1", "--json").output)
    assert [(row["actor"], row["user"], row["name"]) for row in rows] == [
        ("dana", "u1", "@Ann"),
        ("eli", "u1", "@Ann"),
        ("eli", UNKNOWN_USER, None),
        ("eli", "u3", "Cy"),
        ("dana", None, None),
    ]
    text = desk.audit("business", "b1").output
    assert "@Ann" in text
    assert "u2" not in text + json.dumps(rows)
    assert len(json.loads(desk.audit("business", "b1", "--json", "--from", "2026-11-02").output)) == 1
    assert len(json.loads(desk.audit("business", "b1", "--json", "--to", "2026-10-31").output)) == 1
    assert desk.audit("business", "b3").output == "nobody looked\n"
    unknown = desk.audit("business", "Cedar")
    assert unknown.exit_code == 1
    assert "there is no Business 'Cedar'" in unknown.output


def test_csv_holds_no_formula(desk: Desk) -> None:
    output = desk.audit("business", "b1", "--csv").output
    rows = list(csv.DictReader(io.StringIO(output)))
    assert rows[0]["at"] == "2026-10-31T23:59:00+00:00"
    assert rows[0]["name"] == "'@Ann"
    assert rows[1]["why"] == "'=2+3"
    assert rows[4]["user"] == ""
    for start in "=+-@\t\r":
        desk.log.append(View(f"{start}x", "support", "user", "", [Subject("u9", ("b9",))], f"{start}\x1b[0m"))
    last = list(csv.DictReader(io.StringIO(desk.audit("business", "b9", "--csv").output)))
    assert len(last) == 6
    for row in last:
        assert row["actor"].startswith("'")
        assert row["why"].startswith("'")
        assert "\x1b" not in row["why"]
