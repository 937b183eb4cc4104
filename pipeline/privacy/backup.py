"""Backups: the published state in a second place, encrypted and incremental by restic, and gone again in time.

Only live files are backed up: what is superseded would begin its days anew. What is erased is in older snapshots still,
until these expire by the clock on the wall; a restored warehouse goes through what it missed before anybody reads it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.audit import access_key
from pipeline.audit.keys import keyed
from pipeline.checks import CheckResult
from pipeline.places import check_places
from pipeline.privacy.replay import replay
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.tombstones import MARK, erased_folder, missing_erasures
from pipeline.warehouse import connect, live_files
from pipeline.warehouse.lock import write_lock
from pipeline.warehouse.state import PUBLISHED, STAGED, State, read_state, write_state

WAREHOUSE, ERASED, RECORD, LOOKS = "warehouse", "erased", "record", "looks"
_HOST = "trail"
_LOCK_TIMEOUT_S = 3600.0
_OLDEST_H = 36

Progress = Callable[[str], None]


class BackupError(RuntimeError):
    """A backup cannot be made, read or restored; the message says why and what to do."""


@dataclass(frozen=True)
class Snapshot:
    """What was backed up at once.

    Attributes:
        id: restic's.
        kind: the warehouse, the hashes of what was erased, the record of requests, or the log of who looked.
        at: when, in UTC.
    """

    id: str
    kind: str
    at: datetime


class Repository:
    """The place of the backups."""

    def __init__(self, settings: Settings) -> None:
        """Say where; nothing is asked yet.

        Raises:
            BackupError: no place is configured, or restic is not installed.
            PlaceError: a place lies where data may not be.
        """
        if settings.backup is None:
            raise BackupError("the setting 'backup' is not set: a folder, or s3://bucket/prefix")
        if shutil.which("restic") is None:
            raise BackupError("restic is not installed; it is in the packages of every system (apt install restic)")
        check_places(settings)
        self._settings = settings
        self._place = _place(settings.backup)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let one process of this machine write at a time, to a repository that is made where there is none.

        So restic's own locks are those of processes that were killed, some of which it would take for alive.
        """
        folder = self._settings.privacy / "backups"
        folder.mkdir(parents=True, exist_ok=True)
        with write_lock(folder, _LOCK_TIMEOUT_S):
            if self._run("unlock", "--quiet", "--remove-all", may_fail=True).returncode != 0:
                self._run("init")
            yield

    @property
    def exists(self) -> bool:
        """Whether there is a repository, and this secret opens it."""
        return self._run("cat", "config", "--no-lock", may_fail=True).returncode == 0

    def snapshots(self) -> list[Snapshot]:
        """List the snapshots, the oldest first."""
        told = json.loads(self._run("snapshots", "--json").stdout or "[]") or []
        found = [
            Snapshot(one["id"], one["tags"][0], datetime.fromisoformat(one["time"][:19] + "+00:00")) for one in told
        ]
        return sorted(found, key=lambda one: one.at)

    def add(self, kind: str, folder: Path, files: Sequence[Path], at: datetime, before: Snapshot | None) -> int:
        """Back up files of a folder; return how many bytes that added.

        Args:
            kind: of the snapshot.
            folder: as which the files are relative.
            files: below it.
            at: when.
            before: the last snapshot of the kind: files that are in it are not read again.
        """
        parent = ["--parent", before.id] if before else []
        listed = "\0".join(path.relative_to(folder).as_posix() for path in files) + "\0"
        when = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        done = self._run(
            *("backup", "--json", "--quiet", "--host", _HOST, "--tag", kind, "--time", when, *parent),
            *("--files-from-raw", "-"),
            folder=folder,
            given=listed,
        )
        summary = json.loads(done.stdout.strip().splitlines()[-1])
        return int(summary["data_added"])

    def forget(self, snapshots: Sequence[Snapshot]) -> None:
        """Remove snapshots, and every byte that no other one holds: also what a killed process left so."""
        if snapshots:
            self._run("forget", "--quiet", "--prune", "--max-unused", "0", *(one.id for one in snapshots))
        else:
            self._run("prune", "--quiet", "--max-unused", "0")

    def check(self, with_data: bool = False) -> None:
        """Check that the repository is whole: its structure, on demand every byte of it.

        Raises:
            BackupError: it is not.
        """
        self._run("check", "--quiet", *(["--read-data"] if with_data else []))

    def restore(self, snapshot: Snapshot, folder: Path) -> None:
        """Write a snapshot's files to a folder, and compare them with it."""
        folder.mkdir(parents=True, exist_ok=True)
        self._run("restore", "--quiet", snapshot.id, "--target", str(folder), "--verify")

    def _run(
        self, *arguments: str, folder: Path | None = None, given: str = "", may_fail: bool = False
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "RESTIC_REPOSITORY": self._place,
            "RESTIC_PASSWORD": keyed(access_key(self._settings.secret), "backup", b"restic"),
            "RESTIC_PROGRESS_FPS": "0",
            "TZ": "UTC",
        }
        cache = self._settings.spill / "restic"
        command = ["restic", "--cache-dir", str(cache), *arguments]
        done = subprocess.run(  # noqa: S603 our own words; the files' names come by a pipe
            command, cwd=folder, input=given, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0 and not may_fail:
            raise BackupError(f"{self._place}: {' '.join(done.stderr.split()) or 'restic failed'}")
        return done


def _place(backup: Path | str) -> str:
    if isinstance(backup, Path):
        return str(backup)
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "https://s3.amazonaws.com").rstrip("/")
    return f"s3:{endpoint}/{backup.removeprefix('s3://').rstrip('/')}"


