"""Commands about backups: make one, list them, restore one, prove that the newest restores."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from pipeline.cli.show import show_json, show_rows
from pipeline.plain import plain
from pipeline.privacy.backup import WAREHOUSE, Repository, back_up, newest_restores
from pipeline.privacy.backup import restore as restore_backup

_json = click.option("--json", "as_json", is_flag=True, help="print one JSON document")


def _say(text: str) -> None:
    click.echo(plain(text), err=True)


@click.group(invoke_without_command=True)
@_json
@click.pass_context
def backup(context: click.Context, as_json: bool) -> None:
    """Back up what readers see, encrypted, to the place that `backup` names; remove what is too old there."""
    if context.invoked_subcommand is None:
        done = back_up(context.obj.settings, progress=_say)
        if as_json:
            show_json(done)
        else:
            click.echo(f"backed up; {done['expired']} snapshots were too old and are gone")


@backup.command("list")
@_json
@click.pass_obj
def list_(obj: Any, as_json: bool) -> None:
    """List the days of which there are backups."""
    found = [
        {"at": one.at, "snapshot": one.id[:8]} for one in Repository(obj.settings).snapshots() if one.kind == WAREHOUSE
    ]
    if as_json:
        show_json(found)
    elif found:
        show_rows(found)
    else:
        click.echo("there are no backups")


@backup.command("check")
@click.pass_obj
def check(obj: Any) -> None:
    """Read every byte of the backups, and restore the newest to see that it is whole."""
    Repository(obj.settings).check(with_data=True)
    found = newest_restores(obj.settings)
    if not found.passed:
        raise click.ClickException(found.description)
    click.echo(found.description)


@click.command()
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), help="as it was at the end of this UTC day; newest by default")
@click.pass_obj
def restore(obj: Any, at: datetime | None) -> None:
    """Restore the warehouse from a backup, with what was erased since then erased; `trail run` reads what is newer.

    The folder `warehouse` must be new or empty. The record of requests, the hashes of what was erased and the log of
    who looked are restored as they were last, where their folders are not there.
    """
    restored = restore_backup(obj.settings, at.date() if at else None, _say)
    click.echo(f"restored as of {restored.at:%Y-%m-%d %H:%M} UTC to {obj.settings.warehouse}")


COMMANDS = [backup, restore]
