"""Tables made by SQL models, by day and whole, and the directory's: built in a run, kept where nothing changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.build.stale import (
    INPUTS,
    WHOLE_INPUTS,
    fingerprint,
    how_built,
    is_whole_stale,
    note_built,
    touch,
    whole_fingerprint,
)
from pipeline.ingest.barrier import Barrier
from pipeline.models import stream_model, tables_read
from pipeline.people.directory import read_directory, without_erased
from pipeline.people.former_names import former_names
from pipeline.people.user_corrections import corrected, corrections_of, without_wrong
from pipeline.product.funnels import keep_ways
from pipeline.product.scoring import score_features
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.units import SEGMENT_KINDS, segment_kinds, units
from pipeline.warehouse import Run

BY_DAY = tuple(name for name in INPUTS if name != "requests")
_ORDER: dict[str, tuple[str, ...]] = {
    "identifier_days": ("identifier_kind", "identifier", "login", "user_id", "business_id"),
    "acts": ("user_id", "actor", "occurred_at", "tie_rank", "request_id"),
    "clickstream": ("user_id", "visitor_id", "occurred_at", "visit_id", "visit_seq"),
    "visits": ("user_id", "visitor_id", "started_at", "visit_id"),
    "user_days": ("user_id", "business_id"),
    "feature_days": ("feature", "business_id", "user_id", "visitor_id"),
    "feature_usage": ("business_id", "feature"),
    "funnel_acts": ("user_id", "visitor_id", "occurred_at", "visit_id", "visit_seq", "funnel", "step"),
    "friction": ("business_id", "feature"),
    "page_steps": ("user_id", "visitor_id", "visit_id", "step"),
    "paths": ("business_id", "from_route", "to_route"),
    "feature_adoption": ("feature", "business_id", "user_id"),
    "active_users": ("scope", "feature", "business_id", "date"),
    "lifecycle": ("unit", "scope", "feature", "business_id", "period_at"),
    "stickiness": ("unit", "scope", "feature", "business_id", "period_at", "days"),
    "retention": ("unit", "scope", "feature", "business_id", "cohort_at", "later"),
    "segments": ("unit", "kind", "feature", "period_at", "segment"),
    "funnels": ("funnel", "scope", "business_id", "step"),
    "feature_measures": ("feature", "measure", "days", "scope", "business_id"),
    "feature_staying": ("feature",),
    "identifier_links": ("identifier_kind", "identifier", "user_id", "method", "valid_from"),
    "same_visit_days": ("visitor_id", "user_id"),
    "user_links": ("identifier_kind", "identifier", "user_id", "method", "valid_from"),
    "user_businesses": ("user_id", "business_id"),
    "user_lookup": ("user_id",),
    "search_terms": ("term", "kind", "field", "user_id", "business_id"),
}
_DAYS_OF_CHANGED_LINKS = """
with now as (
    select identifier_kind, identifier, user_id, method, evidence, business_id,
        case when method = 'correction' then valid_from end as said_from,
        case when method = 'correction' then valid_to end as said_to
    from identifier_links
),
before as (
    select identifier_kind, identifier, user_id, method, evidence, business_id,
        case when method = 'correction' then valid_from end as said_from,
        case when method = 'correction' then valid_to end as said_to
    from links_before
),
changed as ((from now except from before) union (from before except from now))
select distinct identifier_days.date
from identifier_days
inner join changed
    on changed.identifier_kind = identifier_days.identifier_kind
    and changed.identifier = identifier_days.identifier
    and (said_from is null or said_from <= identifier_days.last_at)
    and (said_to is null or said_to >= identifier_days.first_at)
