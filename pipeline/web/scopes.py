"""The published tables as each scope sees them, held open for many questions, and opened anew when a run publishes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import duckdb

from pipeline.lookup import open_scope
from pipeline.settings import Settings
from pipeline.warehouse import published_mark

_MOST = 16  # scopes held; each has the search terms of its Businesses in memory
_Key = tuple[str, date, tuple[str, ...] | None]


class Scopes:
    """Gives a connection to ask with; those of one scope share what is in memory."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet.

        Args:
            settings: where the warehouse is.
        """
        self._settings = settings
        self._lock = threading.Lock()
        self._open: OrderedDict[_Key, duckdb.DuckDBPyConnection] = OrderedDict()

    @contextmanager
    def ask(self, businesses: tuple[str, ...] | None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection to what a scope sees of the published tables, for one question.

        Args:
            businesses: ids of the Businesses in scope; None for all.
        """
        key = (published_mark(self._settings), datetime.now(UTC).date(), businesses)
        with self._lock:
            connection = self._open.get(key)
            if connection is None:
                self._forget_old(key)
                connection = self._open[key] = open_scope(self._settings, businesses, in_memory=True)
            self._open.move_to_end(key)
            cursor = connection.cursor()
        try:
            cursor.execute("set schema = 'in_scope'")
            yield cursor
        finally:
            cursor.close()

    def _forget_old(self, key: _Key) -> None:
        """Drop what was published before, or yesterday, and the scopes asked longest ago; cursors at work go on."""
        for known in list(self._open):
            if known[:2] != key[:2] or len(self._open) >= _MOST:
                self._open.pop(known).close()