def back_up(settings: Settings, now: datetime | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Remove what is too old; back up the published state, the record, what was erased and the log of who looked.

    Args:
        settings: what to back up, and where to.
        now: what time it is.
        progress: told what is done.

    Returns:
        Files and bytes by kind, bytes added, and how many snapshots expired.

    Raises:
        BackupError: it cannot be made.
        LockTimeoutError: another run holds the warehouse.
    """
    tell = progress or (lambda _: None)
    at = now or datetime.now(UTC)
    repository = Repository(settings)
    with repository.writing():
        return _backed_up(repository, settings, at, tell)


def _backed_up(repository: Repository, settings: Settings, at: datetime, tell: Progress) -> dict[str, Any]:
    # First, so that what is too old goes also where a backup cannot be made.
    known, expired = _expire(repository, settings, repository.snapshots(), at)
    done: dict[str, Any] = {"at": at.isoformat(), "expired": expired}
    with write_lock(settings.warehouse, _LOCK_TIMEOUT_S):
        for kind, folder, files in _sets(settings):
            if files:
                added = repository.add(kind, folder, files, at, _last(known, kind))
                size = sum(path.stat().st_size for path in files)
                done[kind] = {"files": len(files), "bytes": size, "added": added}
                tell(f"{kind}: {len(files):,} files, {size / 1e6:,.1f} MB, of which {added / 1e6:,.1f} MB are new")
    repository.check()
    return done


def back_up_erased(settings: Settings) -> None:
    """Back up the hashes of what was erased by themselves: a machine lost before the next backup must not lose them.

    Raises:
        BackupError: it cannot be made.
    """
    repository = Repository(settings)
    folder = erased_folder(settings)
    with repository.writing():
        repository.add(ERASED, folder, _files(folder), datetime.now(UTC), None)


def _last(snapshots: Sequence[Snapshot], kind: str) -> Snapshot | None:
    return next((one for one in reversed(snapshots) if one.kind == kind), None)


def _expire(
    repository: Repository, settings: Settings, known: Sequence[Snapshot], now: datetime
) -> tuple[list[Snapshot], int]:
    """Remove snapshots that are too old, by the clock and not by how many there are; return the others, and how many.

    The last one of the hashes of what was erased stays however old: it holds nothing of anybody.
    """
    oldest = now - timedelta(days=settings.backup_days - 1)
    last_hashes = _last(known, ERASED)
    gone = [one for one in known if one.at <= oldest and one != last_hashes]
    repository.forget(gone)
    return [one for one in known if one not in gone], len(gone)


def _sets(settings: Settings) -> list[tuple[str, Path, list[Path]]]:
    """What belongs together in a snapshot: its folder and files."""
    folder = settings.warehouse
    live = [path for name in TABLES for path in live_files(settings, name)]
    logs = [path for name in TABLES for path in sorted((folder / name).rglob("*")) if _is_of_log(path)]
    states = [folder / name for name in (PUBLISHED, STAGED) if (folder / name).is_file()]
    return [
        (WAREHOUSE, folder, [*live, *logs, *states] if states else []),
        *((kind, place, _files(place, without)) for kind, place, without in _beside(settings)),
    ]


def _beside(settings: Settings) -> list[tuple[str, Path, Path | None]]:
    """What lies beside the warehouse: its kind, its folder, and which folder in it is of another kind."""
    apart = erased_folder(settings)
    return [(ERASED, apart, None), (RECORD, settings.privacy, apart), (LOOKS, settings.access_log, None)]


def _is_of_log(path: Path) -> bool:
    return path.is_file() and (path.parent.name == "_delta_log" or path.name.startswith("read-me-"))


def _files(folder: Path, without: Path | None = None) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else ()
    kept = (path for path in found if path.name != "_lock" and path.suffix != ".tmp")
    return sorted(path for path in kept if without is None or without not in path.parents)


def restore(settings: Settings, at: date | None = None, progress: Progress | None = None) -> Snapshot:
    """Restore the warehouse as it was at the end of a day, with every erasure since then in force.

    The hashes of what was erased, the record and the log of who looked are restored as they were last, where the
    folder is not there; one that is there is newer, and stays.

    Args:
        settings: where the backups are, and where to: the warehouse's folder, new or empty.
        at: the UTC day; the newest snapshot where None.
        progress: told what is done.

    Returns:
        The snapshot.

    Raises:
        BackupError: there is none, or the folder has something in it.
        ErasedError: the ledger of what was erased is not the one that the warehouse knows.
        ReplayError: something of whom was erased is left.
    """
    tell = progress or (lambda _: None)
    if settings.warehouse.is_dir() and any(settings.warehouse.iterdir()):
        raise BackupError(f"{settings.warehouse}: there is something already; move it away, or name another folder")
    repository = Repository(settings)
    if not repository.exists:
        raise BackupError(f"{settings.backup}: there are no backups that the setting `secret` opens")
    snapshots = repository.snapshots()
    wanted = _newest(snapshots, WAREHOUSE, at)
    for kind, folder, without in _beside(settings):
        last = _last(snapshots, kind)
        if last is not None and not _files(folder, without):
            repository.restore(last, folder)
            tell(f"{kind}: restored as of {last.at:%Y-%m-%d %H:%M} UTC")
    _restore_warehouse(settings, repository, wanted)
    tell(f"warehouse: restored as of {wanted.at:%Y-%m-%d %H:%M} UTC")
    if missing_erasures(settings, read_state(settings.warehouse, STAGED).facts.get(MARK)):
        replay(settings, progress)
    return wanted


def _newest(snapshots: Sequence[Snapshot], kind: str, at: date | None) -> Snapshot:
    found = [one for one in snapshots if one.kind == kind and (at is None or one.at.date() <= at)]
    if not found:
        days = sorted({one.at.date().isoformat() for one in snapshots if one.kind == kind})
        raise BackupError(f"there is no backup of {at} or before; there are of {', '.join(days) or 'no day'}")
    return found[-1]


def _restore_warehouse(settings: Settings, repository: Repository, snapshot: Snapshot) -> None:
    """Restore into a folder beside, which takes the place at once: one that was broken off is not opened."""
    beside = settings.warehouse.with_name(f".{settings.warehouse.name}.{uuid.uuid4().hex[:8]}")
    try:
        repository.restore(snapshot, beside)
        published, staged = read_state(beside, PUBLISHED), read_state(beside, STAGED)
        if staged.versions != published.versions:  # what was staged beyond is not in a backup: its days are built anew
            write_state(beside, STAGED, State(published.versions, published.facts))
        shutil.rmtree(settings.warehouse, ignore_errors=True)
        beside.replace(settings.warehouse)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def newest_restores(settings: Settings, now: datetime | None = None) -> CheckResult:
    """Whether the newest backup is from today or yesterday, and restores to what readers see: every table's rows."""
    repository = Repository(settings)
    try:
        newest = _newest(repository.snapshots(), WAREHOUSE, None)
    except BackupError as error:
        return CheckResult(False, str(error))
    age = (now or datetime.now(UTC)) - newest.at
    scratch = settings.spill / f"restored-{uuid.uuid4().hex[:8]}"
    try:
        copy = replace(settings, warehouse=scratch / "warehouse")
        _restore_warehouse(copy, repository, newest)
        if missing_erasures(copy, read_state(copy.warehouse, STAGED).facts.get(MARK)):
            replay(copy)
        rows = _rows(copy)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    counted = f"{sum(rows.values()):,} rows in {len(rows)} tables"
    told = f"the newest backup, of {newest.at:%Y-%m-%d %H:%M} UTC, restores: {counted}"
    numbers: dict[str, int | float | str] = {"hours": round(age.total_seconds() / 3600, 1), "rows": sum(rows.values())}
    if age > timedelta(hours=_OLDEST_H):
        return CheckResult(False, f"{told}, but it is {numbers['hours']} hours old", numbers)
    return CheckResult(True, told, numbers)


def _rows(settings: Settings) -> dict[str, int]:
    with connect(settings) as connection:
        return {name: connection.sql(f"select count(*) from {name}").fetchall()[0][0] for name in TABLES}  # noqa: S608 our own names
