"""What is superseded goes after a grace period: data files that no state names, and what killed processes spilled."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse.delta import DeltaFiles
from pipeline.warehouse.files import is_data_file, replace_atomically
from pipeline.warehouse.lock import write_lock
from pipeline.warehouse.state import PUBLISHED, STAGED, read_state

_SPILL_KEPT_S = 86_400.0
_NOTES = "_unneeded.json"


def sweep(settings: Settings, timeout_s: float = 600.0) -> list[Path]:
    """Remove data files that neither readers nor writers have needed for the grace period.

    A file that no state names is noted when a sweep first sees it so; a later sweep, `grace_hours` after that or more,
    removes it. So a reader that opened an earlier state keeps its files at least that long.

    Args:
        settings: the warehouse and its `grace_hours`.
        timeout_s: how long to wait for a run to end.

    Returns:
        The files removed.
    """
    if not settings.warehouse.is_dir():
        return []
    with write_lock(settings.warehouse, timeout_s):
        return sweep_locked(settings)


def sweep_locked(settings: Settings, grace_s: float | None = None) -> list[Path]:
    """Sweep as `sweep` does, for a caller that holds the lock and has staged or published what it wrote.

    Args:
        settings: the warehouse.
        grace_s: how long files stay that are not needed; the setting where None. What is erased must not stay at all.
    """
    grace_s = settings.grace_hours * 3600 if grace_s is None else grace_s
    now = time.time()
    noted = _read_notes(settings.warehouse)
    unneeded = {path.relative_to(settings.warehouse).as_posix(): path for path in _unneeded(settings)}
    since = {name: noted.get(name, now) for name in unneeded}
    removed = [name for name in unneeded if now - since[name] >= grace_s]
    for name in removed:
        unneeded[name].unlink()
        del since[name]
    replace_atomically(settings.warehouse / _NOTES, json.dumps(since, sort_keys=True))
    _sweep_spill(settings.spill, now - _SPILL_KEPT_S)
    return [unneeded[name] for name in removed]


def _read_notes(warehouse: Path) -> dict[str, float]:
    """Since when files have not been needed, by path in the warehouse; where the notes are lost, all begin anew."""
    try:
        notes: dict[str, float] = json.loads((warehouse / _NOTES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return notes


def _unneeded(settings: Settings) -> Iterator[Path]:
    states = (read_state(settings.warehouse, STAGED), read_state(settings.warehouse, PUBLISHED))
    for name in TABLES:
        folder = settings.warehouse / name
        if not folder.is_dir():
            continue
        needed = {
            path
            for version in {state.versions.get(name) for state in states}
            for paths in DeltaFiles(folder, TABLES[name], version).files().values()
            for path in paths
        }
        yield from (path for path in sorted(folder.rglob("*.parquet")) if is_data_file(path) and path not in needed)


def _sweep_spill(folder: Path, before: float) -> None:
    for left in folder.iterdir() if folder.is_dir() else ():
        if left.stat().st_mtime <= before or _is_of_the_dead(left.name):
            shutil.rmtree(left, ignore_errors=True)


def _is_of_the_dead(name: str) -> bool:
    """Whether a folder is named after a process that runs no more."""
    number = name.partition("-")[0]
    return number.isdecimal() and not Path("/proc", number).exists() and Path("/proc/self").exists()
