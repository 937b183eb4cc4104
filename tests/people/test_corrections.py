"""A person's corrections as they are made: what changes, what is refused, and that taking back leaves no trace."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from pipeline.build import bring_up_to_date, build_directory
from pipeline.cli import main
from pipeline.ingest import ingest
from pipeline.people.corrections import kind_of
from pipeline.schemas import TABLES
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import connect, live_files, open_run
from tests.build.test_building import line

KEPT_BY_LINK = "link_corrections"


class Desk:
    """A warehouse of a few people, corrected through the command line."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "trail.toml"
        self.configure(shared_users=2)
        self.log = folder / "landing" / "web" / "a.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)

    def configure(self, shared_users: int) -> None:
        self.config.write_text(f'landing = "landing"\nwarehouse = "warehouse"\nshared_users = {shared_users}\n')

    def deliver(self, *lines: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(b"".join(lines))
        settings = load_settings(self.config, {})
        with open_run(settings) as run:
            ingest(run, settings)
            build_directory(run, settings)
            bring_up_to_date(run)
            run.publish()

    def trail(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(self.config), *arguments])

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with connect(load_settings(self.config, {})) as connection:
            return connection.execute(query).fetchall()

    def hashes(self) -> dict[str, list[str]]:
        """The bytes of all live files of all tables but that of the corrections themselves."""
        settings = load_settings(self.config, {})
        return {
            name: sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in live_files(settings, name))
            for name in TABLES
            if name != KEPT_BY_LINK
        }


