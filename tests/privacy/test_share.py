"""What goes to processors, authorities and Businesses that leave: as little as asked for, written down, recalled."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.audit import read_entries
from pipeline.privacy import (
    Asking,
    ExportError,
    PersonError,
    Record,
    RecordError,
    answer_access,
    erase,
    export_business,
    subject_of,
)
from pipeline.privacy.share import HASHED, SHARED, Share, ShareError, all_shares, is_shared, share
from pipeline.schemas import TABLES
from tests.ingest.deliveries import House
from tests.privacy.test_erasing_other_things import targets, trail
from tests.privacy.town import found_in

ANA = Asking("ana", "The office", "T-1")


def give(house: House, name: str, folder: Path, businesses: list[str] | None = None) -> tuple[Share, pa.Table]:
    columns = ["date", "user_id", "route", "business_id", "visitor_id"]
    made = share(house.settings, name, "clickstream", columns, businesses, folder, "ana")
    return made, pq.read_table(folder / "clickstream.parquet")


def test_a_copy_has_the_columns_asked_for_and_ids_of_its_recipient(house: House, tmp_path: Path) -> None:
    made, given = give(house, "maps-inc", tmp_path / "one", ["b1"])
    rows = house.rows("select date, route from clickstream where business_id = 'b1' order by all")
    assert given.column_names == ["date", "user_id", "route", "business_id", "visitor_id"]
    assert sorted(zip(given["date"].to_pylist(), given["route"].to_pylist(), strict=True)) == rows
    assert (made.rows, made.recipient, made.businesses, made.table) == (len(rows), "maps-inc", ["b1"], "clickstream")
    users = {user for (user,) in house.rows("select user_id from clickstream where business_id = 'b1'")}
    ids = {user for user in given["user_id"].to_pylist() if user is not None}
    assert len(ids) == len(users - {None})
    assert all(len(one) == 32 for one in ids)
    assert found_in(tmp_path / "one", ["u1", "k1", "c-k1"]) == []
    _, other = give(house, "other-inc", tmp_path / "two", ["b1"])
    assert not ids & {*other["user_id"].to_pylist()}
    _, again = give(house, "maps-inc", tmp_path / "three")
    assert ids <= {*again["user_id"].to_pylist()}
    assert [one.number for one in all_shares(house.settings)] == [1, 2, 3]
    assert [(one.action, one.target) for one in read_entries(house.settings.access_log)][:1] == [("export", "share 1")]


def test_what_an_erasure_must_reach_is_listed_as_the_recipient_has_it(house: House, tmp_path: Path) -> None:
    _, given = give(house, "maps-inc", tmp_path / "one")
    share(house.settings, "counts-inc", "clickstream", ["date", "route"], None, tmp_path / "two", "ana")
    certificate = erase(house.settings, [subject_of("user", "u1", None, datetime.now(UTC))])
    assert certificate["copies_to_recall"] == [1]
    told = json.loads(trail(house, "recall", "--for", "maps-inc", "--json").output)
    assert [(one["share"], one["erasure"]) for one in told] == [(1, 1)]
    assert {one["user_id"] for one in told} < {*given["user_id"].to_pylist()}
    gone = given.filter(pa.compute.equal(given["user_id"], told[0]["user_id"]))
    assert gone.num_rows == 4
    assert "maps-inc" in trail(house, "recall").output
    assert trail(house, "recall", "--for", "counts-inc").output == "nothing has to be recalled\n"


def test_of_somebody_erased_in_one_business_only_copies_with_its_rows_are_recalled(
    house: House, tmp_path: Path
) -> None:
    give(house, "maps-inc", tmp_path / "one", ["b1"])
    give(house, "maps-inc", tmp_path / "two", ["b2"])
    give(house, "maps-inc", tmp_path / "three")
    certificate = erase(house.settings, [subject_of("user", "u2", "b2", datetime.now(UTC))])
    assert certificate["copies_to_recall"] == [2, 3]


@pytest.mark.parametrize(
    ("table", "columns", "said"),
    [
        ("requests", ["date", "ip"], r"requests\.ip is not shared"),
        ("requests", ["query"], r"requests\.query is not shared"),
        ("users", ["user_id", "date_of_birth"], r"users\.date_of_birth is not shared"),
        ("user_lookup", ["business_ids"], r"user_lookup\.business_ids is not shared"),
        ("visits", ["visit_id", "date"], "ids of visits are not shared so"),
        ("requests", ["user_id", "visitor_id"], "ids of requests are not shared so"),
        ("visits", ["shoe_size"], "visits has no column 'shoe_size'"),
        ("nothing", ["a"], "there is no table 'nothing'"),
    ],
)
def test_what_is_not_asked_for_rightly_is_refused(
    house: House, tmp_path: Path, table: str, columns: list[str], said: str
) -> None:
    with pytest.raises(ShareError, match=said):
        share(house.settings, "maps-inc", table, columns, None, tmp_path / "out", "ana")
    assert not (tmp_path / "out").exists()
    assert all_shares(house.settings) == []


def test_a_recipient_and_a_folder_are_checked(house: House, tmp_path: Path) -> None:
    with pytest.raises(ShareError, match="names no recipient"):
        share(house.settings, "../../etc", "visits", ["date"], None, tmp_path / "out", "ana")
    with pytest.raises(ExportError):
        share(house.settings, "maps-inc", "visits", ["date"], None, tmp_path, "ana")
    with pytest.raises(ShareError, match="users does not tell of which Business"):
        share(house.settings, "maps-inc", "users", ["user_id"], ["b1"], tmp_path / "out", "ana")


def test_no_text_is_shared_that_is_not_named() -> None:
    for name, table in TABLES.items():
        for field in table.file_schema:
            if not pa.types.is_primitive(field.type):
                assert is_shared(name, field.name) == (field.name in HASHED | SHARED), (name, field.name)
    assert not {"path", "query", "ip", "name", "email", "referrer", "user_agent", "identifier"} & (HASHED | SHARED)


def test_a_lawful_request_is_an_export_with_its_reference(house: House, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="has a reference"):
        answer_access(house.settings, "b1", "u1", tmp_path / "one", Asking("ana", "A court"), kind="lawful")
    answer_access(house.settings, "b1", "u1", tmp_path / "two", Asking("ana", "A court", "7 O 12/26"), kind="lawful")
    (done,) = Record(house.settings).all()
    assert (done.kind, done.reference, done.asked_by, done.outcome) == ("lawful", "7 O 12/26", "A court", "done")
    assert (tmp_path / "two" / "index.html").exists()
    result = trail(house, "export", "--business", "b1", "--user", "u1", "--lawful", "--out", str(tmp_path / "three"))
    assert "a lawful request has a reference" in result.output


def test_a_business_that_leaves_gets_all_and_is_erased(house: House, tmp_path: Path) -> None:
    before = {
        name: house.rows(f"select count(*) from {name} where business_id = 'b1'")[0][0]
        for name, table in TABLES.items()
        if "business_id" in table.schema.names and name not in ("requests", "raw_requests")
    }
    lines = house.rows("select count(*) from raw_requests where business_id = 'b1'")[0][0]
    out = tmp_path / "b1"
    result = trail(house, "leave", "--business", "b1", "--out", str(out), "--yes", "--now")
    assert "erased, and nothing is left" in result.output
    given = {path.stem: pq.read_table(path).num_rows for path in out.glob("*.parquet")}
    assert {name: count for name, count in before.items() if count} == {
        name: given[name] for name in before if before[name]
    }
    assert given["raw_requests"] >= lines > 5
    assert given["users"] == 3
    for name, count in given.items():
        assert len(json.loads((out / f"{name}.json").read_text(encoding="utf-8"))) == count
    assert targets(house) == ["/assets/b.js", "/b2", "/choose"]
    assert [(one.kind, one.of, one.outcome) for one in Record(house.settings).all()] == [
        *(("erasure", "business", "done"), ("access", "business", "done")),
    ]


def test_of_no_business_nothing_is_exported(house: House, tmp_path: Path) -> None:
    with pytest.raises(PersonError, match="there is no Business 'b9'"):
        export_business(house.settings, "b9", tmp_path / "out", ANA)
    assert not (tmp_path / "out").exists()
