"""What one look is, and the line of the log that says it; files and their order do not belong here.

A line is canonical JSON of `entry` (chained), `hash` (of the entry and of the hash before it) and `why`. The free text
stands outside the entry, which holds only its keyed hash, so that a text can be erased and the chain still holds.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pipeline.audit.keys import keyed, user_hash

ERASED_TEXT = "erased text"
Outcome = Literal["shown", "refused", "nothing"]


class AccessLogError(RuntimeError):
    """The log of who looked cannot be trusted or written; nothing may be shown."""


@dataclass(frozen=True)
class Subject:
    """Whom a look concerns.

    Attributes:
        user: the user's id; as read back its keyed hash. None where no user is known, such as of an anonymous visit.
        businesses: ids of the Businesses that it concerns the user in.
    """

    user: str | None
    businesses: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """A look, or an attempt at one, as it is noted.

    Attributes:
        actor: who looked.
        role: as what.
        action: search, user, visit, request, affected, errors (a visit beside another), export, reveal, who_looked
            or privacy (the record of what Businesses asked: it was read, or a request refused).
        target: a visit's id or a route, never a search's text, a name or an address.
        subjects: whom it concerns.
        why: a ticket or reason in free text.
        outcome: how it came out.
        rows: how many rows were shown.
    """

    actor: str
    role: str
    action: str
    target: str = ""
    subjects: Sequence[Subject] = ()
    why: str | None = None
    outcome: Outcome = "shown"
    rows: int = 0


@dataclass(frozen=True)
class Entry:
    """A look as it is read back.

    Attributes:
        seq: its number, from 1 without gaps.
        at: when, in UTC.
        subjects: whom it concerned; `user` is a keyed hash.
        why: the reason; None where none was given, or it was erased.
        erased: seqs whose reason this entry erased.
        hash: the chain's hash up to it.
    """

    seq: int
    at: datetime
    actor: str
    role: str
    action: str
    target: str
    subjects: tuple[Subject, ...]
    why: str | None
    outcome: str
    rows: int
    erased: tuple[int, ...]
    hash: str


@dataclass(frozen=True)
class Line:
    """A line as it stands: nothing in it is proved.

    Attributes:
        entry: the chained part; its `seq` is a whole number.
        hash: the hash that it claims.
        why: salt and text, or None.
    """

    entry: dict[str, Any]
    hash: str
    why: Any

    @property
    def seq(self) -> int:
        """The number that it claims."""
        return int(self.entry["seq"])

    def to_bytes(self) -> bytes:
        """Write it with its line end."""
        return canonical({"entry": self.entry, "hash": self.hash, "why": self.why}) + b"\n"

    def follows(self, key: bytes, before: str) -> bool:
        """Tell whether its hash is that of its entry after the hash `before`."""
        return self.hash == chained(key, before, self.entry)

    def to_entry(self) -> Entry:
        """Read its fields.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it holds other fields than an entry has.
        """
        fields = self.entry
        subjects = tuple(Subject(one["user"], tuple(one["businesses"])) for one in fields["subjects"])
        return Entry(
            at=datetime.fromisoformat(fields["at"]),
            subjects=subjects,
            why=self.why["text"] if self.why is not None else None,
            erased=tuple(fields.get("erased", ())),
            hash=self.hash,
            **{name: fields[name] for name in ("seq", "actor", "role", "action", "target", "outcome", "rows")},
        )


def canonical(value: Any) -> bytes:
    """Write JSON in the only way in which the log has it: ASCII, keys sorted, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def chained(key: bytes, before: str, entry: Mapping[str, Any]) -> str:
    """Hash an entry after the hash before it, which is empty for the first."""
    return keyed(key, "entry", before.encode() + canonical(entry))


def reason_hash(key: bytes, why: Any) -> str:
    """Hash a reason with its salt, as its entry holds it."""
    return keyed(key, "why", canonical(why))


def to_line(key: bytes, view: View, seq: int, at: datetime, before: str, erased: Sequence[int] = ()) -> Line:
    """Make the line of a look.

    Args:
        key: the log's key.
        view: the look.
        seq: its number.
        at: when, in UTC.
        before: the hash of the entry before it.
        erased: seqs whose reason it says to be erased.
    """
    why = {"salt": secrets.token_hex(16), "text": view.why} if view.why else None
    entry = {
        "seq": seq,
        "at": at.isoformat(timespec="microseconds"),
        "actor": view.actor,
        "role": view.role,
        "action": view.action,
        "target": view.target,
        "subjects": [
            {"user": None if one.user is None else user_hash(key, one.user), "businesses": list(one.businesses)}
            for one in view.subjects
        ],
        "outcome": view.outcome,
        "rows": view.rows,
        "why": reason_hash(key, why) if why else None,
    }
    if erased:
        entry["erased"] = list(erased)
    return Line(entry, chained(key, before, entry), why)


def read_line(raw: bytes) -> Line | None:
    """Read a line; None where it is not written as the log writes lines, down to the last byte."""
    try:
        found = json.loads(raw)
        line = Line(found["entry"], found["hash"], found["why"])
        is_line = isinstance(line.entry["seq"], int) and isinstance(line.hash, str) and line.to_bytes() == raw
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return line if is_line else None
