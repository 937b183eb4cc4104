"""Erasing people of the demo: nothing of them is left anywhere, every other row stays, and nothing brings them back."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipeline.build import bring_up_to_date
from pipeline.checks import ledger_adds_up
from pipeline.privacy import replay
from pipeline.privacy.held import OF_NOBODY
from pipeline.schemas import TABLES
from pipeline.tombstones import ErasedError
from pipeline.warehouse import connect, open_run
from tests.conftest import Demo
from tests.privacy.town import Rows, Town, found_in

# Two who share a cookie with others, one of two Businesses, one with copied lines, some at random.
PEOPLE = ("u1067", "u1068", "u1176", "u1028", "u1041", "u1122")
MADE_OF_PEOPLE = OF_NOBODY - {"ingested_files", "landing_files", "blank_lines", "businesses"}


class After:
    """A town before and after its people were erased.

    Attributes:
        words: what told of them.
        before: every row of every table, before.
        certificate: what was certified.
        after: every row of every table, after.
    """

    def __init__(self, demo: Demo, folder: Path) -> None:
        self.town = Town(demo, folder / "town")
        self.words = self.town.words_of(PEOPLE)
        self.before = self.town.tables()
        shutil.copytree(self.town.folder, folder / "backup")
        self.backup = folder / "backup"
        self.certificate = self.town.erase(PEOPLE)
        self.after = self.town.tables()


@pytest.fixture(scope="module")
def erased(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> After:
    return After(demo, tmp_path_factory.mktemp("erased"))


@pytest.fixture(scope="module")
def theirs(demo: Demo) -> Iterator[set[tuple[object, ...]]]:
    """Lines of the people, by the demo's truth, and whether the service named them on it."""
    path = demo.paths.truth / "requests.parquet"
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        query = (
            "select source, occurred_at, target, known_user is not null from read_parquet($path)"
            " where true_user in $people"
        )
        yield set(connection.execute(query, {"path": str(path), "people": PEOPLE}).fetchall())


def column(table: str, name: str) -> int:
    return TABLES[table].schema.names.index(name)


def gone(rows: After, table: str) -> list[tuple[object, ...]]:
    left = counted(rows.after[table])
    left.subtract(counted(rows.before[table]))
    lost = {row for row, count in left.items() if count < 0}
    return [row for row in rows.before[table] if repr(row) in lost]


def counted(rows: list[tuple[object, ...]]) -> Counter[str]:
    return Counter(map(repr, rows))


def test_nothing_of_them_is_left_in_any_file(erased: After) -> None:
    assert len(erased.words) > 3 * len(PEOPLE)
    before = found_in(erased.backup / "warehouse", erased.words)
    assert len(before) > 50
    for name in ("warehouse", "privacy", "landing"):
        assert found_in(erased.town.folder / name, erased.words) == []


def test_the_lines_that_went_are_theirs_and_all_that_named_them(erased: After, theirs: set[tuple[object, ...]]) -> None:
    names = ("source", "occurred_at", "target")
    went = {tuple(row[column("raw_requests", name)] for name in names) for row in gone(erased, "raw_requests")}
    assert {line[:3] for line in theirs if line[3]} <= went <= {line[:3] for line in theirs}
    assert len(went) > 300


def test_every_other_row_is_as_it_was(erased: After) -> None:
    for name in TABLES.keys() - MADE_OF_PEOPLE - {"ingested_files", "erased_owners"}:
        assert counted(erased.after[name]) <= counted(erased.before[name]), name
    for name, table in TABLES.items():
        if "user_id" in table.schema.names and name not in ("raw_requests", "requests", "identifier_days"):
            assert {row[column(name, "user_id")] for row in gone(erased, name)} <= {*PEOPLE}, name
            assert not {row[column(name, "user_id")] for row in erased.after[name]} & {*PEOPLE}, name


def test_who_shared_a_cookie_with_them_does_not_get_it(erased: After) -> None:
    (owners,) = erased.after["erased_owners"]
    assert owners == ("visitor", "c-desk-1", 2, 2, 1)
    links = {
        row for row in erased.before["identifier_links"] if row[column("identifier_links", "user_id")] not in PEOPLE
    }
    assert {*erased.after["identifier_links"]} == links


def test_built_anew_of_what_is_left_it_is_the_same(erased: After, tmp_path: Path) -> None:
    shutil.copytree(erased.town.folder / "warehouse", tmp_path / "warehouse")
    shutil.copytree(erased.town.folder / "privacy", tmp_path / "privacy")
    settings = erased.town.settings.__class__(
        **{**erased.town.settings.__dict__, "warehouse": tmp_path / "warehouse", "privacy": tmp_path / "privacy"}
    )
    with open_run(settings) as run:
        run.facts.pop("built")
        run.facts.pop("digests")
        bring_up_to_date(run)
        run.publish()
    assert_equal(erased.town.tables(settings), erased.after)


