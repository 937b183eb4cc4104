"""Putting right what is held on a user — name, email, birth date, links — in every table in one run, with what changed.

What a correction is, and how it stands against the directory, is in `people`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import duckdb
import pyarrow.parquet as pq

from pipeline.audit import Subject
from pipeline.build import bring_up_to_date, build_directory
from pipeline.people.corrections import ADD, REMOVE, Correction, CorrectionError, correct, kind_of
from pipeline.people.user_corrections import (
    FIELDS,
    TABLE,
    UserCorrection,
    as_text,
    corrections_of,
    corrections_table,
)
from pipeline.privacy.access import Asking, find_or_refuse, note
from pipeline.privacy.record import DONE, REFUSED, Record, RecordError, Request
from pipeline.privacy.settle import Files, beside
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import Run, connect, open_run


@dataclass(frozen=True)
class Wanted:
    """What is to be put right of a user.

    Attributes:
        fields: what is right by field, of `FIELDS`; None where nothing is known.
        theirs: identifiers that are the user's, though no line says so.
        not_theirs: identifiers that a rule gave to the user, and that are not theirs.
        reason: why, in the words of whoever asks.
    """

    fields: Mapping[str, str | None]
    theirs: Sequence[str] = ()
    not_theirs: Sequence[str] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Changed:
    """What a correction did to a table.

    Attributes:
        table: its name.
        before: rows of the user, before.
        after: rows of the user, after.
        changed: how many rows, of whomever, are new or not as before.
    """

    table: str
    before: int
    after: int
    changed: int


def correct_person(
    settings: Settings, business: str, said: str, wanted: Wanted, asking: Asking, number: int | None = None
) -> tuple[Request, list[Changed]]:
    """Put right what is held on a user of a Business.

    Args:
        settings: where the tables and the record are.
        business: id of the Business that asks.
        said: the user, as `find_person` takes it.
        wanted: what is right.
        asking: who asked, and how.
        number: the open request that this answers; a new one is written down where None.

    Returns:
        The closed request, and what changed, table by table; a table in which nothing did is left out.

    Raises:
        PersonError: the Business has no such user; that it asked is in the record.
        RecordError: there is no such open request, or it concerns somebody else.
        CorrectionError: a link cannot be corrected, or a birth date is none.
        AccessLogError: it cannot be noted; then nothing is changed.
    """
    for field, value in wanted.fields.items():
        assert field in FIELDS
        if field == "date_of_birth" and value is not None:
            _check_date(value)
    record = Record(settings)
    with connect(settings) as connection:
        user = find_or_refuse(connection, settings, "correction", business, said, asking).user_id
    request = _request(record, business, user, asking, number)
    note(settings, asking, "privacy", request, Subject(user, (business,)), "shown")
    try:
        changed = _corrected(settings, user, business, wanted)
    except CorrectionError:
        if number is None:
            record.close(request.number, REFUSED, "a link could not be corrected as it was said")
        raise
    rows = {one.table: one.changed for one in changed}
    return record.close(request.number, DONE, "corrected", rows), changed


def _check_date(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError as error:
        raise CorrectionError(f"{text!r} is no birth date such as 2001-12-31") from error


def _corrected(settings: Settings, user: str, business: str, wanted: Wanted) -> list[Changed]:
    with open_run(settings) as run:
        bring_up_to_date(run)
        before = {name: run.files(name) for name in TABLES}
        _say(run, user, business, wanted)
        build_directory(run, settings)
        bring_up_to_date(run)
        changed = _changes(run, before, user)
        run.publish()
    return changed


def _request(record: Record, business: str, user: str, asking: Asking, number: int | None) -> Request:
    if number is None:
        told = (asking.noted_by, asking.asked_by, asking.reference, asking.received_at)
        return record.receive("correction", business, user, *told)
    found = record.read(number)
    if (found.kind, found.business, found.user) != ("correction", business, user):
        raise RecordError(f"request {number} is no open one of correction of this user in {business}")
    return found


def _say(run: Run, user: str, business: str, wanted: Wanted) -> None:
    now = datetime.now(UTC)
    schema = TABLES["users"].file_schema
    paths = run.files("users").get(None, [])
    users = [row for path in paths for row in pq.read_table(path, schema=schema, partitioning=None).to_pylist()]
    is_now = next((row for row in users if row["user_id"] == user), dict.fromkeys(FIELDS))
    known = [
        one
        for path in run.files(TABLE).get(None, [])
        for one in corrections_of(pq.read_table(path, schema=TABLES[TABLE].file_schema, partitioning=None))
    ]
    # What was put right once already stands in the place of what the directory says, which a new word is still about.
    was = {(one.user_id, one.field): one.was for one in known if one.value == as_text(is_now[one.field])}
    told = [
        UserCorrection(user, field, was.get((user, field), as_text(is_now[field])), value, wanted.reason, now)
        for field, value in wanted.fields.items()
    ]
    if told:
        run.replace(TABLE, {None: [run.write(TABLE, None, corrections_table([*known, *told]))]})
    for verdict, identifiers in ((ADD, wanted.theirs), (REMOVE, wanted.not_theirs)):
        for identifier in identifiers:
            place = business if verdict == ADD else None
            link = Correction(kind_of(run, identifier), identifier, user, verdict, now, place, reason=wanted.reason)
            correct(run, link)


def _changes(run: Run, before: Mapping[str, Files], user: str) -> list[Changed]:
    differing = [name for name in TABLES if dict(before[name]) != run.files(name)]
    found = []
    with beside(run, before, differing) as connection:
        for name in differing:
            columns = ", ".join(f'"{one}"' for one in TABLES[name].schema.names)
            ((others,),) = connection.sql(_OTHERS.format(name=name, columns=columns)).fetchall()
            has_users = "user_id" in TABLES[name].schema.names
            rows = [_rows_of(connection, f"{place}.{name}", user) if has_users else 0 for place in ("before", "main")]
            if others:
                found.append(Changed(name, rows[0], rows[1], others))
    return found


def _rows_of(connection: duckdb.DuckDBPyConnection, table: str, user: str) -> int:
    query = f"select count(*) from {table} where user_id = $user"  # noqa: S608 our own names
    ((count,),) = connection.execute(query, {"user": user}).fetchall()
    return int(count)


_OTHERS = """
select count(*)
from (select {columns} from main.{name} except all select {columns} from before.{name})
"""
