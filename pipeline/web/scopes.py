"""The published tables as each scope sees them, held open for many questions, and opened anew when a run publishes.

Opening takes seconds where there are a million users. While it goes on, what was published before answers.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import duckdb

from pipeline.lookup import open_scope
from pipeline.settings import Settings
from pipeline.warehouse import published_mark

_MOST = 16  # scopes held; each has the search terms of its Businesses in memory
RENEWING = "opening what was published"
_Businesses = tuple[str, ...] | None
_State = tuple[str, date]


@dataclass
class _Held:
    """What a scope sees of one state; nothing before it was opened first."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    state: _State | None = None
    connection: duckdb.DuckDBPyConnection | None = None
    is_opening: bool = False


class Scopes:
    """Gives a connection to ask with; those of one scope share what is in memory."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet.

        Args:
            settings: where the warehouse is.
        """
        self._settings = settings
        self._lock = threading.Lock()
        self._held: OrderedDict[_Businesses, _Held] = OrderedDict()

    @contextmanager
    def ask(self, businesses: _Businesses) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection to what a scope sees of the published tables, for one question.

        Args:
            businesses: ids of the Businesses in scope; None for all.
        """
        cursor = self._cursor(self._scope(businesses), businesses)
        try:
            cursor.execute("set schema = 'in_scope'")
            yield cursor
        finally:
            cursor.close()

    def _scope(self, businesses: _Businesses) -> _Held:
        """The scope's place; the one that was asked longest ago gives way. Cursors at work go on."""
        with self._lock:
            held = self._held.setdefault(businesses, _Held())
            self._held.move_to_end(businesses)
            while len(self._held) > _MOST:
                self._held.popitem(last=False)
            return held

    def _cursor(self, held: _Held, businesses: _Businesses) -> duckdb.DuckDBPyConnection:
        state = published_mark(self._settings), datetime.now(UTC).date()
        with held.lock:
            if held.connection is None:
                held.state, held.connection = state, self._opened(businesses)
            elif held.state != state and not held.is_opening:
                held.is_opening = True
                renew = threading.Thread(target=self._renew, args=(held, businesses, state), name=RENEWING, daemon=True)
                renew.start()
            return held.connection.cursor()

    def _renew(self, held: _Held, businesses: _Businesses, state: _State) -> None:
        """Open what was published, and let it answer from then on."""
        try:
            connection = self._opened(businesses)
            with held.lock:
                held.state, held.connection = state, connection
        finally:
            held.is_opening = False

    def _opened(self, businesses: _Businesses) -> duckdb.DuckDBPyConnection:
        return open_scope(self._settings, businesses, in_memory=True)
