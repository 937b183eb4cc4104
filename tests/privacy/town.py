"""The demo as a town of its own, whose people can be erased, and an independent search of everything it wrote."""

from __future__ import annotations

import bz2
import gzip
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import zstandard

from assets.launch import run_everything
from pipeline.privacy import erase, subject_of
from pipeline.schemas import TABLES
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import connect
from tests.conftest import Demo

Rows = dict[str, list[tuple[Any, ...]]]


class Town:
    """A copy of the demo, to erase people in."""

    def __init__(self, demo: Demo, folder: Path) -> None:
        shutil.copytree(demo.settings.warehouse.parent, folder)
        self.folder = folder
        loaded = load_settings(folder / "trail.toml", {})
        self.settings: Settings = replace(loaded, landing_is_ours=True, threads=2)

    def tables(self, settings: Settings | None = None) -> Rows:
        """Every row of every table, in whatever order."""
        with connect(settings or self.settings) as connection:
            found = {name: connection.execute(f"from {name}").fetchall() for name in TABLES}
        return {name: sorted(rows, key=repr) for name, rows in found.items()}

    def run(self) -> None:
        """Do what the daily run does."""
        run_everything(self.settings, self.folder / "trail.toml")

    def erase(self, users: Iterable[str], business: str | None = None) -> dict[str, Any]:
        """Erase users at once."""
        return erase(self.settings, [subject_of("user", user, business, datetime.now(UTC)) for user in users])

    def words_of(self, users: Iterable[str]) -> set[str]:
        """Id, name, email and cookies of users, asked before they are erased."""
        found: set[str] = set()
        with connect(self.settings) as connection:
            for user in users:
                rows = connection.execute("select name, email from users where user_id = $user", {"user": user})
                found |= {user, *(word for row in rows.fetchall() for word in row)}
                cookies = connection.execute(
                    "select distinct identifier from user_links where identifier_kind <> 'address' and user_id = $user"
                    " and identifier not in (select identifier from user_links where user_id <> $user)",
                    {"user": user},
                )
                found |= {cookie.removeprefix("c-") for (cookie,) in cookies.fetchall()}
        return found


def found_in(folder: Path, words: Iterable[str]) -> list[str]:
    """Search every file below a folder for words, as the bytes lie and unpacked; no code of the erasure is used."""
    wanted = re.compile(
        b"(?<![A-Za-z0-9_.])("
        + b"|".join(re.escape(form.encode()) for word in words for form in (word, word.replace("@", "%40")))
        + b")(?![A-Za-z0-9_])",
        re.IGNORECASE,
    )
    return [f"{path}: {hit.group()!r}" for path, data in _everything(folder) if (hit := wanted.search(data))]


def _everything(folder: Path) -> Iterator[tuple[Path, bytes]]:
    unpackers = {".gz": gzip.decompress, ".bz2": bz2.decompress}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        yield path, data
        if data[:4] == b"PAR1":
            for column in pq.read_table(path, partitioning=None).columns:
                yield path, "\n".join(map(str, column.to_pylist())).encode("utf-8", "backslashreplace")
        elif path.suffix in unpackers:
            yield path, unpackers[path.suffix](data)
        elif path.suffix == ".zst":
            yield path, zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
