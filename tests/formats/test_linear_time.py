"""No line takes more than time in proportion to its length: hostile lines of 100 kB through every reader of lines.

A pattern that goes back over what it has read takes hours for them, so the limit is far from what is needed.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from pipeline.formats import Format, Rejected, known_formats
from pipeline.formats.pasted import compile_pasted
from pipeline.formats.proposal import propose
from pipeline.formats.w3c import W3cFormat
from pipeline.formats.wrappers import WRAPPERS, Wrapper
from pipeline.settings import Settings

LONG = 100_000
LIMIT_S = 20
START = '203.0.113.7 - - [02/Mar/2026:10:00:05 +0000] "'
PUMPS = [
    "a",
    " ",
    '"',
    "\\",
    '\\"',
    '" "',
    "[",
    "] ",
    "/",
    ": ",
    "1",
    "1.",
    ", ",
    "{",
    '{"',
    "[[",
    "é",
    "#a:",
    "a=",
    "|",
    "\t",
    "| ",
]
LINES = [pump * (LONG // len(pump)) for pump in PUMPS]
LINES += [f"{START}{line}" for line in LINES] + [f"{line}!" for line in LINES]


@contextmanager
def limit(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


FORMATS = [
    *known_formats(Settings()),
    W3cFormat(("date", "time", "c-ip")),
    compile_pasted("$host|$uri;$args [$time_local]", "mine"),
]


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_formats(known: Format) -> None:
    with limit(LIMIT_S):
        for line in LINES:
            with suppress(Rejected):
                known.parse_line(line)


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda wrapper: wrapper.name)
def test_wrappers(wrapper: Wrapper) -> None:
    with limit(LIMIT_S):
        for line in LINES:
            wrapper.unwrap(line)


def test_directives_and_proposals() -> None:
    with limit(LIMIT_S):
        for line in LINES:
            W3cFormat().after(f"#{line}")
            W3cFormat().after_block(f"#Fields: {line}\n#{line}\n".encode())
            propose([line])
