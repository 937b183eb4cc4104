"""What is kept in memory about people who sign in with a password: sessions, and how often they failed of late.

It is lost when the server stops: everybody signs in again. Whether a password fits is not decided here.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

IDLE_SECONDS = 30 * 60
LONGEST_SECONDS = 12 * 60 * 60
MOST_SESSIONS = 1_000
MOST_KEYS = 10_000
Clock = Callable[[], float]


@dataclass
class Session:
    """Somebody signed in.

    Attributes:
        name: who.
        password: the hash that their password fitted; the session ends with it.
        started: when they signed in.
        seen: when they last asked for a page.
    """

    name: str
    password: str
    started: float
    seen: float


class Sessions:
    """The sessions, by a hash of their token: what is in memory lets nobody in."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def open(self, name: str, password: str) -> str:
        """Begin a session and return its token, which nobody had before; the one unused longest makes room.

        Args:
            name: who signed in.
            password: the hash that their password fitted.
        """
        token = secrets.token_urlsafe(32)
        now = self._clock()
        self._sessions[_hashed(token)] = Session(name, password, now, now)
        if len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return token

    def find(self, token: str) -> Session | None:
        """Return a token's session and note that it is in use; None where it has ended or never was."""
        key = _hashed(token)
        session = self._sessions.get(key)
        if session is None:
            return None
        now = self._clock()
        if now - session.seen >= IDLE_SECONDS or now - session.started >= LONGEST_SECONDS:
            del self._sessions[key]
            return None
        session.seen = now
        self._sessions.move_to_end(key)
        return session

    def close(self, token: str) -> None:
        """End a token's session, if it has one."""
        self._sessions.pop(_hashed(token), None)


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class Attempts:
    """How often something was tried with a key (a name, an address) within a span that moves along."""

    def __init__(self, most: int, seconds: float, clock: Clock) -> None:
        """Begin with none.

        Args:
            most: how many may be counted within the span.
            seconds: length of the span.
            clock: the time, in seconds that only grow.
        """
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._times: OrderedDict[str, list[float]] = OrderedDict()

    def wait(self, key: str) -> int:
        """Return for how many seconds nothing may be tried with a key; 0 where it may be now."""
        times = self._recent(key)
        return 0 if len(times) < self._most else math.ceil(times[0] + self._seconds - self._clock())

    def count(self, key: str) -> None:
        """Count an attempt; the key that was tried longest ago makes room."""
        self._times[key] = [*self._recent(key), self._clock()]
        self._times.move_to_end(key)
        if len(self._times) > MOST_KEYS:
            self._times.popitem(last=False)

    def take_back(self, key: str) -> None:
        """Forget the last attempt with a key."""
        if times := self._times.get(key):
            times.pop()

    def forget(self, key: str) -> None:
        """Forget all attempts with a key."""
        self._times.pop(key, None)

    def _recent(self, key: str) -> list[float]:
        since = self._clock() - self._seconds
        return [time for time in self._times.get(key, ()) if time > since]