"""

_ONE_DAY = timedelta(days=1)

Progress = Callable[[str], None]


def build_days(run: Run, name: str, days: Iterable[date], progress: Progress | None = None) -> dict[date, int]:
    """Build days of a table by day from its model; a day whose rows stay the same keeps its file.

    Args:
        run: an open run; days are replaced in its view.
        name: one of `BY_DAY`.
        days: which.
        progress: is told of each day in a sentence.

    Returns:
        Rows by day.
    """
    rows: dict[date, int] = {}
    changed: dict[date | None, list[Path]] = {}
    wanted = sorted(days)
    if not wanted:
        return rows
    files, how = {table: run.files(table) for table, _ in INPUTS[name]}, how_built(run, name)
    with run.connect(wanted[0] - _ONE_DAY, wanted[-1] + _ONE_DAY, tables_read(name)) as connection:
        for day in wanted:
            made = stream_model(connection, name, day, day, _ORDER[name], run.settings)
            path, rows[day] = run.write_parts(name, day, made)
            changed |= _changed(run, name, day, path, rows[day])
            if progress:
                progress(f"{name} {day}: {rows[day]} rows")
    run.replace(name, changed)
    for day in wanted:
        note_built(run, name, day, fingerprint(files, name, day, how))
    return rows


def build_whole(run: Run, name: str) -> int:
    """Build a table that is not by day from its model, where it is stale; return its rows.

    A changed link touches the days on which its identifier was seen, and their neighbours: they become stale.
    """
    if not is_whole_stale(run, name):
        return _count(run, name)
    with run.connect(tables=_read(name)) as connection:
        path, rows = run.write_parts(name, None, _made(connection, name, run.settings))
    before = run.files(name).get(None, [])
    run.replace(name, _changed(run, name, None, path, rows))
    if name == "identifier_links":
        _touch_days(run, before)
    note_built(run, name, None, whole_fingerprint(run, name))
    return rows


def _read(name: str) -> set[str]:
    return set(WHOLE_INPUTS[name]) if name == "feature_scores" else tables_read(name)


def _made(connection: duckdb.DuckDBPyConnection, name: str, settings: Settings) -> Iterable[pa.RecordBatch]:
    if name == "feature_scores":
        return score_features(connection, settings).to_batches()
    if name == "segments":
        return _segments(connection, settings)
    given = keep_ways(connection, "funnel_ways_kept", settings) if name == "funnels" else None
    return stream_model(connection, name, order_by=_ORDER[name], settings=settings, given=given)


def _segments(connection: duckdb.DuckDBPyConnection, settings: Settings) -> Iterator[pa.RecordBatch]:
    """Make the table for one kind and unit after the other, in its order: those of all at once are too many to hold."""
    for unit in ("month", "week"):
        for kind in sorted(SEGMENT_KINDS):
            one = {"units": units(unit), "segment_kinds": segment_kinds(kind)}
            yield from stream_model(
                connection, "segments", order_by=_ORDER["segments"], settings=settings, references=one
            )


def build_directory(run: Run, settings: Settings) -> dict[str, int]:
    """Read users, memberships and Businesses from where the settings say, and keep what users were called before.

    What persons said that the directory has wrong is put right; who was erased is left out.

    Returns:
        Rows by table.
    """
    read = read_directory(settings)
    said = corrections_of(_whole(run, "user_corrections"))
    read["users"] = corrected(read["users"], said)
    today = datetime.now(UTC).date()
    tables = without_erased(read, Barrier(settings), today)
    former = former_names(_whole(run, "former_names"), _whole(run, "users"), tables["users"], today)
    tables["former_names"] = without_wrong(former, said)
    for name, table in tables.items():
        run.replace(name, _changed(run, name, None, run.write(name, None, table), table.num_rows))
    return {name: table.num_rows for name, table in tables.items()}


def _whole(run: Run, name: str) -> pa.Table:
    """The rows of a table that is not by day, as the run sees it."""
    schema = TABLES[name].file_schema
    paths = run.files(name).get(None, [])
    return pa.concat_tables(
        [schema.empty_table(), *(pq.read_table(path, schema=schema, partitioning=None) for path in paths)]
    )


def _changed(run: Run, name: str, day: date | None, path: Path, rows: int) -> dict[date | None, list[Path]]:
    """Say what becomes live of a new file: nothing where it holds just what the old one holds, and is removed."""
    digests = run.facts.setdefault("digests", {}).setdefault(name, {})
    key = day.isoformat() if day else ""
    if not rows and day is not None:
        path.unlink()
        digests.pop(key, None)
        return {day: []}
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    if run.files(name, day, day).get(day) and digests.get(key) == digest:
        path.unlink()
        return {}
    digests[key] = digest
    return {day: [path]}


def _count(run: Run, name: str) -> int:
    return sum(pq.read_metadata(path).num_rows for path in run.files(name).get(None, []))


def _touch_days(run: Run, before: list[Path]) -> None:
    """Find the days on which identifiers of changed links were seen."""
    with run.connect(tables=("identifier_links", "identifier_days")) as connection:
        if before:
            links = connection.read_parquet([str(path) for path in before], hive_partitioning=False)
            links.create_view("links_before")
        else:
            connection.execute("create view links_before as from identifier_links limit 0")
        found = connection.execute(_DAYS_OF_CHANGED_LINKS).fetchall()
    days = {day + timedelta(days=offset) for (day,) in found for offset in (-1, 0, 1)}
    touch(run, days & {day for day in run.files("requests") if day is not None})
