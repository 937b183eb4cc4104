"""What lies in the landing folder: a cheap listing, and which of it changed since it was last read.

What a file holds does not belong here: nothing is opened.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.settings import Settings

LOOSE_SOURCE = "default"
_UNFINISHED = (".tmp", ".part", ".partial", ".swp", ".filepart", "~")
_ROTATED = re.compile(r"(?P<base>.+?)[.-](\d{1,4}|\d{8}([-_]?\d{2,6})?)", re.ASCII)


@dataclass(frozen=True, order=True)
class LandedFile:
    """A file in the landing folder.

    Attributes:
        source: the first-level folder it is under; `default` for a file beside the folders.
        path: relative to the landing folder, with forward slashes.
        size: bytes.
        modified_ns: modification time, ns since 1970.
        is_rotated: its name says so, and the file it was rotated from lies beside it: nothing is added to it.
    """

    source: str
    path: str
    size: int
    modified_ns: int
    is_rotated: bool

    @property
    def version(self) -> tuple[int, int]:
        """What changes when the file does."""
        return self.size, self.modified_ns


def list_landing(settings: Settings) -> list[LandedFile]:
    """List the landing folder's files, sorted by source and path; hidden and unfinished ones are left out.

    Raises:
        FileNotFoundError: the landing folder does not exist.
    """
    root = settings.landing
    if not root.is_dir():
        raise FileNotFoundError(f"landing folder {root} does not exist; make it, or set TRAIL_LANDING")
    return sorted(_walk(root, root))


def _walk(root: Path, folder: Path) -> Iterable[LandedFile]:
    with os.scandir(folder) as entries:
        listed = [entry for entry in entries if not entry.name.startswith(".")]
    names = {entry.name for entry in listed}
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(root, Path(entry.path))
            continue
        if entry.name.endswith(_UNFINISHED) or not _is_storable(entry.name):
            continue
        try:
            status = entry.stat()
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(status.st_mode):
            continue
        relative = Path(entry.path).relative_to(root)
        source = relative.parts[0] if len(relative.parts) > 1 else LOOSE_SOURCE
        yield LandedFile(
            source, relative.as_posix(), status.st_size, status.st_mtime_ns, _is_rotated(entry.name, names)
        )


def _is_storable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_rotated(name: str, beside: set[str]) -> bool:
    found = _ROTATED.fullmatch(name)
    return found is not None and found["base"] in beside


def changed_files(settings: Settings, known: Mapping[str, tuple[int, int]]) -> list[LandedFile]:
    """List the files that are new or have changed.

    Args:
        settings: where the landing folder is.
        known: size and modification time in ns by path, as `landing_files` has them.
    """
    return [file for file in list_landing(settings) if known.get(file.path) != file.version]
