"""A small log of who looked, as several tests need it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pipeline.audit import AccessLog, Subject, View, access_key, verify

KEY = access_key("a secret of the tests")
ANN = View("dana", "support", "user", "u1", (Subject("u1", ("b1",)),), "ticket 4711", "shown", 7)


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def three_months(folder: Path) -> AccessLog:
    """Ten entries in three months, two reasons of which were erased."""
    for month in (10, 11, 12):
        log = AccessLog(folder, KEY, at(2026, month, 5, 9, 30))
        log.append(ANN)
        log.append(View("eli", "support", "search", "/users", outcome="refused"))
        if month < 12:
            log.append(View("eli", "support", "visit", "20260315-3027984c55ded857", (Subject(None, ("b2",)),), "é\n"))
    assert log.erase_why([1, 6], "fay", "operator", "asked for") == 9
    assert log.append(ANN) == 10  # so that nothing but the head tells of the last entry
    assert [path.name for path in files(folder)] == ["2026-10.jsonl", "2026-11.jsonl", "2026-12.jsonl"]
    assert problems(folder) == []
    return log


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def problems(folder: Path, head: str | None = None) -> list[str]:
    return [str(problem) for problem in verify(folder, KEY, head)]
