"""What is held on a person, given out: all of it, nobody else's, of one Business only, noted; on hostile lines too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from pipeline.audit import access_key, read_entries, user_hash
from pipeline.cli import main
from pipeline.plain import json_line
from pipeline.privacy import Asking, ExportError, PersonError, Record, RecordError, answer_access, find_person, receive
from pipeline.privacy.held import MADE_ANEW, OF_NOBODY, ROWS
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import connect
from tests.conftest import Demo
from tests.ingest.deliveries import House
from tests.privacy.houses import SCRIPT, small_house

ANA = Asking("ana", "The office", "T-1")
Rows = list[dict[str, Any]]


def test_every_table_is_of_somebody_or_of_nobody() -> None:
    named = [*ROWS, *MADE_ANEW, *OF_NOBODY]
    assert sorted(named) == sorted(TABLES)
    for name in OF_NOBODY:
        assert not {"user_id", "visitor_id", "ip"} & set(TABLES[name].schema.names)


class Desk:
    """Exports of the demo, with a record and a log of who looked of its own."""

    def __init__(self, demo: Demo, folder: Path) -> None:
        self.folder = folder
        self.settings = replace(demo.settings, privacy=folder / "privacy", access_log=folder / "access_log")
        self._count = 0

    def export(self, business: str, said: str) -> Path:
        self._count += 1
        out = self.folder / f"export-{self._count}"
        answer_access(self.settings, business, said, out, ANA)
        return out


@pytest.fixture
def desk(demo: Demo, tmp_path: Path) -> Desk:
    return Desk(demo, tmp_path)


@pytest.fixture
def truth(demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(demo.settings) as connection:
        connection.execute(f"create view truth as from read_parquet('{demo.paths.truth / 'requests.parquet'}')")
        yield connection


def lines_of(connection: duckdb.DuckDBPyConnection, condition: str, **asked: str) -> set[tuple[str, datetime, str]]:
    query = f"select source, occurred_at, target from truth where {condition}"
    return set(connection.execute(query, asked).fetchall())


def test_it_is_all_of_a_person_and_of_nobody_else(desk: Desk, truth: duckdb.DuckDBPyConnection) -> None:
    people = truth.execute("""
        select known_user, known_business from truth
        where known_business is not null
        group by all having count(*) > 20
        order by md5(concat(any_value(known_user), any_value(known_business))) limit 12
    """).fetchall()
    assert len(people) == 12
    for user, business in people:
        out = desk.export(business, user)
        given = {
            (row["source"], datetime.fromisoformat(row["occurred_at"]), row["target"])
            for row in read_table(out, "raw_requests")
        }
        known = lines_of(truth, "known_user = $user and known_business = $business", user=user, business=business)
        theirs = lines_of(truth, "true_user = $user", user=user)
        assert known <= given <= theirs, (user, business)
        ids = {row["request_id"] for row in read_table(out, "requests")}
        assert len(read_table(out, "raw_requests")) >= len(ids) >= len(known) > 20
        assert {row["request_id"] for row in read_table(out, "clickstream")} <= ids


def test_each_table_gives_the_rows_of_the_person_there(desk: Desk, demo: Demo) -> None:
    with connect(demo.settings) as connection:
        ((user, business),) = connection.sql("""
            select user_id, min(business_id)
            from memberships
            inner join user_lookup using (user_id)
            group by user_id, visits having count(*) = 1
            order by visits desc, user_id limit 1
        """).fetchall()
        out = desk.export(business, user)
        for name, table in TABLES.items():
            if {"user_id", "business_id"} <= set(table.schema.names) and name in ROWS and name != "raw_requests":
                rows = connection.sql(
                    f"select count(*) from {name} where user_id = $user"
                    " and (business_id = $business or business_id is null)",
                    params={"user": user, "business": business},
                ).fetchall()
                found = [row for row in given(out, name) if row["user_id"] == user]
                assert len(found) == rows[0][0], name


def read_table(out: Path, name: str) -> Rows:
    """A table of an export, from its JSON."""
    found: Rows = json.loads((out / "tables" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def given(out: Path, name: str) -> Rows:
    """A table of an export; none where there is no file."""
    return read_table(out, name) if (out / "tables" / f"{name}.json").exists() else []


def test_of_another_business_nothing_is_told(desk: Desk, demo: Demo) -> None:
    with connect(demo.settings) as connection:
        people = connection.sql("""
            select user_id, list(business_id order by business_id) as businesses, count(*)
            from user_businesses where business_id is not null group by all having count(*) > 1 order by user_id limit 3
        """).fetchall()
    assert people
    for user, businesses, _ in people:
        other, here = businesses[0], businesses[1]
        out = desk.export(here, user)
        for path in (out / "tables").glob("*.json"):
            for row in json.loads(path.read_text(encoding="utf-8")):
                assert row.get("business_id", here) in (here, None), (path.name, row)
                assert other not in (row.get("business_ids") or [])
                if "user_id" in row and "business_id" in row:
                    assert row["business_id"] == here or path.stem == "raw_requests", (path.name, row)
        assert [row["business_ids"] for row in read_table(out, "user_lookup")] == [[here]]


def page(out: Path) -> str:
    return re.sub(r"\s+", " ", (out / "index.html").read_text(encoding="utf-8"))


def test_parquet_and_json_say_the_same_and_the_page_says_how_much(desk: Desk) -> None:
    out = desk.export("b01", "u1001")
    stems = {path.stem for path in (out / "tables").iterdir()}
    assert {"users", "memberships", "visits", "clickstream", "requests", "raw_requests", "looks"} <= stems
    text = page(out)
    for stem in stems:
        table = pq.read_table(out / "tables" / f"{stem}.parquet")
        assert [json.loads(json_line(row)) for row in table.to_pylist()] == read_table(out, stem)
        assert f'<h3>{stem.replace("_", " ").capitalize()}</h3> <p class="quiet">{table.num_rows:,} row' in text
    assert len(read_table(out, "clickstream")) > 30
    for column, _, words in TABLES["visits"].columns:
        assert f"<dt>{column}</dt><dd>{words.replace('&', '&amp;')}</dd>".replace("'", "&#39;") in text.replace(
            "&#34;", '"'
        )
    assert all(path.stat().st_mode & 0o077 == 0 for path in [out, *out.rglob("*")]), "others may not read it"


def test_it_is_noted_before_it_is_written_and_closed_after(desk: Desk) -> None:
    out = desk.export("b01", "u1001")
    (said,) = Record(desk.settings).all()
    assert (said.kind, said.business, said.asked_by, said.reference, said.noted_by) == (
        *("access", "b01", "The office", "T-1", "ana"),
    )
    assert (said.outcome, said.user) == ("done", None)
    assert said.rows["clickstream"] == len(read_table(out, "clickstream"))
    (look,) = read_entries(desk.settings.access_log)
    assert (look.actor, look.action, look.target, look.outcome) == ("ana", "export", "request 1", "shown")
    assert [(one.user, one.businesses) for one in look.subjects] == [
        (user_hash(access_key(desk.settings.secret), "u1001"), ("b01",))
    ]
    assert [row["action"] for row in read_table(out, "looks")] == ["export"], "the person is told of this one, too"
    assert set(read_table(out, "looks")[0]) == {"at", "role", "action"}, "and of nobody's name"


def test_where_it_cannot_be_noted_nothing_is_written(desk: Desk) -> None:
    desk.settings.access_log.write_text("no folder")
    with pytest.raises(OSError, match="access_log"):
        desk.export("b01", "u1001")
    assert not (desk.folder / "export-1").exists()
    assert [one.is_open for one in Record(desk.settings).all()] == [True]


@pytest.mark.parametrize("said", ["u1001", "nobody@example.com", "Nobody At All"])
def test_a_user_of_another_business_is_refused_as_nobody_is(desk: Desk, said: str) -> None:
    with pytest.raises(PersonError, match=r"^b03 has no user of that id, email, identifier or name$"):
        desk.export("b03", said)
    assert not (desk.folder / "export-1").exists()
    (refused,) = Record(desk.settings).all()
    assert (refused.outcome, refused.business, refused.user) == ("refused", "b03", None)
    (look,) = read_entries(desk.settings.access_log)
    assert (look.action, look.outcome, look.subjects[0].user) == ("privacy", "refused", None)
    assert said.encode() not in b"".join(path.read_bytes() for path in desk.folder.rglob("*") if path.is_file())


def test_a_folder_with_something_in_it_is_left_alone(desk: Desk) -> None:
    (desk.folder / "export-1").mkdir()
    (desk.folder / "export-1" / "mine.txt").write_text("mine")
    with pytest.raises(ExportError, match="there is something already"):
        desk.export("b01", "u1001")
    assert Record(desk.settings).all() == []


def test_an_open_request_is_answered_once_and_for_its_user(desk: Desk) -> None:
    said = receive(desk.settings, "access", "b01", "u1001", ANA)
    with pytest.raises(RecordError, match="request 1 is no open one of access to this user in b01"):
        answer_access(desk.settings, "b01", "u1002", desk.folder / "other", ANA, said.number)
    answered = answer_access(desk.settings, "b01", "u1001", desk.folder / "out", ANA, said.number)
    assert (answered.number, answered.outcome) == (1, "done")
    with pytest.raises(RecordError, match="request 1 is no open one"):
        answer_access(desk.settings, "b01", "u1001", desk.folder / "again", ANA, said.number)
    assert len(Record(desk.settings).all()) == 1


def test_a_person_is_named_by_id_email_identifier_or_name(demo: Demo) -> None:
    with connect(demo.settings) as connection:
        ((user, name, email, identifier),) = connection.sql("""
            select user_id, name, email, identifiers[1] from user_lookup
            where list_contains(business_ids, 'b01') and len(identifiers) = 1 and name is not null
                and name in (select name from user_lookup group by name having count(*) = 1)
            order by user_id limit 1
        """).fetchall()
        for said in (user, email, email.upper(), identifier, name, f" {name.lower()} "):
            assert find_person(connection, "b01", said).user_id == user
        with pytest.raises(PersonError, match="there is no Business 'b99'"):
            find_person(connection, "b99", user)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return small_house(tmp_path)


def tables_of(house: House, business: str, said: str, out: Path) -> dict[str, Rows]:
    answer_access(house.settings, business, said, out, ANA)
    return {name: given(out, name) for name in [*ROWS, *MADE_ANEW]}


def test_equal_lines_copies_silent_requests_and_unread_lines_are_found(house: House, tmp_path: Path) -> None:
    found = tables_of(house, "b1", "u1", tmp_path / "out")
    assert sorted(row["target"] for row in found["raw_requests"]) == sorted(
        [SCRIPT, "/notes", "/notes", "/notes", "/assets/a.js"]
    ), "what a shared cookie asked for by itself is nobody's"
    assert len({row["request_id"] for row in found["requests"]}) == len(found["requests"]) == 5
    assert len(found["duplicate_lines"]) == 1
    assert sorted(row["text"] for row in found["rejected_lines"]) == [
        "GET /mail?to=Ann@Example.com not a line",
        "user=u1; no line",
    ]
    assert tables_of(house, "b1", "u3", tmp_path / "u3")["rejected_lines"] == []


def test_whoever_is_in_two_businesses_is_told_of_each_alone(house: House, tmp_path: Path) -> None:
    found = tables_of(house, "b2", "u2", tmp_path / "out")
    assert [row["target"] for row in found["raw_requests"]] == ["/b2"]
    assert found["rejected_lines"] == []
    assert "1 request of yours, such as on a page before you chose a Business, cannot be told" in page(tmp_path / "out")
    assert [row["identifiers"] for row in found["user_lookup"]] == [["c-k2"]]
    assert {row["term"] for row in found["search_terms"]} >= {"ann", "other", "u2", "c-k2"}


class Tags(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        """Gather text."""
        self.text += data


def test_what_a_line_says_is_text_on_the_page(house: House, tmp_path: Path) -> None:
    tables_of(house, "b1", "u1", tmp_path / "out")
    shown = Tags((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert not {"script", "i", "img", "iframe"} & set(shown.tags)
    assert "/<script>alert(1)</script>" in shown.text
    assert 'What is held on Ann "<i>" Doe' in shown.text
    assert "\x1b" not in shown.text


def trail(settings: Settings, folder: Path, *arguments: str) -> Result:
    config = folder / "trail.toml"
    config.write_text(
        f'landing = "{settings.landing}"\nwarehouse = "{settings.warehouse}"\nusers = "{settings.users}"\n'
        f'privacy = "{settings.privacy}"\naccess_log = "{settings.access_log}"\n',
        encoding="utf-8",
    )
    return CliRunner().invoke(main, ["--config", str(config), *arguments])


def test_a_business_asks_and_is_answered_from_the_command_line(house: House, tmp_path: Path) -> None:
    def run(*arguments: str) -> Result:
        return trail(house.settings, tmp_path, "privacy", *arguments)

    assert run("due").output == "nothing is due\n"
    came = run(
        *("receive", "access", "--business", "b1", "--user", "ann@example.com"),
        *("--asked-by", "The office", "--received", "2026-03-01", "--by", "ana"),
    )
    assert came.output == "request 1: access for b1, due 2026-03-31\n"
    (waiting,) = json.loads(run("due", "--json").output)
    assert (waiting["user"], waiting["noted_by"], waiting["days_left"] < 0) == ("u1", "ana", True)
    out = tmp_path / "out"
    done = run("export", "--business", "b1", "--user", "u1", "--request", "1", "--out", str(out))
    assert f"open {out / 'index.html'}" in done.output
    assert run("due").output == "nothing is due\n"
    (closed,) = json.loads(run("due", "--all", "--json").output)
    assert (closed["outcome"], closed["user"], closed["days_left"]) == ("done", None, None)
    twice = run("receive", "erasure", "--business", "b1", "--user", "Ann Other")
    assert (twice.exit_code, "u2, u3; name one by id" in twice.output) == (1, True)
    refused = json.loads(run("due", "--all", "--json").output)[0]
    assert (refused["outcome"], refused["user"]) == ("refused", None)
    assert "u2" not in refused["why"], "what is closed names nobody"
    run("receive", "correction", "--business", "b1", "--user", "u3")
    assert run("close", "3").exit_code == 2
    assert run("close", "3", "--done", "the directory was corrected").output == "request 3: done\n"
    numbers = [row["number"] for row in json.loads(run("due", "--all", "--json").output)]
    assert numbers == [3, 2, 1]
