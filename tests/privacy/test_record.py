"""The record of what Businesses asked: numbers, due days, what stays of a closed request, and who writes at once."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from pipeline.privacy import DONE, REFUSED, Record, RecordError, Request
from pipeline.privacy.record import subject_hash
from pipeline.settings import Settings

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)


def record_of(folder: Path, **more: Any) -> Record:
    return Record(Settings(privacy=folder / "privacy", **more), lambda: NOW)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "privacy" / "requests").glob("*.json"))


def test_a_request_is_due_in_so_many_days_after_it_came(tmp_path: Path) -> None:
    record = record_of(tmp_path, privacy_days=45)
    said = record.receive("access", "b1", "u1", "ana", "The office", "T-1", datetime(2026, 3, 10, 23, 30, tzinfo=UTC))
    assert (said.number, said.due, said.is_open) == (1, date(2026, 4, 24), True)
    assert [said.days_left(said.due + timedelta(days)) for days in (-1, 0, 1)] == [1, 0, -1]
    assert record.read(1) == said
    assert record.receive("erasure", "b1", "u1", "ana").due == date(2026, 4, 30), "it came now"


def test_what_is_due_first_comes_first_and_what_is_closed_last(tmp_path: Path) -> None:
    record = record_of(tmp_path)
    for days in (1, 9, 5):
        record.receive("access", "b1", f"u{days}", "ana", received_at=NOW - timedelta(days=days))
    record.close(2, DONE)
    record.receive("access", "b2", "u0", "ana")
    record.close(1, REFUSED, "who asked could not be known")
    assert [one.number for one in record.all()] == [3, 4, 2, 1]


def test_a_closed_request_names_nobody(tmp_path: Path) -> None:
    record = record_of(tmp_path)
    record.receive("access", "b1", "ann.person", "ana")
    assert "ann.person" in files(tmp_path)[0].read_text(encoding="utf-8")
    closed = record.close(1, DONE, "exported", {"users": 1})
    assert (closed.user, closed.outcome, closed.closed_at, closed.rows) == (None, DONE, NOW, {"users": 1})
    assert closed.subject == subject_hash(Settings(), "ann.person") != subject_hash(Settings(secret="s"), "ann.person")
    assert record.read(1) == closed
    assert b"ann.person" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert (tmp_path / "privacy").stat().st_mode & 0o077 == 0, "others may not read it"


def test_a_request_is_closed_once(tmp_path: Path) -> None:
    record = record_of(tmp_path)
    record.receive("access", "b1", "u1", "ana")
    record.close(1, DONE)
    with pytest.raises(RecordError, match="request 1 was closed on 2026-03-16: done"):
        record.close(1, REFUSED)
    with pytest.raises(RecordError, match="there is no request 2"):
        record.close(2, DONE)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"kind": "rumour"}, "there are no requests of kind 'rumour'; there are access, correction, erasure"),
        ({"received_at": NOW + timedelta(minutes=1)}, "received at 2026-03-16 12:01, which is later than now"),
        ({"reference": "x" * 501}, "reference has 501 characters; at most 500 are kept"),
    ],
)
def test_what_cannot_be_is_not_written(tmp_path: Path, said: dict[str, Any], why: str) -> None:
    asked = {"kind": "access", "business": "b1", "user": "u1", "noted_by": "ana"} | said
    with pytest.raises(RecordError, match=why):
        record_of(tmp_path).receive(**asked)
    assert files(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"number": 1', '{"number": 1, "due": "soon"}'])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    record = record_of(tmp_path)
    record.receive("access", "b1", "u1", "ana")
    files(tmp_path)[0].write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=r"000001\.json: this is no request of the record"):
        record.all()


def _receive(folder: Path) -> Request:
    return record_of(folder).receive("access", "b1", "u1", "ana")


def test_those_who_write_at_once_have_numbers_of_their_own(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, get_context("spawn")) as pool:
        numbers = [said.number for said in pool.map(_receive, [tmp_path] * 12)]
    assert sorted(numbers) == list(range(1, 13))
    assert [json.loads(path.read_text())["number"] for path in files(tmp_path)] == list(range(1, 13))
