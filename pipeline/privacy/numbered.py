"""Small files of JSON numbered from 1, such as requests, holds and copies; several processes write, each file at once.

What a file says, and what its number means, is its room's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.warehouse.files import replace_atomically
from pipeline.warehouse.lock import write_lock

_LOCK_TIMEOUT_S = 60.0
_PATTERN = "[0-9][0-9][0-9][0-9][0-9][0-9].json"


class NumberedFiles:
    """The files of a folder, which nobody else may read."""

    def __init__(self, folder: Path) -> None:
        """Open nothing yet.

        Args:
            folder: of these files alone.
        """
        self._folder = folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process write at a time; the folder is made."""
        for folder in (self._folder.parent, self._folder):
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o700)
        with write_lock(self._folder, _LOCK_TIMEOUT_S):
            yield

    def next_number(self) -> int:
        """The number of the next file; it is free as long as the lock is held."""
        return max((int(path.stem) for path in self.paths()), default=0) + 1

    def paths(self) -> list[Path]:
        """The files, in the order of their numbers."""
        return sorted(self._folder.glob(_PATTERN))

    def path(self, number: int) -> Path:
        """Where the file of a number is, if it is there."""
        return self._folder / f"{number:06}.json"

    def write(self, number: int, said: Mapping[str, Any]) -> None:
        """Write a file; days and instants in ISO 8601."""
        text = json.dumps(said, default=_text, indent=2, sort_keys=True)
        replace_atomically(self.path(number), f"{text}\n")

    def remove(self, number: int) -> None:
        """Remove a file, where it is there."""
        self.path(number).unlink(missing_ok=True)


def _text(value: object) -> str:
    assert isinstance(value, date)
    return value.isoformat()
