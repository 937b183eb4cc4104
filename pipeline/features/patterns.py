"""One pattern of a feature: what may stand in it, which acts it takes, and the same as rows for SQL.

Features and the file that they stand in do not belong here; those are `catalogue`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import product
from typing import Any

_METHOD = re.compile("[A-Z]+(-[A-Z]+)*")
_HOST = re.compile(r"(\*\.)?(\[[^\s*/A-Z\[\]]+\]|[^\s*/:A-Z\[\]]+)")
_STATUS_CLASS = re.compile("[1-5]xx")
_UNDER = "/**"


class PatternError(ValueError):
    """A pattern is not what it must be; the message names the key and what it may be."""


@dataclass(frozen=True)
class Pattern:
    """Which acts are a feature's: those that all of these take; what is left out takes any act.

    Attributes:
        method: request methods, of which any will do.
        host: a host; with `*.` in front, every host under it.
        route: a route as in `requests.route`; `*` is one segment, `/**` at the end is that and everything under it.
        event: an event's name, or name and label as `name:label`; `*` is every event.
        status: spans of statuses, first and last, of which any will do.
    """

    method: tuple[str, ...] = ()
    host: str | None = None
    route: str | None = None
    event: str | None = None
    status: tuple[tuple[int, int], ...] = ()

    def takes(
        self,
        method: str | None,
        host: str | None,
        route: str | None,
        event: str | None,
        event_label: str | None,
        status: int | None,
    ) -> bool:
        """Whether it takes an act, of which these are columns of `clickstream`."""
        return (
            (not self.method or method in self.method)
            and (self.host is None or (host is not None and _is_host(self.host, host)))
            and (self.route is None or (route is not None and _is_route(self.route, route)))
            and (self.event is None or (event is not None and _is_event(self.event, event, event_label)))
            and (not self.status or (status is not None and any(a <= status <= z for a, z in self.status)))
        )

    def rows(self) -> Iterator[tuple[str | int | None, ...]]:
        """Give it as rows of `RULE`: one for each method and status, of which any will do."""
        is_under = self.host is not None and self.host.startswith("*.")
        expression = None if self.route is None else _expression(self.route)
        start = None if self.route is None or expression is None else self.route.partition("*")[0].removesuffix("/")
        for method, (first, last) in product(self.method or (None,), self.status or ((None, None),)):
            yield (
                method,
                None if is_under else self.host,
                self.host[1:] if self.host and is_under else None,
                self.route,
                start,
                f"^(?s:{expression})$" if expression is not None else None,
                self.event,
                first,
                last,
            )


# Columns of a pattern's rows. A route with wildcards has its start beside its expression: an engine compares the start
# quickly, but compiles an expression that stands in a row anew each time.
RULE = (
    "method",
    "host",
    "host_ending",
    "route",
    "route_start",
    "route_expression",
    "event",
    "status_from",
    "status_to",
)


def _is_host(said: str, host: str) -> bool:
    return host.endswith(said[1:]) if said.startswith("*.") else host == said


def _is_event(said: str, event: str, event_label: str | None) -> bool:
    return said in ("*", event) or (event_label is not None and said == f"{event}:{event_label}")


def _is_route(said: str, route: str) -> bool:
    compiled = _compiled(said)
    return route == said if compiled is None else compiled.fullmatch(route) is not None


@lru_cache(maxsize=1 << 12)
def _compiled(route: str) -> re.Pattern[str] | None:
    expression = _expression(route)
    return None if expression is None else re.compile(f"(?s:{expression})")


def _expression(route: str) -> str | None:
    """Write a route with wildcards as an expression that Python and RE2 read alike; None where it has none."""
    if "*" not in route:
        return None
    head = route.removesuffix(_UNDER)
    segments = "/".join("[^/]+" if segment == "*" else re.escape(segment) for segment in head.split("/"))
    return segments if head == route else f"{segments}(?:/.*)?"


def read_pattern(said: Any) -> Pattern:
    """Read a pattern as it stands in the file.

    Raises:
        PatternError: it is none; with the key that is wrong and what it may be. Unknown keys are left to the caller.
    """
    if not isinstance(said, Mapping) or not said:
        raise PatternError(f'it must be a table of {", ".join(PATTERN_KEYS)}, such as {{ route = "/clients/**" }}')
    return Pattern(
        tuple(sorted({_method(one) for one in _several(said, "method")})),
        _host(said["host"]) if "host" in said else None,
        _route(said["route"]) if "route" in said else None,
        _event(said["event"]) if "event" in said else None,
        tuple(sorted({_status(one) for one in _several(said, "status")})),
    )


PATTERN_KEYS = tuple(entry.name for entry in fields(Pattern))


def _several(said: Mapping[str, Any], key: str) -> list[Any]:
    value = said.get(key)
    if value == []:
        raise PatternError(f"{key} is an empty list, which takes no act; leave {key} out to take any")
    return [] if value is None else value if isinstance(value, list) else [value]


def _method(said: Any) -> str:
    if not isinstance(said, str) or not _METHOD.fullmatch(said):
        raise PatternError(f'method is {said!r}; it must be a method in capitals, such as "POST", or a list of them')
    return said


def _host(said: Any) -> str:
    if not isinstance(said, str) or not _HOST.fullmatch(said):
        raise PatternError(
            f'host is {said!r}; it must be a host in lower case without port, or "*." and what hosts end with, '
            'such as "app.example.com" or "*.example.com"'
        )
    return said


def _route(said: Any) -> str:
    if not isinstance(said, str) or not said.startswith("/"):
        raise PatternError(f'route is {said!r}; it must be a route, such as "/clients/{{id}}/notes"')
    if any("*" in segment and segment != "*" for segment in said.removesuffix(_UNDER).split("/")):
        raise PatternError(
            f"route is {said!r}; * must be a whole segment, and ** the last one, such as /clients/*/notes/**"
        )
    return said


def _event(said: Any) -> str:
    if not isinstance(said, str) or not said:
        raise PatternError(f'event is {said!r}; it must be the name of an event, such as "saved" or "click:export"')
    if said.endswith(":*"):
        raise PatternError(f"event is {said!r}; {said[:-2]!r} alone takes every label")
    return said


def _status(said: Any) -> tuple[int, int]:
    if isinstance(said, str) and _STATUS_CLASS.fullmatch(said):
        first = int(said[0]) * 100
        return first, first + 99
    if not isinstance(said, int) or isinstance(said, bool) or not 100 <= said <= 599:
        raise PatternError(f'status is {said!r}; it must be a number such as 404, a class such as "4xx", or a list')
    return said, said
