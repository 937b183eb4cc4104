"""What a table is: its name, grain, key, columns with their types and words.

The tables themselves do not belong here; those are `schemas`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

INSTANT = pa.timestamp("us", tz="UTC")
DAY = pa.date32()
TEXT = pa.string()
WORD = pa.dictionary(pa.int32(), pa.string())
COUNT = pa.int64()
FLAG = pa.bool_()
Column = tuple[str, pa.DataType, str]


@dataclass(frozen=True)
class Table:
    """A table of the warehouse.

    Attributes:
        name: also its asset's, its SQL model's and its folder's.
        layer: the group it is shown in: raw, core, people, lookup or product.
        grain: what one row is.
        key: columns that together are unique.
        schema: every column, each with a description.
        is_by_day: whether it is split into files by the UTC day in column `date`.
        is_original: whether nothing else tells what it holds, so that it cannot be made again.
    """

    name: str
    layer: str
    grain: str
    key: tuple[str, ...]
    schema: pa.Schema
    is_by_day: bool
    is_original: bool

    @property
    def columns(self) -> list[Column]:
        """Name, type as stored, and description of every column."""
        described = zip(self.schema, self.file_schema, strict=True)
        return [(field.name, stored.type, field.metadata[b"description"].decode()) for field, stored in described]

    @property
    def row_schema(self) -> pa.Schema:
        """The schema without the partition: what a writer gives."""
        return pa.schema([field for field in self.schema if not (self.is_by_day and field.name == "date")])

    @property
    def file_schema(self) -> pa.Schema:
        """The schema with dictionary columns as plain text: what is stored, and what every engine sees."""
        return pa.schema([f.with_type(TEXT) if pa.types.is_dictionary(f.type) else f for f in self.schema])


def declare(
    name: str,
    layer: str,
    grain: str,
    key: Sequence[str],
    columns: Sequence[Column],
    by_day: bool = False,
    is_original: bool = False,
) -> Table:
    """Declare a table.

    Args:
        name: see `Table`.
        layer: see `Table`.
        grain: see `Table`.
        key: see `Table`.
        columns: name, type and words of each; `date` is added for a table by day.
        by_day: whether it is split by the UTC day.
        is_original: see `Table`; all raw tables are.
    """
    day: list[Column] = [("date", DAY, "UTC day, the partition")] if by_day else []
    schema = pa.schema(
        [
            pa.field(column, kind, nullable=True, metadata={"description": words})
            for column, kind, words in [*day, *columns]
        ]
    )
    return Table(name, layer, grain, tuple(key), schema, by_day, is_original or layer == "raw")
