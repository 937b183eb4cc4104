"""Commands about copies for processors: make one, list what went where, list what has to be recalled."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipeline.cli.show import show_json, show_rows
from pipeline.privacy.share import all_shares
from pipeline.privacy.share import share as make_share

_json = click.option("--json", "as_json", is_flag=True, help="print one JSON document")


@click.command()
@click.option("--for", "recipient", required=True, metavar="NAME", help="who gets it")
@click.option("--table", required=True, help="of which table")
@click.option("--columns", required=True, help="which columns, comma-separated; ids are hashed for the recipient")
@click.option("--businesses", help="ids of the Businesses whose rows, comma-separated; all by default")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="a new or empty folder")
@click.option("--by", default=getpass.getuser, help="who makes it; the system's user by default")
@click.pass_obj
def share(obj: Any, recipient: str, table: str, columns: str, businesses: str | None, out: Path, by: str) -> None:
    """Give a processor a few columns of a table, under ids that mean nothing elsewhere, and write down what went where.

    `trail privacy shares` lists what did, `trail privacy recall` what must be removed there since it was erased.
    """
    places = _listed(businesses) if businesses else None
    made = make_share(obj.settings, recipient, table, _listed(columns), places, out, by)
    click.echo(f"share {made.number}: {made.rows:,} rows of {table} for {recipient}, in {out}")


@click.command()
@_json
@click.pass_obj
def shares(obj: Any, as_json: bool) -> None:
    """List what was given to processors."""
    found = [asdict(one) for one in all_shares(obj.settings)]
    if as_json:
        show_json(found)
    elif found:
        show_rows([{name: value for name, value in one.items() if name != "recall"} for one in found])
    else:
        click.echo("nothing was shared")


@click.command()
@click.option("--for", "recipient", metavar="NAME", help="with whom; everybody by default")
@_json
@click.pass_obj
def recall(obj: Any, recipient: str | None, as_json: bool) -> None:
    """List the ids, as the recipient has them, whose rows must be removed from copies, since they were erased."""
    found = [
        {"share": one.number, "recipient": one.recipient, "table": one.table, "erasure": int(erasure), "user_id": user}
        for one in all_shares(obj.settings)
        if recipient in (None, one.recipient)
        for erasure, users in one.recall.items()
        for user in users
    ]
    if as_json:
        show_json(found)
    elif found:
        show_rows(found)
    else:
        click.echo("nothing has to be recalled")


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


COMMANDS = [share]
OF_PRIVACY = [shares, recall]
