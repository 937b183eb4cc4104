"""One writer a warehouse: a lock of the operating system, which the kernel releases however the process ends."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOG = logging.getLogger("trail")
_PAUSE_S = 0.1


class LockTimeoutError(RuntimeError):
    """Another run held the warehouse for longer than this one was willing to wait."""


@contextmanager
def write_lock(warehouse: Path, timeout_s: float) -> Iterator[None]:
    """Hold the warehouse's write lock.

    Args:
        warehouse: its folder, which exists.
        timeout_s: how long to wait for another writer to end.

    Raises:
        LockTimeoutError: it did not end in time; the message names the lock file.
    """
    path = warehouse / "_lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(handle, path, timeout_s)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    said = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockTimeoutError(
                    f"another run is writing to the warehouse (it holds {path}); waited {timeout_s:g} s"
                ) from None
            if not said:
                _LOG.info("waiting for another run to end; it holds %s", path)
                said = True
            time.sleep(_PAUSE_S)
        else:
            return
