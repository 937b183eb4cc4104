"""The command that writes the weekly page: `trail report --out FILE`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from pipeline.build.stale import today
from pipeline.report import gather, last_whole_week, log_days, make_page, write_page
from pipeline.warehouse import connect

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="the HTML file to write")
@click.option("--to", "until", type=_DAY, metavar="DAY", help="the week that holds or ends before this UTC day")
@click.pass_obj
def report(obj: Any, out: Path, until: datetime | None) -> None:
    """Write a page about the last whole week beside the week before: one file to hand around, with no user in it."""
    with connect(obj.settings) as connection:
        week = last_whole_week(log_days(connection), today(), until.date() if until else None)
        write_page(out, make_page(gather(connection, obj.settings, week)))
    click.echo(f"{f'week of {week.first} to {week.last}' if week else 'no whole week yet'}: {out}")


COMMANDS = [report]
