"""Read the log of who looked, for those who review it and for a Business about its users; nothing is proved here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.audit.entries import AccessLogError, Entry, read_line
from pipeline.audit.folder import month_name, snapshot
from pipeline.audit.keys import user_hash

UNKNOWN_USER = "a user no longer known"


@dataclass(frozen=True)
class Look:
    """What a Business may be told of a look.

    Attributes:
        at: when, in UTC.
        actor: who looked.
        role: as what.
        action: what they did.
        target: at what; empty where the look concerned another Business too, whose it may be.
        outcome: how it came out.
        why: the reason; None where none was given, or it was erased.
        users: ids of the Business's users that it concerned, `UNKNOWN_USER` for each that is not known; none where it
            concerned the Business without a known user, such as an anonymous visit.
    """

    at: datetime
    actor: str
    role: str
    action: str
    target: str
    outcome: str
    why: str | None
    users: tuple[str, ...]


def read_entries(
    folder: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    business: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    user: str | None = None,
) -> Iterator[Entry]:
    """Read entries in order; what is None does not filter.

    Args:
        folder: the log's folder; one that does not exist is an empty log.
        since: the first moment.
        until: the last moment, itself included.
        business: id of a Business that an entry concerns.
        actor: who looked.
        action: what they did.
        user: the hash of a user that an entry concerns, from `user_hash`.

    Raises:
        AccessLogError: a line cannot be read; what can be read before it was already returned.
    """
    first_file = month_name(f"{since.astimezone(UTC):%Y-%m}") if since else ""
    with snapshot(folder) as (_, months):
        for month in months:
            if month.name < first_file:  # no entry is in a file of an earlier month than its own
                continue
            for number, raw in month.lines():
                if month is months[-1] and not raw.endswith(b"\n"):
                    return  # torn by a crash before its page was sent
                entry = _to_entry(raw, f"{folder / month.name}, line {number}")
                if (
                    (since is None or entry.at >= since)
                    and (until is None or entry.at <= until)
                    and actor in (None, entry.actor)
                    and action in (None, entry.action)
                    and (business is None or any(business in one.businesses for one in entry.subjects))
                    and (user is None or any(user == one.user for one in entry.subjects))
                ):
                    yield entry


def _to_entry(raw: bytes, place: str) -> Entry:
    line = read_line(raw)
    try:
        if line is not None:
            return line.to_entry()
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise AccessLogError(f"{place}: this is no line of the log; `trail audit verify` says more")


def looks_at_business(
    folder: Path,
    key: bytes,
    business: str,
    known_users: Iterable[str],
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Look]:
    """Tell a Business who looked at its users, and nothing of the users of others.

    A reason is passed on as it was typed: it is the one field in which another Business may be named.

    Args:
        folder: the log's folder.
        key: the log's key.
        business: the Business's id.
        known_users: ids of its users.
        since: the first moment; None for ever.
        until: the last moment, itself included.

    Raises:
        AccessLogError: as for `read_entries`.
    """
    names = {user_hash(key, user): user for user in known_users}
    for entry in read_entries(folder, since=since, until=until, business=business):
        own = [one.user for one in entry.subjects if business in one.businesses and one.user is not None]
        is_own_alone = all(one.businesses == (business,) for one in entry.subjects)
        yield Look(
            entry.at,
            entry.actor,
            entry.role,
            entry.action,
            entry.target if is_own_alone else "",
            entry.outcome,
            entry.why,
            tuple(names.get(user, UNKNOWN_USER) for user in own),
        )
