"""The true logs of made-up services, as their servers wrote them: people, bots, equal lines, a line that is broken.

What happens to the files they were written to does not belong here.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate, pairwise

AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
)
TARGETS = ("/", "/clients/7", "/clients/7/notes/3?tab=all", "/api/notes", "/app.css", "/health", "/search?q=caf\u00e9")
BROKEN = (b"what is this", b"\x16\x03\x01\x02", b"GET /\xff\xfe HTTP/1.1", b'{"time": "yesterday"}')


@dataclass(frozen=True)
class TrueLog:
    """All lines that one server wrote, each once for each time that it happened."""

    source: str
    lines: tuple[bytes, ...]
    broken: frozenset[int]

    @cached_property
    def data(self) -> bytes:
        """The whole log."""
        return b"".join(self.lines)

    @cached_property
    def bounds(self) -> list[tuple[int, int]]:
        """Where each line begins, and where it ends with its newline."""
        return list(pairwise((0, *accumulate(len(line) for line in self.lines))))

    @cached_property
    def starts(self) -> frozenset[int]:
        """Where lines begin, and the log's end."""
        return frozenset((0, *(last for _, last in self.bounds)))

    def is_request(self, number: int) -> bool:
        """Whether a line is a request, not broken or empty."""
        return number not in self.broken and bool(self.lines[number].strip())

    def beside(self, number: int) -> tuple[int, int]:
        """Where the request before a line begins, and where the one after it ends."""
        requests = [other for other in range(len(self.lines)) if self.is_request(other)]
        before = max((other for other in requests if other < number), default=number)
        after = min((other for other in requests if other > number), default=number)
        return self.bounds[before][0], self.bounds[after][1]

    def equal_to(self, number: int) -> list[int]:
        """All lines equal to one, itself too; a broken line, which tells no time, is only itself."""
        if number in self.broken:
            return [number]
        return [other for other, line in enumerate(self.lines) if line == self.lines[number]]


def true_log(seed: int, service: int, source: str, week: int) -> TrueLog:
    """Make a log of 20 to 60 lines over some days.

    Args:
        seed: decides everything.
        service: a number from 0 to 255 that keeps the people of one service apart from those of others.
        source: its name.
        week: in which it begins, from 0 on.
    """
    chance = random.Random(seed)
    write = chance.choice((_combined, _json))
    at = datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(weeks=week, hours=chance.randrange(30))
    lines: list[bytes] = []
    broken = set()
    for number in range(chance.randrange(20, 61)):
        kind = chance.random()
        if number and kind < 0.05:
            broken.add(len(lines))
            lines.append(chance.choice(BROKEN) + b"\n")
        elif number and kind < 0.08:
            lines.append(b"\n")
        elif number and kind < 0.2 and len(lines) - 1 not in broken:
            lines.append(lines[-1])
        else:
            at += timedelta(seconds=chance.choice((0, 0, 0, 1, 7, 40, 40, 400, 400, 2000, 2000, 2000, 2000, 40_000)))
            lines.append(write(chance, at, service))
    return TrueLog(source, tuple(lines), frozenset(broken))


def _combined(chance: random.Random, at: datetime, service: int) -> bytes:
    client = chance.randrange(1, 5)
    login = f"s{service}u{client}" if chance.random() < 0.5 else "-"
    asked, status = f"GET {chance.choice(TARGETS)} HTTP/1.1", chance.choice((200, 200, 404, 500))
    request = f'[{at:%d/%b/%Y:%H:%M:%S} +0000] "{asked}" {status}'
    return f'198.18.{service}.{client} - {login} {request} {at.second} "-" "{AGENTS[client % 3]}"\n'.encode()


def _json(chance: random.Random, at: datetime, service: int) -> bytes:
    client = chance.randrange(1, 5)
    told = {
        "time": at.isoformat(),
        "remote_addr": f"198.18.{service}.{client}",
        "method": chance.choice(("GET", "GET", "POST")),
        "target": chance.choice(TARGETS),
        "protocol": "HTTP/2.0",
        "status": str(chance.choice((200, 200, 403))),
        "bytes_sent": str(at.second),
        "user_agent": AGENTS[client % 3],
        "visitor_id": f"s{service}c{client}",
        "user_id": f"s{service}u{client}" if chance.random() < 0.4 else "",
        "business_id": f"s{service}b",
    }
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"
