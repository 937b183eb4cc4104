"""What is superseded goes after a grace period: data files that no state names, and what killed processes spilled."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse.delta import DeltaFiles
from pipeline.warehouse.files import is_data_file
from pipeline.warehouse.lock import write_lock
from pipeline.warehouse.state import PUBLISHED, STAGED, read_state
from pipeline.warehouse.views import SPILL

_SPILL_KEPT_S = 86_400.0


def sweep(settings: Settings, timeout_s: float = 600.0) -> list[Path]:
    """Remove data files that neither readers nor writers need and that are older than the grace period.

    A reader that opened an earlier state keeps its files for `grace_hours` after they were written or superseded by a
    file's own age, so choose it longer than any query and longer than the time between two runs.

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
    before = time.time() - settings.grace_hours * 3600
    removed = [path for name in TABLES for path in _sweep_table(settings, name, before)]
    _sweep_spill(settings.warehouse / SPILL, time.time() - _SPILL_KEPT_S)
    return removed


def _sweep_table(settings: Settings, name: str, before: float) -> list[Path]:
    folder = settings.warehouse / name
    if not folder.is_dir():
        return []
    needed = {
        path
        for state in (read_state(settings.warehouse, STAGED), read_state(settings.warehouse, PUBLISHED))
        for paths in DeltaFiles(folder, TABLES[name], state.versions.get(name)).files().values()
        for path in paths
    }
    removed = []
    for path in sorted(folder.rglob("*.parquet")):
        if is_data_file(path) and path not in needed and _superseded_at(path, settings) <= before:
            path.unlink()
            removed.append(path)
    return removed


def _superseded_at(path: Path, settings: Settings) -> float:
    """When a file that no state names stopped to be needed, at the latest: when readers were last given a new state."""
    published = settings.warehouse / PUBLISHED
    return max(path.stat().st_mtime, published.stat().st_mtime if published.exists() else 0.0)


def _sweep_spill(folder: Path, before: float) -> None:
    for left in folder.iterdir() if folder.is_dir() else ():
        if left.stat().st_mtime <= before:
            shutil.rmtree(left, ignore_errors=True)
