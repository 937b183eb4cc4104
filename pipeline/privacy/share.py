"""Copies for processors: a few columns of a table under ids that mean nothing elsewhere; and their recall.

Each recipient gets ids hashed under a key of its own, so that two cannot put their copies together, and what a later
erasure must reach with each is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.audit import AccessLog, Subject, View, access_key
from pipeline.audit.keys import keyed
from pipeline.dictionaries import codes_and_values, from_codes
from pipeline.privacy.export import check_folder
from pipeline.privacy.numbered import NumberedFiles
from pipeline.privacy.person import Person
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import connect
from pipeline.warehouse.files import sync

# Ids: hashed for the recipient.
HASHED = frozenset({"user_id", "visitor_id", "visit_id", "request_id", "actor"})
# Words of our own or of a list: of texts no other column is given to a processor, lest one holds what somebody wrote.
SHARED = frozenset(
    {
        *("business_id", "source", "kind", "method", "protocol", "route", "from_route", "to_route", "next_route"),
        *("feature", "funnel", "measure", "scope", "unit", "per", "event", "next_event", "channel", "linked_by"),
        *(
            "browser",
            "browser_version",
            "os",
            "os_version",
            "device",
            "device_type",
            "bot_signals",
            "country",
            "region",
        ),
        *("referrer_medium", "referrer_name", "length_basis", "role", "enrichment_version", "identifier_kind"),
        "opt_out",
    }
)
_NUMBERS_KEPT_BACK = frozenset({"date_of_birth", "line_hash", "line_offset"})
# Rows of a user whom a link, and not the line, tells do not say whose they are here.
_NOT_BY_USER = frozenset({"raw_requests", "duplicate_lines", "requests", "identifier_days"})
_NAME = re.compile(r"[\w.-]{1,60}")
_ROLE = "command line"


class ShareError(ValueError):
    """A copy cannot be made as it was asked for; the message names the column or the place."""


@dataclass(frozen=True)
class Share:
    """A copy that was handed to a processor.

    Attributes:
        number: its number, from 1.
        recipient: who got it.
        table: of which table.
        columns: which of its columns.
        businesses: ids of the Businesses whose rows it has; of all where None.
        rows: how many.
        made_at: when, in ISO 8601.
        made_by: who made it.
        file: the name of the file that was written.
        recall: by number of an erasure, the hashed ids whose rows the recipient must remove.
    """

    number: int
    recipient: str
    table: str
    columns: Sequence[str]
    businesses: Sequence[str] | None
    rows: int
    made_at: str
    made_by: str
    file: str
    recall: Mapping[str, Sequence[str]] = field(default_factory=dict)


def share(
    settings: Settings,
    recipient: str,
    table: str,
    columns: Sequence[str],
    businesses: Sequence[str] | None,
    folder: Path,
    made_by: str,
) -> Share:
    """Write a copy for a processor, and write down what went where.

    Args:
        settings: where the tables and the record are, and the key.
        recipient: who gets it: letters, digits, dots and dashes.
        table: which table.
        columns: which of its columns; ids are hashed for the recipient, what people wrote or are called is refused.
        businesses: whose rows; of all Businesses where None. What asks not to be tracked, where that matters, is left
            out of tables that tell it.
        folder: where to; it is made, or empty.
        made_by: who makes it.

    Returns:
        What was written down.

    Raises:
        ShareError: a column is not there or is kept back, or the table tells of no Business.
        ExportError: the folder cannot be used.
        AccessLogError: it cannot be noted; then nothing is written.
    """
    _check(recipient, table, columns, businesses)
    check_folder(folder)
    files = _files(settings)
    with files.locked():
        number = files.next_number()
        log = AccessLog(settings.access_log, access_key(settings.secret))
        concerned = [Subject(None, tuple(businesses))] if businesses else []
        log.append(View(made_by, _ROLE, "export", f"share {number}", concerned))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        path = folder / f"{table}.parquet"
        with connect(settings) as connection:
            rows = _write(connection, settings, recipient, table, columns, businesses, path)
        now = datetime.now(UTC).isoformat()
        said = Share(number, recipient, table, list(columns), businesses, rows, now, made_by, path.name)
        files.write(number, asdict(said))
    return said


def _check(recipient: str, table: str, columns: Sequence[str], businesses: Sequence[str] | None) -> None:
    if not _NAME.fullmatch(recipient):
        raise ShareError(f"{recipient!r} names no recipient; letters, digits, dots and dashes do")
    if table not in TABLES:
        raise ShareError(f"there is no table {table!r}; there are {', '.join(TABLES)}")
    known = TABLES[table].schema.names
    for column in columns:
        if column not in known:
            raise ShareError(f"{table} has no column {column!r}; it has {', '.join(known)}")
        if not is_shared(table, column):
            raise ShareError(
                f"{table}.{column} is not shared: it may hold what people wrote, are called, or where they were"
            )
    if HASHED & set(columns) and (table in _NOT_BY_USER or "user_id" not in columns):
        raise ShareError(f"ids of {table} are not shared so: without whose each row is, it could not be recalled")
    if businesses is not None and "business_id" not in known:
        raise ShareError(f"{table} does not tell of which Business its rows are; leave --businesses out")


def is_shared(table: str, column: str) -> bool:
    """Whether a column of a table may be given to a processor, as it is or hashed."""
    kind = TABLES[table].file_schema.field(column).type
    is_text = pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_nested(kind)
    return column in HASHED or (column in SHARED if is_text else column not in _NUMBERS_KEPT_BACK)


def _write(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    recipient: str,
    table: str,
    columns: Sequence[str],
    businesses: Sequence[str] | None,
    path: Path,
) -> int:
    named = ", ".join(f'"{column}"' for column in columns)
    conditions, asked = ["true"], dict[str, object]()
    if businesses is not None:
        conditions.append("business_id in (select unnest($businesses::varchar[]))")
        asked["businesses"] = list(businesses)
    if "opt_out" in TABLES[table].schema.names:
        conditions.append("(opt_out is null or not ($opt_out = 'any' or contains(opt_out, $opt_out)))")
        asked["opt_out"] = settings.opt_out
    query = f"select {named} from {table} where {' and '.join(conditions)}"  # noqa: S608 names are checked
    writer: pq.ParquetWriter | None = None
    rows = 0
    reader = connection.sql(f"{query} order by all", params=asked).to_arrow_reader(100_000)
    for batch in reader:
        part = _hashed(pa.Table.from_batches([batch]), settings, recipient)
        writer = writer or pq.ParquetWriter(path, part.schema, compression="zstd")
        writer.write_table(part)
        rows += part.num_rows
    if writer is None:
        raise ShareError(f"{table} has no such rows")
    writer.close()
    path.chmod(0o600)
    sync(path)
    return rows


def _hashed(rows: pa.Table, settings: Settings, recipient: str) -> pa.Table:
    for column in HASHED & set(rows.schema.names):
        codes, values = codes_and_values(rows[column])
        names = pa.array([pseudonym(settings, recipient, column, value) for value in values.to_pylist()], pa.string())
        plain = from_codes(codes, names).cast(pa.string())
        rows = rows.set_column(rows.schema.names.index(column), column, plain)
    return rows


def pseudonym(settings: Settings, recipient: str, column: str, value: str) -> str:
    """What stands for an id in a recipient's copies.

    Args:
        settings: whose `secret` is the key.
        recipient: who gets the copies.
        column: of `HASHED`.
        value: the id.
    """
    return keyed(access_key(settings.secret), f"share {recipient} {column}", value.encode("utf-8", "surrogatepass"))[
        :32
    ]


def all_shares(settings: Settings) -> list[Share]:
    """Read what was shared, in the order in which it was."""
    return [Share(**json.loads(path.read_text(encoding="utf-8"))) for path in _files(settings).paths()]


def to_recall(settings: Settings, people: Sequence[Person]) -> dict[int, list[str]]:
    """The hashed ids of some users in each copy that was shared, has ids of users and may have theirs.

    Args:
        settings: the key, and where the record is.
        people: users who are erased, each in a Business or everywhere.
    """
    found = {
        one.number: [
            pseudonym(settings, one.recipient, "user_id", who.user_id) for who in people if _may_have(one, who)
        ]
        for one in all_shares(settings)
        if "user_id" in one.columns
    }
    return {number: ids for number, ids in found.items() if ids}


def recalled(share: Share) -> set[str]:
    """The hashed ids whose rows the recipient of a copy must remove."""
    return {user for users in share.recall.values() for user in users}


def _may_have(one: Share, who: Person) -> bool:
    return one.businesses is None or who.business_id is None or who.business_id in one.businesses


def note_recall(settings: Settings, erasure: int, recalled: Mapping[str, Sequence[str]]) -> None:
    """Write down what an erasure must reach with those who have copies; doing it again changes nothing."""
    for one in all_shares(settings):
        if ids := recalled.get(str(one.number)):
            recall = {**one.recall, str(erasure): list(ids)}
            _files(settings).write(one.number, asdict(one) | {"recall": recall})


def _files(settings: Settings) -> NumberedFiles:
    return NumberedFiles(settings.privacy / "shares")
