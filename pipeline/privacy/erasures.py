"""The ledger of erasures: each is written ahead, with what it needs to be resumed, and ends as a certificate.

While it is under way its folder holds whom it concerns, for its owner only; once it is done the folder is gone, and
what stays says what was searched and how much was taken out, and nothing of anybody.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.privacy.landing import Scrubbed
from pipeline.privacy.subjects import Subject
from pipeline.settings import Settings
from pipeline.tombstones import (
    Erased,
    Keys,
    Tombstones,
    erased_folder,
    ledger_path,
    ledger_text,
    read_ledger,
    read_tombstones,
    tombstones_path,
)
from pipeline.warehouse.files import replace_atomically
from pipeline.warehouse.lock import write_lock

_LOCK_TIMEOUT_S = 600.0
_PLAN = "plan.json"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Erasure:
    """An erasure that is under way.

    Attributes:
        number: its number in the ledger.
        token: as in the ledger.
        began_at: when it was written down, in ISO 8601.
        subjects: whom and what it concerns.
        requests: numbers of the requests of the record that it answers.
        held_back: requests that are not answered for now, with why and until when.
        words: what no text may hold in the end; None until they are known.
        looks: hashes of the users in the log of who looked whose reasons go.
        landing: files of the landing folder to be overwritten; None until they are known.
        offsets: where the lines begin that go, by file.
        landing_left: other files of the landing place from which lines were read that went.
        recalled: hashed ids that those who have copies must remove, by number of the copy.
        done: rows taken out and masked, files and days, by table.
        kept: how many acts and identifiers of others were settled.
    """

    number: int
    token: str
    began_at: str
    subjects: Sequence[Subject]
    requests: Sequence[int] = ()
    held_back: Sequence[Mapping[str, Any]] = ()
    words: Sequence[str] | None = None
    looks: Sequence[str] = ()
    landing: Sequence[Scrubbed] | None = None
    offsets: Mapping[str, Sequence[int]] = field(default_factory=dict)
    landing_left: Sequence[str] = ()
    recalled: Mapping[str, Sequence[str]] = field(default_factory=dict)
    done: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)

    @property
    def began_us(self) -> int:
        """When it was written down, in microseconds since 1970."""
        return (datetime.fromisoformat(self.began_at) - _EPOCH) // timedelta(microseconds=1)


class Erasures:
    """The ledger of erasures and what is under way."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.privacy / "erasures"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process erase at a time."""
        for folder in (self._settings.privacy, erased_folder(self._settings), self._folder):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        with write_lock(self._folder, _LOCK_TIMEOUT_S):
            yield

    def under_way(self) -> Erasure | None:
        """The erasure that was begun and is not done."""
        for path in sorted(self._folder.glob(f"*/{_PLAN}")):
            said = json.loads(path.read_text(encoding="utf-8"))
            said["subjects"] = [Subject(**one) for one in said["subjects"]]
            if said["landing"] is not None:
                said["landing"] = [Scrubbed(**one) for one in said["landing"]]
            return Erasure(**said)
        return None

    def begin(
        self,
        subjects: Sequence[Subject],
        requests: Sequence[int],
        now: datetime,
        held_back: Sequence[Mapping[str, Any]],
    ) -> Erasure:
        """Write an erasure down before anything is done."""
        number = max((one.number for one in read_ledger(self._settings)), default=0) + 1
        begun = Erasure(number, secrets.token_hex(8), now.isoformat(), list(subjects), list(requests), list(held_back))
        (self._folder / f"{number:06}").mkdir(mode=0o700, exist_ok=True)
        self.write(begun)
        return begun

    def write(self, erasure: Erasure) -> None:
        """Write down how far an erasure is."""
        path = self._folder / f"{erasure.number:06}" / _PLAN
        replace_atomically(path, json.dumps(asdict(erasure)))
        path.chmod(0o600)

    def keep_out(self, erasure: Erasure, left: Tombstones) -> None:
        """Put what is erased among what is not let in again; from now on the ledger has the erasure."""
        replace_atomically(tombstones_path(self._settings, erasure.number), left.to_text(self._settings.secret))
        self._enter(Erased(erasure.number, erasure.token, is_done=False))

    def let_in(self, kind: str, values: Sequence[str]) -> None:
        """Keep subjects out no more, because what made them be erased was wrong."""
        keys = Keys(self._settings.secret)
        hashes = {keys.of_value(kind, value) for value in values}
        for one in read_ledger(self._settings) if hashes else ():
            left = read_tombstones(self._settings, [one.number])
            of_kind = left.values.get(kind, {})
            if hashes & of_kind.keys():
                rest = {name: until for name, until in of_kind.items() if name not in hashes}
                text = replace(left, values={**left.values, kind: rest}).to_text(self._settings.secret)
                replace_atomically(tombstones_path(self._settings, one.number), text)

    def finish(self, erasure: Erasure, certificate: Mapping[str, Any]) -> Path:
        """Write the certificate, say in the ledger that it is done, and forget whom it concerned; return its path."""
        path = self.certificate_path(erasure.number)
        replace_atomically(path, f"{json.dumps(certificate, indent=2)}\n")
        self._enter(Erased(erasure.number, erasure.token, is_done=True))
        shutil.rmtree(self._folder / f"{erasure.number:06}")
        return path

    def certificate_path(self, number: int) -> Path:
        """The certificate of an erasure."""
        return self._folder / f"{number:06}.json"

    def working_folder(self, erasure: Erasure) -> Path:
        """Where an erasure under way notes whom it concerns: the one place that may hold it until it is done."""
        return self._folder / f"{erasure.number:06}"

    def _enter(self, one: Erased) -> None:
        others = [other for other in read_ledger(self._settings) if other.number != one.number]
        ledger = sorted([*others, one], key=lambda entry: entry.number)
        replace_atomically(ledger_path(self._settings), ledger_text(ledger))
