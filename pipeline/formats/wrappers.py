"""What others put in front of a line, or round it: syslog, containers, the journal. It is taken off.

A line without the wrapper is taken as it is, so that files in which both occur are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.formats.json_lines import JsonFormat, is_unicode
from pipeline.formats.layout import LayoutFormat

_SYSLOG = re.compile(
    r"(?:<\d{1,3}>)?+(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[0-9:.]{8,16}+(?:Z|[+-]\d\d:\d\d))"
    r" [^ ]{1,255}+ [^ :\[]{1,64}+(?:\[\d{1,10}+\])?+: ?+",
    re.ASCII,
)
_SYSLOG_5424 = re.compile(
    r"<\d{1,3}>1 [^ ]{1,40}+ [^ ]{1,255}+ [^ ]{1,48}+ [^ ]{1,128}+ [^ ]{1,32}+ "
    r"(?:-|\[[^\]]{0,1000}+\]) ?+(?:\ufeff)?+",
    re.ASCII,
)
_COMPOSE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,127}+ ++\| ", re.ASCII)
_CRI = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{8,18}+(?:Z|[+-]\d\d:\d\d) std(?:out|err) F ", re.ASCII)

Unwrap = Callable[[str], str]


def _prefix(pattern: re.Pattern[str]) -> Unwrap:
    def unwrap(text: str) -> str:
        found = pattern.match(text)
        return text[found.end() :] if found else text

    return unwrap


def _member(key: str, *others: str) -> Unwrap:
    """Take the line out of a JSON object that has it at a key, and some other keys."""

    def unwrap(text: str) -> str:
        if not text.startswith("{") or f'"{key}"' not in text:
            return text
        try:
            loaded = json.loads(text)
        except (ValueError, RecursionError):
            return text
        line = loaded.get(key) if all(other in loaded for other in others) else None
        bare = line.removesuffix("\n") if isinstance(line, str) else None
        if bare is None or "\n" in bare or "\0" in bare or not is_unicode(bare):
            return text
        return bare

    return unwrap


@dataclass(frozen=True)
class Wrapper:
    """Something put round lines.

    Attributes:
        name: shown in the ledger, before the format of the line itself.
        unwrap: gives the line itself; the text as it is where the wrapper is not there.
        is_prefix: whether it stands in front of the line; else the line is inside of it, written otherwise.
    """

    name: str
    unwrap: Unwrap
    is_prefix: bool

    def prefix(self, text: str) -> str:
        """Return what stands in front of the line."""
        return text.removesuffix(self.unwrap(text)) if self.is_prefix else ""


WRAPPERS = (
    Wrapper("syslog", _prefix(_SYSLOG), is_prefix=True),
    Wrapper("syslog_5424", _prefix(_SYSLOG_5424), is_prefix=True),
    Wrapper("compose", _prefix(_COMPOSE), is_prefix=True),
    Wrapper("cri", _prefix(_CRI), is_prefix=True),
    Wrapper("docker", _member("log", "stream", "time"), is_prefix=False),
    Wrapper("journald", _member("MESSAGE", "__REALTIME_TIMESTAMP"), is_prefix=False),
)


@dataclass(frozen=True)
class WrappedFormat:
    """A format whose lines are wrapped."""

    wrapper: Wrapper
    inner: LayoutFormat | JsonFormat

    @property
    def name(self) -> str:
        """The wrapper's and the line's own."""
        return f"{self.wrapper.name}:{self.inner.name}"

    @property
    def is_text(self) -> bool:
        """As of `LayoutFormat`."""
        return self.wrapper.is_prefix and self.inner.is_text

    def parse_line(self, text: str) -> dict[str, object]:
        """Read one line exactly, as the inner format does.

        Raises:
            Rejected: what is in the wrapper is not of the inner format.
        """
        return self.inner.parse_line(self.wrapper.unwrap(text).removeprefix("\ufeff"))
