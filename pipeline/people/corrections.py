"""What a person says of identifiers and users, kept in `link_corrections`: it holds through rebuilds until taken back.

What comes of it is in `sql/identifier_links.sql` and `sql/acts.sql`; building that again is not done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.schemas import TABLES
from pipeline.warehouse import Run

TABLE = "link_corrections"
ADD, REMOVE = "add", "remove"


class CorrectionError(ValueError):
    """A correction cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Correction:
    """A person's word on an identifier and a user; a row of `link_corrections`.

    Attributes:
        verdict: `ADD`: the identifier is the user's within the span; `REMOVE`: no rule may say that it is.
        valid_from: beginning of the span; None where it has none.
        valid_to: end of the span, itself included; None where it has none.
    """

    identifier_kind: str
    identifier: str
    user_id: str
    verdict: str
    made_at: datetime
    business_id: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    reason: str | None = None

    def contradicts(self, other: Correction) -> bool:
        """Whether both cannot be said at once: spans of one identifier that meet, or one link added and removed."""
        if (self.identifier_kind, self.identifier) != (other.identifier_kind, other.identifier):
            return False
        if self.verdict == other.verdict == ADD:
            ends_before = self.valid_to and other.valid_from and self.valid_to < other.valid_from
            starts_after = self.valid_from and other.valid_to and self.valid_from > other.valid_to
            return not (ends_before or starts_after)
        return self.user_id == other.user_id

    def takes_back(self, other: Correction) -> bool:
        """Whether it says the opposite of the same link and span."""
        return self._link == other._link and self.verdict != other.verdict

    @property
    def _link(self) -> tuple[object, ...]:
        return self.identifier_kind, self.identifier, self.user_id, self.valid_from, self.valid_to


def kind_of(run: Run, identifier: str) -> str:
    """The kind of an identifier, as which it was seen; by how it begins where it was seen as several or never."""
    with run.connect() as connection:
        kinds = connection.execute(
            "select distinct identifier_kind from identifier_days where identifier = $identifier",
            {"identifier": identifier},
        ).fetchall()
    return str(kinds[0][0]) if len(kinds) == 1 else {"c-": "visitor", "h-": "address"}.get(identifier[:2], "login")


def read_corrections(run: Run) -> list[Correction]:
    """All that was said and is not taken back, in the order of the identifiers."""
    columns = list(Correction.__dataclass_fields__)
    rows = [
        row
        for path in run.files(TABLE).get(None, [])
        for row in pq.read_table(path, columns=columns, partitioning=None).to_pylist()
    ]
    return [Correction(**row) for row in rows]


def correct(run: Run, said: Correction) -> Correction | None:
    """Note what a person says, or take back what it is the opposite of.

    Args:
        run: an open run; it is to be staged, and the tables above to be refreshed.
        said: the correction.

    Returns:
        The correction that was taken back: the tables will be as they were before it. None where `said` was noted.

    Raises:
        CorrectionError: the identifier was never seen, the user is unknown, or another correction says otherwise.
    """
    before = read_corrections(run)
    back = next((old for old in before if said.takes_back(old)), None)
    if back is not None:
        _write(run, [old for old in before if old != back])
        return back
    for old in before:
        if said.contradicts(old):
            raise CorrectionError(
                f"it was already said that {worded(old)}; `trail link {_OPPOSITE[old.verdict]}` of the same words "
                "and span takes that back"
            )
    _check(run, said)
    _write(run, [*before, said])
    return None


_OPPOSITE = {ADD: REMOVE, REMOVE: ADD}


def worded(said: Correction) -> str:
    """A correction as a sentence."""
    span = [f"from {said.valid_from}"] * bool(said.valid_from) + [f"to {said.valid_to}"] * bool(said.valid_to)
    verb = "is" if said.verdict == ADD else "is not"
    return " ".join([said.identifier, verb, f"{said.user_id}'s", *span])


def _check(run: Run, said: Correction) -> None:
    if said.valid_from and said.valid_to and said.valid_from > said.valid_to:
        raise CorrectionError(f"the span ends ({said.valid_to}) before it begins ({said.valid_from})")
    if said.verdict == ADD and said.identifier_kind == "address":
        raise CorrectionError(
            f"{said.identifier} is an address with a user agent, which never names a person; name a cookie or login"
        )
    if said.verdict == REMOVE and (said.valid_from or said.valid_to):
        raise CorrectionError("a link of the rules is removed as a whole: leave the span out")
    with run.connect() as connection:
        seen = connection.execute(
            "select count(*) from identifier_days where identifier_kind = $kind and identifier = $identifier",
            {"kind": said.identifier_kind, "identifier": said.identifier},
        ).fetchone()
        known = connection.execute(
            "select any_value(business_ids) from user_lookup where user_id = $user", {"user": said.user_id}
        ).fetchone()
    if not seen or not seen[0]:
        raise CorrectionError(f"no {_KINDS[said.identifier_kind]} {said.identifier!r} was ever seen")
    if not known or known[0] is None:
        raise CorrectionError(f"there is no user {said.user_id!r}")
    if said.business_id is not None and said.business_id not in known[0]:
        raise CorrectionError(
            f"{said.user_id} is in {', '.join(known[0]) or 'no Business'}, not in {said.business_id!r}"
        )


_KINDS = {"visitor": "visitor", "address": "user on the address", "login": "login name"}


def _write(run: Run, corrections: Sequence[Correction]) -> None:
    schema = TABLES[TABLE].file_schema
    rows = sorted(
        (asdict(said) for said in corrections),
        key=lambda row: (row["identifier_kind"], row["identifier"], row["user_id"], str(row["valid_from"])),
    )
    run.replace(TABLE, {None: [run.write(TABLE, None, pa.Table.from_pylist(rows, schema=schema))]})
