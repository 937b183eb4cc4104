"""A request explained: what its line said, what was derived, its visit, and the link that gave it a user."""

from __future__ import annotations

from datetime import timedelta

import duckdb

from pipeline.build.request_ids import lines_of
from pipeline.formats import format_as_read
from pipeline.ingest.written import written_line
from pipeline.lookup.derivation import derivation, visit_rule
from pipeline.lookup.rows import Row, day_of, rows
from pipeline.schemas.raw import RAW_REQUESTS
from pipeline.settings import Settings


def request_story(connection: duckdb.DuckDBPyConnection, settings: Settings, request_id: str) -> Row | None:
    """Explain a request.

    Args:
        connection: a scope.
        settings: what formats are, for the line as it was written.
        request_id: such as 20260302-0123456789abcdef.

    Returns:
        `request` (its row of `requests`), `derived` (where each value is from, see `derivation`), `act` (its row of
        `clickstream`; None where it is no act), `rule` (why it is in its visit, see `visit_rule`; None likewise),
        `link` (the request that shows whose it is), `correction` (the person's word that made it theirs; None where a
        rule did) and `lines` (where the line stands, its `text` and its `fields`; the text is None of a JSON line,
        which is kept by its fields); None where there is no such request in scope.
    """
    day = day_of(request_id)
    if day is None:
        return None
    asked = {"day": day, "request": request_id.strip()}
    acts = rows(connection, "select * from clickstream where date = $day and request_id = $request", asked)
    act = acts[0] if acts else None
    # Of an act, what is in scope is asked first: what comes after takes its time only where something is in scope.
    found = rows(connection, _ACT if act else _SILENT, asked)
    if not found:
        return None
    request = found[0]
    return {
        "request": request,
        "derived": derivation(request),
        "act": act,
        "rule": visit_rule(connection, act) if act else None,
        "link": _link(connection, act),
        "correction": _correction(connection, request, act),
        "lines": _lines(connection, settings, request),
    }


_ACT = "select * from main.requests where date = $day and request_id = $request"
_SILENT = """
select * from silent_requests
where date = $day and request_id = $request and (business_id is not null or sees_all())
"""


def _link(connection: duckdb.DuckDBPyConnection, act: Row | None) -> Row | None:
    evidence = act["link_evidence"] if act else None
    day = day_of(evidence) if evidence else None
    if day is None:
        return None
    found = rows(
        connection,
        """
        select request_id, occurred_at, source, user_id, identifier, business_id, visitor_id, path
        from requests
        where date between $day and $next and request_id = $request
        """,
        {"day": day, "next": day + timedelta(days=1), "request": evidence},
    )
    return found[0] if found else None


def _correction(connection: duckdb.DuckDBPyConnection, request: Row, act: Row | None) -> Row | None:
    if act is None or act["linked_by"] != "correction":
        return None
    found = rows(
        connection,
        """
        select identifier_kind, identifier, user_id, valid_from, valid_to, reason, made_at
        from link_corrections
        where verdict = 'add' and user_id = $user and identifier in ($visitor, $login)
            and (valid_from is null or valid_from <= $at) and (valid_to is null or valid_to >= $at)
        order by identifier_kind
        """,
        {
            "user": act["user_id"],
            "visitor": request["visitor_id"],
            "login": request["identifier"],
            "at": request["occurred_at"],
        },
    )
    return found[0] if found else None


_ABOUT = ("date", "source", "file_id", "line_offset", "line_hash", "line")
_FIELDS = [name for name in RAW_REQUESTS.schema.names if name not in _ABOUT]
_SAME_INSTANT = """
select raw.*, files.path as file, files.format, files.format_state
from main.raw_requests as raw
inner join main.ingested_files as files on files.file_id = raw.file_id
where raw.date = $day and raw.source = $source and raw.occurred_at = $at
order by files.path, raw.line_offset
"""


def _lines(connection: duckdb.DuckDBPyConnection, settings: Settings, request: Row) -> list[Row]:
    """The lines that the request's id was made of; others of the same instant are somebody else's."""
    asked = {"day": request["date"], "source": request["source"], "at": request["occurred_at"]}
    raw = connection.sql(_SAME_INSTANT, params=asked).to_arrow_table()
    return [_line(raw.slice(place, 1).to_pylist()[0], settings) for place in lines_of(request["request_id"], raw)]


def _line(row: Row, settings: Settings) -> Row:
    known = format_as_read(row["format"], row["source"], settings, row["format_state"])
    text = written_line(row, known)
    return {
        "path": row["file"],
        "line_offset": row["line_offset"],
        "text": None if text is None else text.decode("utf-8", "backslashreplace"),
        "fields": {name: row[name] for name in _FIELDS if row[name] is not None},
    }
