"""A directory as search has it: users and what they were called before, with the tables that are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.lookup.search import SEARCHED, searched
from pipeline.models import run_model
from pipeline.schemas import TABLES
from pipeline.warehouse.views import create_views

Names = Sequence[tuple[str, str | None, str | None]]


def directory(users: Names, former: Names = (), businesses: Names = ()) -> duckdb.DuckDBPyConnection:
    """Make what `find_users` asks.

    Args:
        users: user_id, name and email.
        former: user_id, field and value.
        businesses: user_id, business_id and an identifier that was seen there.
    """
    connection = duckdb.connect(config={"threads": "1"})
    connection.execute("set TimeZone = 'UTC'")
    create_views(connection, {})
    _give(connection, "users", ("user_id", "name", "email"), users)
    _give(connection, "former_names", ("user_id", "field", "value"), former)
    listed = [(user, business, [identifier] if identifier else []) for user, business, identifier in businesses]
    _give(connection, "user_businesses", ("user_id", "business_id", "identifiers"), listed)
    for name in ("search_terms", "user_lookup"):
        connection.register(f"{name}_made", run_model(connection, name))
        connection.execute(f"create or replace view {name} as from {name}_made")
    connection.execute("create table kept as from search_terms order by term")
    connection.execute("create or replace view search_terms as from kept")
    connection.execute("create view people as select user_id as person, * from user_lookup")
    for name in SEARCHED:
        connection.execute(f"create table {name} as {searched(name, in_memory=False)}")
    return connection


def _give(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    schema = TABLES[name].file_schema
    given = [dict(zip(columns, row, strict=True)) for row in rows]
    connection.register(f"{name}_given", pa.Table.from_pylist(given, schema=schema))
    connection.execute(f"create or replace view {name} as from {name}_given")
