"""How rows are shown in a terminal: aligned, cut to what fits, with no control character of a log left alive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from pipeline.plain import json_text, plain

_WIDEST = 60
Row = Mapping[str, Any]


def show_rows(rows: Sequence[Row], columns: Sequence[str] | None = None) -> None:
    """Print rows as an aligned table."""
    names = list(columns or (rows[0] if rows else ()))
    if not names:
        return
    cells = [[_cut(plain(row.get(name))) for name in names] for row in rows]
    widths = [max(len(name), *(len(row[place]) for row in cells), 0) for place, name in enumerate(names)]
    click.echo("  ".join(name.ljust(width) for name, width in zip(names, widths, strict=True)).rstrip())
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def show_fields(row: Row) -> None:
    """Print one row, a field a line; absent ones are left out."""
    present = {name: value for name, value in row.items() if value is not None and value != []}
    width = max((len(name) for name in present), default=0)
    for name, value in present.items():
        click.echo(f"{name.ljust(width)}  {plain(value)}")


def show_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(json_text(value))