@pytest.fixture(scope="module")
def first_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a desk as it is before anything was said, which is only copied."""
    folder = tmp_path_factory.mktemp("desk")
    Desk(folder).deliver(
        line("02T10:00:00", "tablet"),
        line("03T09:00:00", "tablet"),
        line("03T10:00:00", "ann", "u1"),
        line("03T10:05:00", "ann"),
        line("04T10:00:00", "ann"),
        *(line(f"05T1{number}:00:00", "counter", f"u{number}") for number in (1, 2, 3)),
        line("05T13:10:00", "counter"),
        line("09T10:00:00", "other"),
    )
    return folder


@pytest.fixture
def desk(first_desk: Path, tmp_path: Path) -> Desk:
    shutil.copytree(first_desk, tmp_path / "desk")
    return Desk(tmp_path / "desk")


WHOSE = "select date::varchar, visitor_id, user_id, linked_by from clickstream where user_id is not null order by all"


def test_an_added_link_holds_as_lines_come_until_it_is_taken_back(desk: Desk) -> None:
    said = desk.trail("link", "add", "c-tablet", "u1", "--to", "2026-03-02", "--reason", "ticket 12")
    assert said.exit_code == 0, said.output
    assert "c-tablet is u1's" in said.output
    assert "days 2026-03-02 to" in said.output
    assert ("2026-03-02", "c-tablet", "u1", "correction") in desk.rows(WHOSE)
    assert desk.rows("select count(*) from clickstream where linked_by = 'correction'") == [(1,)]
    made = json.loads(desk.trail("link", "list", "--json").output)
    assert [(row["identifier"], row["verdict"], row["user_id"], row["reason"]) for row in made] == [
        ("c-tablet", "add", "u1", "ticket 12")
    ]
    ((request_id,),) = desk.rows("select request_id from clickstream where linked_by = 'correction'")
    assert "ticket 12" in desk.trail("explain", str(request_id)).output
    desk.deliver(line("02T11:00:00", "tablet"))
    assert desk.rows("select count(*) from clickstream where linked_by = 'correction'") == [(2,)]
    gone = desk.trail("link", "remove", "c-tablet", "u1", "--to", "2026-03-02")
    assert gone.exit_code == 0, gone.output
    assert desk.rows("select count(*) from clickstream where linked_by = 'correction'") == [(0,)]
    assert desk.trail("link", "list").output == "nothing was said\n"


@pytest.mark.parametrize("said", [("add", "remove"), pytest.param(("remove", "add"), marks=pytest.mark.slow)])
def test_taking_back_restores_every_table_bit_for_bit(desk: Desk, said: tuple[str, str]) -> None:
    before = desk.hashes()
    identifier = "c-tablet" if said[0] == "add" else "c-ann"
    assert desk.trail("link", said[0], identifier, "u1").exit_code == 0
    changed = {name for name, files in desk.hashes().items() if files != before[name]}
    assert changed >= {"identifier_links", "acts", "clickstream", "visits", "user_days", "user_links", "user_lookup"}
    assert desk.trail("link", said[1], identifier, "u1").exit_code == 0
    assert desk.hashes() == before


def test_a_removed_link_leaves_what_lines_say(desk: Desk) -> None:
    assert ("2026-03-04", "c-ann", "u1", "visitor_cookie") in desk.rows(WHOSE)
    assert ("2026-03-03", "c-ann", "u1", "same_visit") in desk.rows(WHOSE)
    assert desk.trail("link", "remove", "c-ann", "u1").exit_code == 0
    assert [row for row in desk.rows(WHOSE) if row[1] == "c-ann"] == [("2026-03-03", "c-ann", "u1", "on_line")]


def test_what_was_removed_stays_removed_as_lines_come(desk: Desk) -> None:
    desk.trail("link", "remove", "c-ann", "u1")
    desk.deliver(line("06T10:00:00", "ann", "u1"), line("06T10:01:00", "ann"))
    assert {row[3] for row in desk.rows(WHOSE) if row[1] == "c-ann"} == {"on_line"}


def test_only_the_days_of_the_identifier_are_rebuilt(desk: Desk) -> None:
    settings = load_settings(desk.config, {})
    before = set(live_files(settings, "acts"))
    desk.trail("link", "add", "c-tablet", "u1")
    new = {path.parent.name for path in set(live_files(settings, "acts")) - before}
    assert new == {"date=2026-03-02", "date=2026-03-03"}


def test_shared_identifiers_link_nothing_and_are_listed(desk: Desk) -> None:
    assert {row[3] for row in desk.rows(WHOSE) if row[1] == "c-counter"} == {"on_line"}
    (found,) = json.loads(desk.trail("link", "shared", "--json").output)
    assert (found["identifier"], found["users"], found["days"], found["acts"]) == ("c-counter", 3, 1, 4)
    desk.configure(shared_users=3)
    desk.deliver()
    assert {row[3] for row in desk.rows(WHOSE) if row[1] == "c-counter"} == {"on_line", "same_visit"}
    assert desk.trail("link", "shared").output == "no identifier was seen with more than 3 users\n"


def test_what_cannot_be_said_is_refused(desk: Desk) -> None:
    before = desk.hashes()
    for arguments, problem in {
        ("add", "c-nobody", "u1"): "no visitor 'c-nobody' was ever seen",
        ("add", "guest", "u1"): "no login name 'guest' was ever seen",
        ("add", "c-tablet", "u99"): "there is no user 'u99'",
        ("add", "c-tablet", "u1", "--business", "b9"): "u1 is in no Business, not in 'b9'",
        ("add", "h-0123456789abcdef", "u1"): "never names a person",
        ("add", "c-tablet", "u1", "--from", "2026-03-03", "--to", "2026-03-02"): "before it begins",
        ("remove", "c-ann", "u1", "--to", "2026-03-02"): "removed as a whole",
        ("add", "c-tablet", "u1", "--from", "yesterday"): "no UTC day",
    }.items():
        refused = desk.trail("link", *arguments)
        assert refused.exit_code != 0, arguments
        assert problem in refused.output
    assert desk.rows(f"from {KEPT_BY_LINK}") == []
    assert desk.hashes() == before


def test_two_words_on_one_span_are_refused(desk: Desk) -> None:
    assert desk.trail("link", "add", "c-tablet", "u1", "--to", "2026-03-02").exit_code == 0
    refused = desk.trail("link", "add", "c-tablet", "u2")
    assert "it was already said that c-tablet is u1's to 2026-03-02 23:59:59" in refused.output
    assert desk.trail("link", "add", "c-tablet", "u2", "--from", "2026-03-03").exit_code == 0
    whose = {row[0]: row[2] for row in desk.rows(WHOSE) if row[1] == "c-tablet"}
    assert whose == {"2026-03-02": "u1", "2026-03-03": "u2"}
    refused = desk.trail("link", "remove", "c-tablet", "u1")
    assert "`trail link remove` of the same words and span takes that back" in refused.output
    (first, _) = desk.rows(f"select valid_to from {KEPT_BY_LINK} order by valid_from nulls first")
    assert first == (datetime(2026, 3, 2, 23, 59, 59, 999999, UTC),)


def test_a_login_may_begin_as_visitors_do(tmp_path: Path) -> None:
    day = date(2026, 3, 2)
    schema = pa.schema([field for field in TABLES["identifier_days"].file_schema if field.name != "date"])
    row = {"identifier_kind": "login", "identifier": "h-mueller", "login": "h-mueller"}
    with open_run(Settings(landing=tmp_path, warehouse=tmp_path / "warehouse")) as run:
        rows = pa.Table.from_pylist([row], schema=schema.remove_metadata())
        run.append("identifier_days", {day: [run.write("identifier_days", day, rows)]})
        assert [kind_of(run, name) for name in ("h-mueller", "h-0123", "c-new", "ann")] == [
            *("login", "address", "visitor", "login")
        ]
