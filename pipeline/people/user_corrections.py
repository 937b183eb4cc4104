"""What a person said of a user that the service's directory has wrong: it stands for as long as the directory says so.

Once the directory says something else than what was wrong, that counts, and the correction rests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schemas import TABLES

TABLE = "user_corrections"
FIELDS = ("name", "email", "date_of_birth")


@dataclass(frozen=True)
class UserCorrection:
    """A row of `user_corrections`.

    Attributes:
        user_id: whose.
        field: one of `FIELDS`.
        was: what the directory said, as text; None where it said nothing.
        value: what is right, as text; None where nothing is known.
        reason: why, in the person's words.
        made_at: when it was said.
    """

    user_id: str
    field: str
    was: str | None
    value: str | None
    reason: str | None
    made_at: datetime


def corrections_of(table: pa.Table) -> list[UserCorrection]:
    """Read rows of `user_corrections`."""
    return [UserCorrection(**row) for row in table.to_pylist()]


def corrections_table(corrections: Sequence[UserCorrection]) -> pa.Table:
    """Write rows of `user_corrections`, sorted by key; the last one said of a user's field stands."""
    last = {(one.user_id, one.field): one for one in sorted(corrections, key=lambda one: one.made_at)}
    rows = [asdict(last[key]) for key in sorted(last)]
    return pa.Table.from_pylist(rows, schema=TABLES[TABLE].file_schema)


def corrected(users: pa.Table, corrections: Sequence[UserCorrection]) -> pa.Table:
    """Put right what the directory has wrong.

    Args:
        users: rows of `users`, as the directory has them.
        corrections: what was said.

    Returns:
        The same rows, with what is right.
    """
    for said in corrections:
        place = pc.index(users["user_id"], said.user_id).as_py()
        column = users[said.field]
        if place >= 0 and as_text(column[place].as_py()) == said.was:
            right = pa.chunked_array([pa.array([_value(said.field, said.value)], column.type)])
            chunks = [*column.slice(0, place).chunks, *right.chunks, *column.slice(place + 1).chunks]
            number = users.schema.names.index(said.field)
            users = users.set_column(number, users.schema.field(number), pa.chunked_array(chunks, column.type))
    return users


def without_wrong(former_names: pa.Table, corrections: Sequence[UserCorrection]) -> pa.Table:
    """Leave out of former names and emails what was never right."""
    if not corrections:
        return former_names
    wrong = {(one.user_id, one.field, one.was) for one in corrections}
    rows = (row for row in former_names.to_pylist() if (row["user_id"], row["field"], row["value"]) not in wrong)
    return pa.Table.from_pylist(list(rows), schema=former_names.schema)


def as_text(value: object) -> str | None:
    """A value of the directory as a correction has it."""
    return value.isoformat() if isinstance(value, date) else None if value is None else str(value)


def _value(field: str, text: str | None) -> object:
    return date.fromisoformat(text) if field == "date_of_birth" and text is not None else text
