"""A Business that leaves: all of its data written out, to be handed over, before it is erased."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipeline.audit import Subject
from pipeline.privacy.access import Asking, note
from pipeline.privacy.erase import subject_of
from pipeline.privacy.export import check_folder, write_table
from pipeline.privacy.person import PersonError, members
from pipeline.privacy.record import DONE, Record
from pipeline.privacy.subjects import Reach
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import connect

_OF_LINES = {
    "requests": "(date, request_id) in (select (date, request_id) from own_requests)",
    "raw_requests": "(date, file_id, line_offset) in (select (date, file_id, line_offset) from own_lines)",
    "duplicate_lines": "(date, source, line_hash) in (select (date, source, line_hash) from own_lines)",
}


def export_business(
    settings: Settings,
    business: str,
    folder: Path,
    asking: Asking,
    progress: Callable[[str], None] | None = None,
) -> dict[str, int]:
    """Write all that is held for a Business: each table's rows, as Parquet and JSON.

    Args:
        settings: where the tables, the record and the log of who looked are.
        business: its id.
        folder: where to; it is made, or empty. Only its owner may read it.
        asking: who asked, and how.
        progress: told what is done.

    Returns:
        How many rows were written, by table.

    Raises:
        PersonError: there is no such Business.
        ExportError: the folder cannot be used.
        AccessLogError: it cannot be noted; then nothing is written.
    """
    check_folder(folder)
    with connect(settings) as connection:
        reach = Reach(connection, [subject_of("business", business, None, datetime.now(UTC))])
        connection.execute("create table own_members (user_id varchar)")
        for user in members(connection, business):
            connection.execute("insert into own_members values ($user)", {"user": user})
        ((known,),) = connection.execute(_KNOWN, {"business": business}).fetchall()
        if not known:
            raise PersonError(f"there is no Business {business!r}")
        told = (asking.noted_by, asking.asked_by, asking.reference, asking.received_at)
        request = Record(settings).receive("access", business, business, *told, of="business")
        note(settings, asking, "export", request, Subject(None, (business,)), "shown")
        reach.held.find_lines()
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        rows = {}
        for name, condition in _conditions():
            found = _rows(connection, name, condition, business)
            count = write_table(folder, name, found)
            if count:
                rows[name] = count
                if progress:
                    progress(f"{name}: {count:,} rows")
    Record(settings).close(request.number, DONE, "exported as a whole", rows)
    return rows


_KNOWN = """
select exists (from businesses where business_id = $business) or exists (from own_members)
    or exists (from own_requests)
"""


def _conditions() -> Iterator[tuple[str, str]]:
    """Which rows of each table are a Business's; a table that tells neither of Businesses nor of users has none."""
    for name, table in TABLES.items():
        if name in _OF_LINES:
            yield name, _OF_LINES[name]
        elif "business_id" in table.schema.names:
            yield name, "business_id = $business"
        elif "user_id" in table.schema.names and name not in ("user_lookup", "same_visit_days"):
            yield name, "user_id in (select user_id from own_members)"


def _rows(connection: duckdb.DuckDBPyConnection, name: str, condition: str, business: str) -> duckdb.DuckDBPyRelation:
    asked = {"business": business} if "$business" in condition else {}
    key = ", ".join(TABLES[name].key)
    return connection.sql(f"select * from main.{name} where {condition} order by {key}", params=asked)  # noqa: S608 our own names