def assert_equal(found: Rows, expected: Rows, but_for: tuple[str, ...] = ()) -> None:
    for name in TABLES.keys() - {*but_for}:
        assert found[name] == expected[name], name


def without(rows: Rows, *names: str) -> Rows:
    """The same, the ledger without some columns."""
    places = {column("ingested_files", name) for name in names}
    files = [tuple(value for place, value in enumerate(row) if place not in places) for row in rows["ingested_files"]]
    return {**rows, "ingested_files": files}


def adds_up(town: Town) -> bool:
    with connect(town.settings) as connection:
        return ledger_adds_up(connection).passed


def test_the_ledger_adds_up_and_counts_them(erased: After) -> None:
    assert adds_up(erased.town)
    erased_lines = sum(row[column("ingested_files", "lines_erased")] for row in erased.after["ingested_files"])
    went = sum(len(gone(erased, name)) for name in ("raw_requests", "duplicate_lines", "rejected_lines"))
    assert erased_lines == went > 300


def test_the_next_run_reads_nothing_again_and_changes_nothing(erased: After) -> None:
    erased.town.run()
    found = erased.town.tables()
    # What was packed again is another file of the same content: it was looked at.
    assert_equal(without(found, "read_at"), without(erased.after, "read_at"), but_for=("landing_files",))


def test_the_certificate_says_what_was_searched_and_nothing_of_anybody(erased: After) -> None:
    path = erased.town.settings.privacy / "erasures" / "000001.json"
    assert json.loads(path.read_text(encoding="utf-8")) == erased.certificate
    assert found_in(path.parent, erased.words) == []
    assert [path.name for path in path.parent.iterdir() if path.name != "_lock"] == ["000001.json"]
    searched = {one["store"]: one for one in erased.certificate["searched"]}
    assert {"warehouse", "landing", "record of requests"} <= searched.keys()
    assert searched["warehouse"]["files"] > 300
    assert all(one["found"] == [] for one in searched.values())
    taken = erased.certificate["taken_out"]
    assert taken["raw_requests"]["rows"] == len(gone(erased, "raw_requests"))
    assert taken["users"]["rows"] == len(PEOPLE)
    assert erased.certificate["subjects"] == {"user": len(PEOPLE)}


def test_a_restored_backup_is_refused_until_it_went_through_it_and_then_is_the_same(
    erased: After, tmp_path: Path
) -> None:
    old = tmp_path / "warehouse"
    shutil.copytree(erased.backup / "warehouse", old)
    settings = erased.town.settings.__class__(
        **{**erased.town.settings.__dict__, "warehouse": old, "landing_is_ours": False}
    )
    with pytest.raises(ErasedError, match=r"older than erasure 1, .*trail privacy replay"):
        connect(settings)
    with pytest.raises(ErasedError, match="older than erasure 1"), open_run(settings):
        pass
    assert replay(settings) == [1]
    assert found_in(old, erased.words) == []
    # The landing folder was overwritten in the one, and not in the other.
    names = ("content_hash", "head_hash")
    assert_equal(without(erased.town.tables(settings), *names), without(erased.after, *names))
    assert replay(settings) == []


def test_without_the_ledger_nothing_is_read_or_written(erased: After, tmp_path: Path) -> None:
    settings = erased.town.settings.__class__(**{**erased.town.settings.__dict__, "privacy": tmp_path / "lost"})
    with pytest.raises(ErasedError, match=r"erasure 1 was made here, and .* does not have it"):
        connect(settings)
    with pytest.raises(ErasedError, match="what was erased may come back"), open_run(settings):
        pass


def test_what_is_delivered_again_does_not_come_back(erased: After) -> None:
    landing = erased.town.folder / "landing"
    for path in sorted((erased.backup / "landing").rglob("*")):
        if path.is_file():
            beside = landing / path.relative_to(erased.backup / "landing").parent
            shutil.copyfile(path, beside / f"again-{path.name}")
    erased.town.run()
    found = erased.town.tables()
    assert found_in(erased.town.folder / "warehouse", erased.words) == []
    for name in ("raw_requests", "requests", "acts", "clickstream", "visits", "users", "user_lookup", "rejected_lines"):
        if name == "raw_requests":
            assert len(found[name]) == len(erased.after[name])
        else:
            assert found[name] == erased.after[name], name
    assert adds_up(erased.town)
    again = [row for row in found["ingested_files"] if "again-" in str(row[column("ingested_files", "path")])]
    kept_out = sum(row[column("ingested_files", "lines_erased")] for row in again)
    assert kept_out >= len(gone(erased, "raw_requests"))
