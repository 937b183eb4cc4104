"""Data files written again without some rows, and with words masked in others; all else stays, in its order.

Which rows and words is `erase`'s; a file that holds none of them is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.privacy.words import Words
from pipeline.warehouse import Run

Mask = npt.NDArray[np.bool_]
# Tells of each of some rows of a day whether it goes; given the columns that it asked for.
Goes = Callable[[date | None, pa.Table], Mask]
# Names of our own, or written by a server by itself: no word of anybody.
_OURS = {"source", "file_id", "request_id", "zone", "method", "protocol", "reason", "kind", "enrichment_version"}


@dataclass
class Rewritten:
    """What was done to a table.

    Attributes:
        days: days of which a file was written again; empty for a table that is not by day.
        files: how many files.
        bytes: of these, before.
        rows: rows taken out.
        masked: rows in which a word was masked.
    """

    days: list[date] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    rows: int = 0
    masked: int = 0

    def to_dict(self) -> dict[str, int]:
        """Return it as numbers."""
        return {
            "days": len(self.days),
            "files": self.files,
            "bytes": self.bytes,
            "rows": self.rows,
            "masked": self.masked,
        }


def rewrite(
    run: Run, name: str, goes: Goes, asked: tuple[str, ...], words: Words, gone: Mapping[date | None, object] | None
) -> Rewritten:
    """Write the files of a table again that hold rows which go, or words.

    Args:
        run: an open run; files are replaced in its view.
        name: of the table.
        goes: tells of rows whether they go.
        asked: the columns that it needs.
        words: masked in all other rows.
        gone: the only days that have rows which go; any day where None. Words are looked for on all.

    Returns:
        What was done.
    """
    done = Rewritten()
    live: dict[date | None, list[Path]] = {}
    for day, paths in run.files(name).items():
        changed: list[Path] = []
        is_day_changed = False
        for path in paths:
            found = _find(path, day, goes if gone is None or day in gone else None, asked, words)
            if found is None:
                changed.append(path)
                continue
            is_day_changed = True
            done.files, done.bytes = done.files + 1, done.bytes + path.stat().st_size
            done.rows, done.masked = done.rows + found.rows, done.masked + found.masked
            fresh, rows = run.write_parts(name, day, _left(path, found.goes, words if found.masked else None))
            if rows or day is None:
                changed.append(fresh)
            else:
                fresh.unlink()
        if is_day_changed:
            live[day] = changed
            run.facts.get("digests", {}).get(name, {}).pop(day.isoformat() if day else "", None)
            done.days += [day] if day is not None else []
    if live:
        run.replace(name, live)
    return done


@dataclass
class _Found:
    """What a file holds that goes.

    Attributes:
        goes: of each row group, which rows.
        rows: how many.
        masked: how many other rows hold a word.
    """

    goes: list[Mask]
    rows: int
    masked: int


def _find(path: Path, day: date | None, goes: Goes | None, asked: tuple[str, ...], words: Words) -> _Found | None:
    with _open(path) as file:
        texts = text_columns(file.schema_arrow) if words else []
        masks: list[Mask] = []
        rows = masked = 0
        has_words = False
        for number in range(file.num_row_groups):
            count = file.metadata.row_group(number).num_rows
            mask = np.zeros(count, dtype=np.bool_)
            if goes is not None:
                mask = goes(day, file.read_row_group(number, columns=list(asked)))
            has = np.zeros(count, dtype=np.bool_)
            for text in texts:
                column = file.read_row_group(number, columns=[text])[text]
                if words.are_in_column(column):  # be it in no row: an older version stored values of other files
                    has_words = True
                    has |= words.rows(column)
            masks.append(mask)
            rows, masked = rows + int(mask.sum()), masked + int((has & ~mask).sum())
    return _Found(masks, rows, masked) if rows or has_words else None


def _left(path: Path, goes: list[Mask], words: Words | None) -> Iterator[pa.Table]:
    with _open(path) as file:
        texts = text_columns(file.schema_arrow) if words else []
        for number in range(file.num_row_groups):
            group = file.read_row_group(number)
            if goes[number].any():
                group = group.filter(pa.array(~goes[number]))
            for text in texts if words else []:
                assert words is not None
                group = group.set_column(group.schema.get_field_index(text), text, words.masked_column(group[text]))
            yield group


def _open(path: Path) -> pq.ParquetFile:
    schema = pq.read_schema(path)
    texts = [one.name for one in schema if pa.types.is_string(one.type)]
    return pq.ParquetFile(path, read_dictionary=texts)


def text_columns(schema: pa.Schema) -> list[str]:
    """The columns that may hold words which somebody wrote."""
    return [one.name for one in schema if one.name not in _OURS and _is_text(one.type)]


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_binary(kind)


def no_rows(_day: date | None, rows: pa.Table) -> Mask:
    """Say that no row goes."""
    return np.zeros(rows.num_rows, dtype=np.bool_)
