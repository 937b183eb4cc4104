"""What was erased, as keyed hashes kept apart from the warehouse, and whether a warehouse went through all of it.

Each erasure has a number, a file of hashes, and a place in a small ledger that says whether it is done. A warehouse
notes the last erasure that it went through, so that an older one, or a lost ledger, is refused. Telling lines by the
hashes is `ingest`'s; what is erased, and erasing it, is `privacy`'s.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.settings import Settings

MARK = "erased"  # the fact in a warehouse's state that names the last erasure
_LEDGER = "ledger.json"

Hashes = npt.NDArray[np.uint64]
Mark = Mapping[str, Any]


class ErasedError(RuntimeError):
    """A warehouse and the ledger of what was erased do not belong together; nothing may be read or written."""


@dataclass(frozen=True)
class Erased:
    """An erasure as the ledger has it.

    Attributes:
        number: from 1 without gaps.
        token: a random text, by which the ledger of another warehouse is told from this one's.
        is_done: whether every warehouse must have gone through it.
    """

    number: int
    token: str
    is_done: bool

    @property
    def mark(self) -> dict[str, Any]:
        """What a warehouse that went through it notes."""
        return {"number": self.number, "token": self.token}


@dataclass(frozen=True)
class Tombstones:
    """What an erasure left behind, or several together.

    Attributes:
        values: by kind (user, child, member, business, cookie, login or ip) and hash, until when lines are left out,
            in microseconds since 1970.
        texts: hashes of rejected lines.
        lines: keyed hashes of lines, sorted.
    """

    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    lines: Hashes = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))

    def __bool__(self) -> bool:
        """Whether anything was ever erased."""
        return bool(self.values or self.texts or len(self.lines))

    def to_text(self, secret: str) -> str:
        """Write it, with what tells the secret by which it was made."""
        said = {
            "key": Keys(secret).of_value("key"),
            "values": self.values,
            "texts": sorted(self.texts),
            "lines": [f"{one:016x}" for one in self.lines.tolist()],
        }
        return json.dumps(said, sort_keys=True, separators=(",", ":"))


class Keys:
    """Hashes that nobody can make without the setting `secret`."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"trail tombstones", "sha256")
        first, second = np.frombuffer(hmac.digest(self._key, b"lines", "sha256")[:16], dtype=np.uint64)
        self.of_lines = (first, second)

    def of_value(self, kind: str, *values: str) -> str:
        """Hash a value of a kind, such as a user's id; a `member` is a user's id and a Business's."""
        told = "\0".join((kind, *values)).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, told, "sha256").hexdigest()[:32]

    def of_text(self, source: str, text: bytes) -> str:
        """Hash a rejected line of a source."""
        told = b"\0".join((b"text", source.encode("utf-8", "surrogatepass"), text))
        return hmac.new(self._key, told, "sha256").hexdigest()[:32]


def erased_folder(settings: Settings) -> Path:
    """Where the hashes and their ledger are: beside the record of requests, never in the warehouse."""
    return settings.privacy / "erased"


def ledger_path(settings: Settings) -> Path:
    """The ledger's file."""
    return erased_folder(settings) / _LEDGER


def tombstones_path(settings: Settings, number: int) -> Path:
    """The file of what an erasure left behind."""
    return erased_folder(settings) / f"{number:06}.json"


def ledger_text(ledger: Sequence[Erased]) -> str:
    """Write a ledger."""
    return json.dumps([asdict(one) for one in ledger], separators=(",", ":"))


def read_ledger(settings: Settings) -> list[Erased]:
    """Read which erasures there are, in their order.

    Raises:
        ErasedError: the ledger cannot be read.
    """
    path = ledger_path(settings)
    try:
        return [Erased(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise ErasedError(f"{path}: the ledger of what was erased cannot be read: {error}") from error


def check_mark(settings: Settings, mark: Mark | None) -> None:
    """Check that a warehouse went through every erasure that is done, and that the ledger is the one it knows.

    Args:
        settings: where the ledger is.
        mark: what the warehouse's state holds as `MARK`; None where nothing was ever erased in it.

    Raises:
        ErasedError: the ledger was lost or is another warehouse's, or the warehouse is older than an erasure.
    """
    missing = missing_erasures(settings, mark)
    if missing:
        raise ErasedError(
            f"{settings.warehouse}: it is older than erasure {missing[0].number}, so that it may hold what was erased; "
            "`trail privacy replay` erases it here too"
        )


def missing_erasures(settings: Settings, mark: Mark | None) -> list[Erased]:
    """Find the erasures that are done and that a warehouse did not go through, in their order.

    Args:
        settings: where the ledger is.
        mark: as for `check_mark`.

    Raises:
        ErasedError: the ledger was lost or is another warehouse's.
    """
    ledger = read_ledger(settings)
    if mark is not None and not any((one.number, one.token) == (mark["number"], mark["token"]) for one in ledger):
        raise ErasedError(
            f"{settings.warehouse}: erasure {mark['number']} was made here, and {ledger_path(settings)} does not "
            "have it; put the folder back that belongs to this warehouse: without it, what was erased may come back"
        )
    last = mark["number"] if mark else 0
    return [one for one in ledger if one.is_done and one.number > last]


def read_tombstones(settings: Settings, numbers: Iterable[int] | None = None) -> Tombstones:
    """Read what erasures left behind, together; of all by default.

    Raises:
        ErasedError: a file is missing or cannot be read, or was made with another secret.
    """
    wanted = [one.number for one in read_ledger(settings)] if numbers is None else list(numbers)
    values: dict[str, dict[str, int]] = {}
    texts: set[str] = set()
    lines = [np.zeros(0, dtype=np.uint64)]
    key = Keys(settings.secret).of_value("key") if wanted else ""
    for number in wanted:
        path = tombstones_path(settings, number)
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ErasedError(f"{path}: what erasure {number} left cannot be read: {error}") from error
        if said["key"] != key:
            raise ErasedError(f"{path}: it was made with another `secret`; set the one that was set then")
        for kind, of_kind in said["values"].items():
            known = values.setdefault(kind, {})
            for one, until in of_kind.items():
                known[one] = max(until, known.get(one, until))
        texts.update(said["texts"])
        lines.append(np.array([int(one, 16) for one in said["lines"]], dtype=np.uint64))
    return Tombstones(values, frozenset(texts), np.unique(np.concatenate(lines)))
