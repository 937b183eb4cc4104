"""A layout proposed for lines of no known format: what each column seems to be, as a line to paste into the settings.

It guesses, so nothing is read by it until somebody pastes it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.formats.fields import split_request
from pipeline.formats.layout import LayoutError
from pipeline.formats.pasted import compile_pasted
from pipeline.formats.reasons import Rejected
from pipeline.formats.times import read_clf_clock, read_instant

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)"|\[([^\]]*+)\]|([^ ]++)')
MOST_LINES = 50
_MOST_COLUMNS = 100


@dataclass(frozen=True)
class Column:
    """One column of the lines.

    Attributes:
        variable: the nginx variable that it seems to be; of JSON lines, the field.
        seems: the same in words.
        samples: a few of its values.
    """

    variable: str
    seems: str
    samples: tuple[str, ...]


@dataclass(frozen=True)
class Proposal:
    """A format for lines of none.

    Attributes:
        format: what to paste as `format` of the source.
        columns: what its columns seem to be, in order.
        reads: how many of the lines looked at it reads.
        looked_at: how many lines were looked at.
        fields: of JSON lines, key by field.
    """

    format: str
    columns: tuple[Column, ...]
    reads: int
    looked_at: int
    fields: Mapping[str, str] = field(default_factory=dict)


def propose(lines: Sequence[str]) -> Proposal | None:
    """Propose a format.

    Args:
        lines: some lines of the file.

    Returns:
        The proposal; None where the lines have no shape in common, or none of a log: no time, or a hundred columns.
    """
    looked_at = [line for line in lines if line.strip()][:MOST_LINES]
    shapes = [_shape(line) for line in looked_at]
    common = max(set(shapes), key=shapes.count, default=())
    alike = [line for line, shape in zip(looked_at, shapes, strict=True) if shape == common]
    if not 0 < len(common) <= _MOST_COLUMNS:
        return None
    columns = []
    used: set[str] = set()
    for values in zip(*([token for token, _ in _tokens(line)] for line in alike), strict=True):
        variable, seems = _guess(values, used)
        used.add(variable)
        columns.append(Column(variable, seems, tuple(dict.fromkeys(values))[:3]))
    if not used & {"time_local", "time_iso8601", "msec"}:
        return None
    quoted = {"quoted": '"${}"', "bracketed": "[${}]", "bare": "${}"}
    pasted = " ".join(quoted[kind].format(column.variable) for kind, column in zip(common, columns, strict=True))
    reads = sum(_reads(pasted, line) for line in looked_at)
    return Proposal(pasted, tuple(columns), reads, len(looked_at)) if reads else None


def _tokens(line: str) -> list[tuple[str, str]]:
    found = []
    for match in _TOKEN.finditer(line):
        kind = "quoted" if match[1] is not None else "bracketed" if match[2] is not None else "bare"
        found.append((next(group for group in match.groups() if group is not None), kind))
    return found


def _shape(line: str) -> tuple[str, ...]:
    return tuple(kind for _, kind in _tokens(line))


def _guess(values: Sequence[str], used: set[str]) -> tuple[str, str]:
    present = [value for value in values if value not in ("-", "")]
    for variable, seems, test in _GUESSES:
        if variable not in used and present and all(test(value) for value in present):
            return variable, seems
    number = sum(name.startswith("http_unknown") for name in used) + 1
    return f"http_unknown_{number}", "always empty" if not present else "unknown; kept in `extra`"


def is_address(value: str) -> bool:
    """Tell whether a value is an IP address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_clock(value: str) -> bool:
    clock, _, zone = value.partition(" ")
    return read_clf_clock(clock) is not None and bool(zone)


def _is_iso(value: str) -> bool:
    return "-" in value and read_instant(value) is not None


def _is_epoch(value: str) -> bool:
    return value[:1].isdigit() and "-" not in value and read_instant(value) is not None


def is_status(value: str) -> bool:
    """Tell whether a value looks like a response status."""
    return len(value) == 3 and value.isdigit() and "1" <= value[0] <= "5"


def _is_agent(value: str) -> bool:
    return "/" in value and not value.startswith(("/", "http")) and len(value) > 5 and split_request(value) is None


def is_method(value: str) -> bool:
    """Tell whether a value is a usual request method."""
    return value in ("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS")


def is_host(value: str) -> bool:
    """Tell whether a value looks like a host's name, with a dot."""
    named = re.fullmatch(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}(?::\d{1,5})?", value)
    return named is not None and any(char.isalpha() for char in value)


_GUESSES: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("remote_addr", "the client's address", is_address),
    ("time_local", "the time, as the common log writes it", _is_clock),
    ("time_iso8601", "the time, ISO 8601", _is_iso),
    ("msec", "the time, since 1970", _is_epoch),
    ("request", "the request line", lambda value: split_request(value) is not None),
    ("status", "the response status", is_status),
    ("request_method", "the method", is_method),
    ("server_protocol", "the protocol", lambda value: value.startswith("HTTP/")),
    ("http_referer", "the referrer", lambda value: value.startswith(("http://", "https://"))),
    ("request_uri", "the target", lambda value: value.startswith("/")),
    (
        "bytes_sent",
        "the response's size in bytes",
        lambda value: value.isascii() and value.isdigit() and len(value) < 16,
    ),
    ("request_time", "the time taken, in seconds", lambda value: re.fullmatch(r"\d{1,6}\.\d{1,9}", value) is not None),
    ("http_user_agent", "the user agent", _is_agent),
    ("host", "the host", is_host),
)


def _reads(pasted: str, line: str) -> bool:
    try:
        compile_pasted(pasted, "proposed").parse_line(line)
    except (Rejected, LayoutError):
        return False
    return True
