"""The record of what Businesses asked about their users' data: who asked, when, until when it is due, what came of it.

A request is one small file, and whom it concerns stands in it as a keyed hash; the user's id stands beside it only
while the request is open. What is done about one does not belong here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pipeline.audit import access_key
from pipeline.audit.keys import keyed
from pipeline.privacy.numbered import NumberedFiles
from pipeline.settings import Settings
from pipeline.warehouse.files import replace_atomically

KINDS = ("access", "correction", "erasure", "lawful")
DONE, REFUSED = "done", "refused"
_LONGEST = 500


class RecordError(ValueError):
    """The record cannot be read, or a request in it is not what was asked for; the message names the place."""


@dataclass(frozen=True)
class Request:
    """What a Business asked about a user.

    Attributes:
        number: its number, from 1 without gaps.
        kind: one of `KINDS`.
        business: id of the Business.
        subject: keyed hash of the user's id, from `subject_hash`; of what was asked for where that is no user's.
        user: the user's id; None once the request is closed.
        asked_by: who asked for the Business.
        reference: the Business's own word for it, such as a ticket.
        noted_by: who wrote it down.
        received_at: when it came, in UTC.
        due: the UTC day until whose end it is to be done.
        closed_at: when it was done or refused; None while it is open.
        outcome: `DONE` or `REFUSED`; None while it is open.
        why: the reason of a refusal, or what was done.
        rows: how many rows it concerned, by table.
        of: what `user` is: a user's id (`user`), or of an erasure a cookie or login (`identifier`), an `address`, or
            the Business itself (`business`).
        is_everywhere: whether an erasure is to be made in all Businesses.
        is_confirmed: whether an erasure is to be made by the next daily run: somebody saw what it takes out.
    """

    number: int
    kind: str
    business: str
    subject: str
    user: str | None
    asked_by: str | None
    reference: str | None
    noted_by: str
    received_at: datetime
    due: date
    closed_at: datetime | None = None
    outcome: str | None = None
    why: str | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    of: str = "user"
    is_everywhere: bool = False
    is_confirmed: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return self.closed_at is None

    def days_left(self, today: date) -> int:
        """Days until it is due: 0 on the day itself, negative once that is over."""
        return (self.due - today).days


def subject_hash(settings: Settings, user_id: str) -> str:
    """Return what stands for a user in the record.

    Args:
        settings: whose `secret` is the key.
        user_id: the service's own id.
    """
    return keyed(access_key(settings.secret), "privacy", user_id.encode("utf-8", "surrogatepass"))[:32]


class Record:
    """The record of requests, which several processes write."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Open nothing yet.

        Args:
            settings: where the record is, in how many days requests are due, and the key of its hashes.
            clock: what time it is.
        """
        self._settings = settings
        self._files = NumberedFiles(settings.privacy / "requests")
        self._clock = clock

    def receive(
        self,
        kind: str,
        business: str,
        user: str,
        noted_by: str,
        asked_by: str | None = None,
        reference: str | None = None,
        received_at: datetime | None = None,
        of: str = "user",
        is_everywhere: bool = False,
    ) -> Request:
        """Write down that a Business asked; it is on the disk when this returns.

        Args:
            kind: one of `KINDS`.
            business: id of the Business.
            user: the user's id.
            noted_by: who writes it down.
            asked_by: who asked for the Business.
            reference: the Business's own word for it.
            received_at: when it came; now by default.
            of: what `user` is, see `Request`.
            is_everywhere: see `Request`.

        Raises:
            RecordError: a text is too long, or it came later than now.
        """
        now = self._clock()
        came = (received_at or now).astimezone(UTC)
        if kind not in KINDS:
            raise RecordError(f"there are no requests of kind {kind!r}; there are {', '.join(KINDS)}")
        if came > now:
            raise RecordError(f"the request was received at {came:%Y-%m-%d %H:%M}, which is later than now")
        for name, text in {"asked_by": asked_by, "reference": reference, "noted_by": noted_by}.items():
            if text is not None and len(text) > _LONGEST:
                raise RecordError(f"{name} has {len(text):,} characters; at most {_LONGEST} are kept")
        with self._files.locked():
            number = self._files.next_number()
            due = came.date() + timedelta(days=self._settings.privacy_days)
            subject = subject_hash(self._settings, user)
            said = Request(
                *(number, kind, business, subject, user, asked_by, reference, noted_by, came, due),
                of=of,
                is_everywhere=is_everywhere,
            )
            self._write(said)
        return said

    def confirm(self, number: int) -> Request:
        """Write down that an erasure is to be made.

        Raises:
            RecordError: there is no such open request, or it is of another kind.
        """
        with self._files.locked():
            found = self.read(number)
            if not found.is_open or found.kind != "erasure":
                raise RecordError(f"request {number} is no open one of erasure")
            confirmed = replace(found, is_confirmed=True)
            self._write(confirmed)
        return confirmed

    def close(
        self, number: int, outcome: str, why: str | None = None, rows: Mapping[str, int] | None = None
    ) -> Request:
        """Write down that a request was done or refused; the user's id goes from it.

        Args:
            number: its number.
            outcome: `DONE` or `REFUSED`.
            why: the reason of a refusal, or what was done.
            rows: how many rows it concerned, by table.

        Raises:
            RecordError: there is no such open request.
        """
        with self._files.locked():
            found = self.read(number)
            if not found.is_open:
                raise RecordError(f"request {number} was closed on {found.closed_at:%Y-%m-%d}: {found.outcome}")
            closed = replace(
                found,
                user=None,
                closed_at=self._clock().astimezone(UTC),
                outcome=outcome,
                why=why,
                rows=dict(rows or {}),
            )
            self._write(closed)
        return closed

    def mask_closed(self, mask: Callable[[bytes], bytes]) -> None:
        """Mask words in what closed requests say; open ones name whom they concern until they are closed.

        Args:
            mask: gives text in which words are masked.
        """
        with self._files.locked():
            for said in self._all():
                path = self._files.path(said.number)
                text = path.read_bytes()
                if not said.is_open and mask(text) != text:
                    replace_atomically(path, mask(text).decode("utf-8"))

    def open_files(self) -> set[Path]:
        """The files of requests that are still to be done."""
        return {self._files.path(said.number) for said in self._all() if said.is_open}

    def read(self, number: int) -> Request:
        """Read a request by its number.

        Raises:
            RecordError: there is none, or its file cannot be read.
        """
        path = self._files.path(number)
        if not path.is_file():
            raise RecordError(f"there is no request {number}")
        return _read(path)

    def all(self) -> list[Request]:
        """Read all requests, those due first at first and the closed ones last, newest of these first.

        Raises:
            RecordError: a file cannot be read.
        """
        found = list(self._all())
        waiting = sorted((one for one in found if one.is_open), key=lambda one: (one.due, one.number))
        return waiting + sorted((one for one in found if not one.is_open), key=lambda one: -one.number)

    def _all(self) -> Iterator[Request]:
        return (_read(path) for path in self._files.paths())

    def _write(self, said: Request) -> None:
        self._files.write(said.number, asdict(said))


def _read(path: Path) -> Request:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        closed_at = said["closed_at"] and datetime.fromisoformat(said["closed_at"])
        moments = {"received_at": datetime.fromisoformat(said["received_at"]), "due": date.fromisoformat(said["due"])}
        return Request(**said | moments | {"closed_at": closed_at})
    except (ValueError, TypeError, KeyError) as error:
        raise RecordError(f"{path}: this is no request of the record: {error}") from error
