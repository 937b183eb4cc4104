"""Notes each look at a person in the access log before anything is shown, with the reason that was given for it.

How the log is kept is in `audit/`; who may look is in `access.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipeline.audit import AccessLog, Subject, View, access_key
from pipeline.audit.entries import Outcome
from pipeline.settings import Settings
from pipeline.web.access import Actor

_WHY_HOLDS_S = 3600
_LONGEST_WHY = 500


@dataclass(frozen=True)
class _Given:
    why: str
    at: float


class Looks:
    """Writes looks down, and keeps what each person last gave as the reason."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the log.

        Args:
            settings: where the log is, and whether a reason has to be given.
            clock: the time, in seconds that only grow.
        """
        self._log = AccessLog(settings.access_log, access_key(settings.secret))
        self._must_say_why = settings.ask_why
        self._clock = clock
        self._lock = threading.Lock()
        self._given: dict[str, _Given] = {}

    def give_why(self, actor: Actor, why: str) -> None:
        """Keep a reason for what somebody looks at next, for an hour; an empty one takes the last away."""
        text = why.strip()[:_LONGEST_WHY]
        with self._lock:
            self._given.pop(actor.name, None)
            if text:
                self._given[actor.name] = _Given(text, self._clock())

    def why(self, actor: Actor) -> str | None:
        """The reason somebody gave within the last hour; None where none was."""
        with self._lock:
            given = self._given.get(actor.name)
        return given.why if given and self._clock() - given.at < _WHY_HOLDS_S else None

    def lacks_why(self, actor: Actor) -> bool:
        """Whether somebody has to give a reason first."""
        return self._must_say_why and self.why(actor) is None

    def note(
        self, actor: Actor, action: str, target: str = "", subjects: Iterable[Subject] = (), is_shown: bool = True
    ) -> None:
        """Write a look down.

        Args:
            actor: who looks.
            action: what at: search, user, visit, request, reveal or export.
            target: which, by an id of Trail's own.
            subjects: whom it shows.
            is_shown: whether there is something to be shown.

        Raises:
            AccessLogError: it cannot be written; then nothing may be shown.
        """
        whom = tuple(subjects)
        outcome: Outcome = "shown" if is_shown else "nothing"
        self._log.append(View(actor.name, actor.role, action, target, whom, self.why(actor), outcome, len(whom)))

    def note_sign_in(self, name: str, outcome: str) -> None:
        """Write down that somebody signed in or out, or failed to, whose name may be a password and is left out."""
        actor = name if outcome in ("signed_in", "signed_out") else "unknown"
        self._log.append(View(actor, "", outcome, outcome="shown" if actor == name else "refused"))
