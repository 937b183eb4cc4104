"""A request explained: what its line said, what was derived, its visit, and the link that gave it a user."""

from __future__ import annotations

from datetime import timedelta

import duckdb

from pipeline.lookup.rows import Row, day_of, rows


def request_story(connection: duckdb.DuckDBPyConnection, request_id: str) -> Row | None:
    """Explain a request.

    Args:
        connection: with the tables as views.
        request_id: such as 20260302-0123456789abcdef.

    Returns:
        `request` (its row of `requests`), `act` (its row of `clickstream`; None where it is no act), `link` (the
        request that shows whose it is), `correction` (the person's word that made it theirs; None where a rule did)
        and `files` (where in which files equal lines stand); None where there is no such request.
    """
    day = day_of(request_id)
    if day is None:
        return None
    asked = {"day": day, "request": request_id.strip()}
    found = rows(connection, "select * from requests where date = $day and request_id = $request", asked)
    if not found:
        return None
    request = found[0]
    acts = rows(connection, "select * from clickstream where date = $day and request_id = $request", asked)
    act = acts[0] if acts else None
    return {
        "request": request,
        "act": act,
        "link": _link(connection, act),
        "correction": _correction(connection, request, act),
        "files": _files(connection, request),
    }


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


def _files(connection: duckdb.DuckDBPyConnection, request: Row) -> list[Row]:
    """Lines of the same source, instant, address as written and target; the line itself is among them."""
    return rows(
        connection,
        """
        select ingested_files.path, raw.line_offset, raw.zone, raw.ip, raw.forwarded_for, raw.target, raw.request,
            raw.referrer, raw.user_agent, raw.remote_user, raw.extra
        from raw_requests as raw
        inner join ingested_files on ingested_files.file_id = raw.file_id
        where raw.date = $day and raw.source = $source and raw.occurred_at = $at
            and raw.user_agent is not distinct from $agent
            and raw.status is not distinct from $status
            and ($path is null or starts_with(raw.target, $path) or contains(raw.target, $path))
        order by ingested_files.path, raw.line_offset
        limit 20
        """,
        {
            "day": request["date"],
            "source": request["source"],
            "at": request["occurred_at"],
            "agent": request["user_agent"],
            "status": request["status"],
            "path": request["path"],
        },
    )
