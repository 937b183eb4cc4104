"""What is superseded goes after a grace period: data files that no state names, and what killed processes spilled."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse.delta import DeltaFiles
from pipeline.warehouse.files import is_data_file, replace_atomically
from pipeline.warehouse.lock import write_lock
from pipeline.warehouse.state import PUBLISHED, STAGED, read_state
from pipeline.warehouse.views import SPILL

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


def sweep_locked(settings: Settings) -> list[Path]:
    """Sweep as `sweep` does, for a caller that holds the lock and has staged or published what it wrote."""
    now = time.time()
    noted = _read_notes(settings.warehouse)
    unneeded = [path for name in TABLES for path in _unneeded(settings, name)]
    since = {path: noted.get(path.relative_to(settings.warehouse).as_posix(), now) for path in unneeded}
    removed = [path for path in unneeded if now - since[path] >= settings.grace_hours * 3600]
    for path in removed:
        path.unlink()
    left = {path.relative_to(settings.warehouse).as_posix(): since[path] for path in set(unneeded) - set(removed)}
    replace_atomically(settings.warehouse / _NOTES, json.dumps(left, sort_keys=True))
    _sweep_spill(settings.warehouse / SPILL, now - _SPILL_KEPT_S)
    return removed


def _read_notes(warehouse: Path) -> dict[str, float]:
    """Since when files have not been needed, by path in the warehouse; notes that cannot be read begin anew."""
    try:
        notes: dict[str, float] = json.loads((warehouse / _NOTES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return notes


def _unneeded(settings: Settings, name: str) -> list[Path]:
    folder = settings.warehouse / name
    if not folder.is_dir():
        return []
    states = (read_state(settings.warehouse, STAGED), read_state(settings.warehouse, PUBLISHED))
    needed = {
        path
        for state in states
        for paths in DeltaFiles(folder, TABLES[name], state.versions.get(name)).files().values()
        for path in paths
    }
    return [path for path in sorted(folder.rglob("*.parquet")) if is_data_file(path) and path not in needed]


def _sweep_spill(folder: Path, before: float) -> None:
    for left in folder.iterdir() if folder.is_dir() else ():
        if left.stat().st_mtime <= before:
            shutil.rmtree(left, ignore_errors=True)
