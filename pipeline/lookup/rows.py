"""Rows of a query as dictionaries, and ids that name their day: what every look-up is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import duckdb

Row = dict[str, Any]
_ID = re.compile(r"(\d{8})-[0-9a-f]{16}", re.ASCII)


def rows(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object] | None = None
) -> list[Row]:
    """Run a query with named parameters; instants come back in UTC."""
    cursor = connection.execute(query, dict(parameters or {}))
    names = [column[0] for column in cursor.description or ()]
    return [{name: _utc(value) for name, value in zip(names, values, strict=True)} for values in cursor.fetchall()]


def _utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value


def day_of(identifier: str) -> date | None:
    """Return the UTC day that a request's or visit's id begins with; None where it is no such id."""
    found = _ID.fullmatch(identifier.strip())
    try:
        return datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC).date() if found else None
    except ValueError:
        return None
