"""Lines as files in a landing folder: rotated, compressed, overlapping, late, and with broken lines among them."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import zstandard

from pipeline.demo.events import Event
from pipeline.demo.people import FIRST_DAY
from pipeline.demo.render import combined_line, json_line
from pipeline.demo.scenarios import at

_OVERLAP_MS = 3_600_000
_LATE_FROM, _LATE_TO = 13.0, 13.25
_BROKEN: tuple[bytes, ...] = (
    b'{"time":"2026-03-02T10:00:00+00:00","remote_addr":"198.18.0.1","met',
    b"\x80\x81\xfe\xff not text",
    b"GET / HTTP/1.1 from a line that lost its head",
    b'198.18.0.1 - - [02/Mar/2026:10:00:00 +0000] "GET /\x00 HTTP/1.1" 200 5 "-" "-"',
    b"x" * 70_000,
)


@dataclass
class _File:
    """A file to deliver."""

    path: str
    lines: list[bytes]
    copies: int = 0
    broken: int = 0
    blank: int = 0
    newline: bytes = b"\n"


def deliver(landing: Path, events: Sequence[Event], random: Random, days: int) -> pa.Table:
    """Write all files.

    Args:
        landing: the landing folder.
        events: everything that happened.
        random: where broken lines go.
        days: how many there are.

    Returns:
        A row a file: path, lines, broken, blank, and copies of lines that another file brings too.
    """
    files = [
        *_daily("web", events, days, json_line),
        *_overlapping("mobile", events, days),
        *_daily("site", events, days, combined_line, is_late=True),
    ]
    for number, file in enumerate(files):
        if number % 5 == 1 and file.lines:
            _spoil(file, random)
    files[2].newline = b"\r\n"
    for file in files:
        _write(landing / file.path, file)
    return pa.table(
        {
            "path": [file.path for file in files],
            "lines": [len(file.lines) for file in files],
            "broken": [file.broken for file in files],
            "blank": [file.blank for file in files],
            "copies": [file.copies for file in files],
        }
    )


def _within(events: Sequence[Event], source: str, first_ms: int, end_ms: int) -> list[Event]:
    chosen = [event for event in events if event.source == source and first_ms <= event.at_ms < end_ms]
    return sorted(chosen, key=lambda event: event.at_ms)


def _daily(
    source: str,
    events: Sequence[Event],
    days: int,
    line: Callable[[Event], str],
    is_late: bool = False,
) -> list[_File]:
    """A file a day, rotated at midnight; old ones compressed. Some lines of an old day come in a file of their own."""
    mine = [event for event in events if event.source == source]
    endings = (".gz", ".bz2", ".zst")
    late_day = FIRST_DAY + timedelta(days=max(0, days - 10))
    late: list[Event] = []
    files = []
    for number in range(days + 1):
        day = FIRST_DAY + timedelta(days=number)
        chosen = _within(mine, source, at(day, 0), at(day, 24))
        if is_late and day == late_day:
            late = [event for event in chosen if at(day, _LATE_FROM) <= event.at_ms < at(day, _LATE_TO)]
            chosen = [event for event in chosen if not at(day, _LATE_FROM) <= event.at_ms < at(day, _LATE_TO)]
        age = days - number
        name = "access.log" if age == 0 else f"access.log.{age}"
        ending = endings[number % 3] if age > 2 else ""
        if chosen or age == 0:
            files.append(_File(f"{source}/{name}{ending}", [line(event).encode() for event in chosen]))
    if late:
        files.append(_File(f"{source}/late-{late_day:%Y%m%d}.log.gz", [line(event).encode() for event in late]))
    return files


def _overlapping(source: str, events: Sequence[Event], days: int) -> list[_File]:
    """A file a day, from noon on, that goes on for an hour into the next one, which begins at noon all the same."""
    files = []
    for number in range(-1, days):
        day = FIRST_DAY + timedelta(days=number)
        chosen = _within(events, source, at(day, 12), at(day, 36) + _OVERLAP_MS)
        copies = sum(event.at_ms >= at(day, 36) for event in chosen)
        if chosen:
            files.append(_File(f"{source}/{day}.json", [json_line(event).encode() for event in chosen], copies))
    return files


def _spoil(file: _File, random: Random) -> None:
    for broken in _BROKEN:
        file.lines.insert(random.randrange(len(file.lines)), broken)
        file.broken += 1
    file.lines.insert(random.randrange(len(file.lines)), b"")
    file.blank += 1


def _write(path: Path, file: _File) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"".join(line + file.newline for line in file.lines)
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    elif path.suffix == ".bz2":
        data = bz2.compress(data)
    elif path.suffix == ".zst":
        data = zstandard.ZstdCompressor().compress(data)
    path.write_bytes(data)
