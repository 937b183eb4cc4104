"""Answers a Business that asks what is held on one of its users: noted first, then written, then closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from pipeline.audit import AccessLog, Outcome, Subject, View, access_key
from pipeline.privacy.export import check_folder, export_person
from pipeline.privacy.person import Person, PersonError, find_person
from pipeline.privacy.record import DONE, REFUSED, Record, RecordError, Request
from pipeline.settings import Settings
from pipeline.warehouse import connect

_ROLE = "command line"


@dataclass(frozen=True)
class Asking:
    """Who asked, and how.

    Attributes:
        noted_by: who writes it down and acts on it.
        asked_by: who asked for the Business.
        reference: the Business's own word for it.
        received_at: when it came; now where None.
    """

    noted_by: str
    asked_by: str | None = None
    reference: str | None = None
    received_at: datetime | None = None


def receive(settings: Settings, kind: str, business: str, said: str, asking: Asking) -> Request:
    """Write down that a Business asked about one of its users.

    Args:
        settings: where the tables and the record are.
        kind: one of `KINDS`.
        business: id of the Business.
        said: the user, as `find_person` takes it.
        asking: who asked, and how.

    Returns:
        The open request.

    Raises:
        PersonError: the Business has no such user; that it asked is in the record, as refused.
        RecordError: see `Record.receive`.
    """
    with connect(settings) as connection:
        person = find_or_refuse(connection, settings, kind, business, said, asking)
    return _open(settings, kind, business, person.user_id, asking)


def answer_access(
    settings: Settings,
    business: str,
    said: str,
    folder: Path,
    asking: Asking,
    number: int | None = None,
    progress: Callable[[str], None] | None = None,
    kind: str = "access",
) -> Request:
    """Write all that is held on a user of a Business to a folder, for the Business to hand on.

    Args:
        settings: where the tables, the record and the log of who looked are.
        business: id of the Business.
        said: the user, as `find_person` takes it.
        folder: where to; it is made, or empty.
        asking: who asked, and how; of an open request only who acts on it counts.
        number: the open request that this answers; a new one is written down where None.
        progress: told what is done.
        kind: `lawful` where an authority asks, whose reference is then needed.

    Returns:
        The closed request, with the rows written by table.

    Raises:
        PersonError: the Business has no such user; the attempt is in the record and the log of who looked.
        RecordError: there is no such open request, or it is not about this user in this Business.
        ExportError: the folder cannot be used.
        AccessLogError: it cannot be noted; then nothing is written.
    """
    check_folder(folder)
    if kind == "lawful" and not asking.reference:
        raise RecordError("a lawful request has a reference, which the record keeps")
    record = Record(settings)
    with connect(settings) as connection:
        person = find_or_refuse(connection, settings, kind, business, said, asking)
        if number is None:
            request = _open(settings, kind, business, person.user_id, asking)
        else:
            request = record.read(number)
            if (request.kind, request.business, request.user) != (kind, business, person.user_id):
                raise RecordError(f"request {number} is no open one of {kind} to this user in {business}")
        note(settings, asking, "export", request, Subject(person.user_id, (business,)), "shown")
        rows = export_person(connection, settings, person, folder, progress)
    return record.close(request.number, DONE, "exported", rows)


def _open(settings: Settings, kind: str, business: str, user: str, asking: Asking) -> Request:
    return Record(settings).receive(
        kind, business, user, asking.noted_by, asking.asked_by, asking.reference, asking.received_at
    )


def find_or_refuse(
    connection: duckdb.DuckDBPyConnection, settings: Settings, kind: str, business: str, said: str, asking: Asking
) -> Person:
    """Find whom a Business means; that nobody was found, or several, is written down.

    What was asked for may name somebody, so that only its hash is kept.

    Raises:
        PersonError: as `find_person`.
    """
    try:
        return find_person(connection, business, said)
    except PersonError:
        request = _open(settings, kind, business, said, asking)
        Record(settings).close(request.number, REFUSED, "nobody of the Business is so called, or more than one")
        note(settings, asking, "privacy", request, Subject(None, (business,)), "refused")
        raise


def note(settings: Settings, asking: Asking, action: str, request: Request, subject: Subject, outcome: Outcome) -> None:
    """Put what is done about a request into the log of who looked.

    Raises:
        AccessLogError: it cannot be noted; then it must not be done.
    """
    log = AccessLog(settings.access_log, access_key(settings.secret))
    rows = 1 if outcome == "shown" else 0
    log.append(View(asking.noted_by, _ROLE, action, f"request {request.number}", (subject,), None, outcome, rows))
