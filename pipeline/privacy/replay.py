"""A warehouse that is older than an erasure — one restored from a backup — made to go through it.

Nothing says any more who was erased: whoever is in the old tables is hashed, and known again by that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ingest.barrier import keyed_lines
from pipeline.lookup.rows import rows
from pipeline.privacy.prove import search
from pipeline.privacy.rewrite import Mask
from pipeline.privacy.subjects import Subject
from pipeline.privacy.take_out import take_out
from pipeline.privacy.words import Words
from pipeline.settings import Settings
from pipeline.tombstones import MARK, Keys, Tombstones, missing_erasures, read_tombstones
from pipeline.warehouse import open_run
from pipeline.warehouse.sweep import sweep_locked


class ReplayError(RuntimeError):
    """Something of whom was erased is left in the warehouse; the message names the places."""


def replay(settings: Settings, progress: Callable[[str], None] | None = None) -> list[int]:
    """Make a warehouse go through the erasures that were done since it was made; again, where that was broken off.

    Args:
        settings: where the warehouse is, and the ledger of erasures.
        progress: told what is done.

    Returns:
        Numbers of the erasures that it had not gone through.

    Raises:
        ErasedError: the ledger is not the one that the warehouse knows.
        ReplayError: something is left.
    """
    tell = progress or (lambda _: None)
    with open_run(settings, is_erasing=True) as run:
        missing = missing_erasures(settings, run.facts.get(MARK))
        words: list[str] = []
        if missing:
            left = read_tombstones(settings, [one.number for one in missing])
            keys = Keys(settings.secret)
            with run.connect() as connection:
                subjects = list(_known_again(connection, keys, left))
            tell(f"{len(subjects):,} users and identifiers known again")
            taken = take_out(run, subjects, missing[-1].number, tell, is_line=_Lines(keys, left))
            words = list(taken.words)
            run.facts[MARK] = missing[-1].mark
        run.publish()
        sweep_locked(settings, grace_s=0)
    found = [f"{one.store}: {place}" for one in search(settings, Words(words), only="warehouse") for place in one.found]
    if found:
        raise ReplayError(f"something is left: {'; '.join(found[:10])}")
    return [one.number for one in missing]


def _known_again(connection: duckdb.DuckDBPyConnection, keys: Keys, left: Tombstones) -> Iterator[Subject]:
    """Find who and what is in the tables and was erased."""
    for kind, query in _ASKED.items():
        of_kind = left.values.get(kind, {})
        for row in rows(connection, query) if of_kind else ():
            until = of_kind.get(keys.of_value(kind, *(str(row[name]) for name in row)))
            if until is not None:
                yield _subject(kind, *row.values(), until=until)


def _subject(kind: str, value: str, business: str | None = None, *, until: int) -> Subject:
    kinds = {"member": "user", "cookie": "identifier", "login": "identifier", "ip": "address"}
    return Subject(kinds.get(kind, kind), value, business, until)


_USERS = """
select user_id from users
union
select user_id from user_businesses
union
select user_id from identifier_days where user_id is not null
order by all
"""
_ASKED = {
    "user": _USERS,
    "child": _USERS,
    "member": "select user_id, business_id from user_businesses where business_id is not null order by all",
    "cookie": """
        select distinct substr(identifier, 3) as cookie
        from identifier_days
        where identifier_kind = 'visitor'
        order by all
    """,
    "login": "select distinct identifier from identifier_days where identifier_kind = 'login' order by all",
    "ip": "select distinct ip from requests where ip is not null order by all",
    "business": """
        select business_id from businesses
        union
        select business_id from user_businesses where business_id is not null
        order by all
    """,
}


class _Lines:
    """Tells lines that were erased by their keyed hashes."""

    def __init__(self, keys: Keys, left: Tombstones) -> None:
        self._keys, self._left = keys, left.lines

    def __call__(self, raw: pa.Table) -> Mask:
        """Tell of each row of `raw_requests`."""
        has = np.zeros(raw.num_rows, dtype=np.bool_)
        for source in raw["source"].unique().to_pylist():
            is_of = pc.equal(raw["source"], source).to_numpy()
            hashes = keyed_lines(self._keys, source, raw["line_hash"].to_numpy()[is_of])
            has[is_of] = np.isin(hashes, self._left)
        return has
