"""Commands about what a Business may ask of its users' data: what is asked and due, and the answer to access."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, time
from functools import wraps
from pathlib import Path
from typing import Any

import click

from pipeline.build.stale import today
from pipeline.cli.link import Moment
from pipeline.cli.show import show_json, show_rows
from pipeline.plain import plain
from pipeline.privacy import DONE, KINDS, REFUSED, Asking, Record, Request, answer_access, find_personal, receive
from pipeline.warehouse import connect

_DAY = click.DateTime(["%Y-%m-%d"])


def _asking(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say whom a Business asks about, and `asking`: who asked, and how."""

    @wraps(command)
    def told(
        *arguments: Any, asked_by: str | None, reference: str | None, received: datetime | None, by: str, **more: Any
    ) -> None:
        command(*arguments, asking=Asking(by, asked_by, reference, received), **more)

    for option in (
        click.option("--by", default=getpass.getuser, help="who acts on it; the system's user by default"),
        click.option("--received", type=Moment(time.min), help="UTC day or instant on which it came; now by default"),
        click.option("--reference", help="the Business's own word for it, such as a ticket"),
        click.option("--asked-by", help="who asked for the Business"),
        click.option("--user", required=True, help="its user: id, email, cookie or login, or name"),
        click.option("--business", required=True, metavar="ID", help="the Business that asks"),
    ):
        told = option(told)
    return told


@click.group()
def privacy() -> None:
    """Answer what a Business asks about its users' data, and keep the record of it."""


@privacy.command("receive")
@click.argument("kind", type=click.Choice(KINDS))
@_asking
@click.pass_obj
def receive_(obj: Any, kind: str, business: str, user: str, asking: Asking) -> None:
    """Write down that a Business asked about a user; `trail privacy due` lists it until it is closed."""
    request = receive(obj.settings, kind, business, user, asking)
    click.echo(f"request {request.number}: {kind} for {business}, due {request.due}")


@privacy.command()
@_asking
@click.option("--request", "number", type=int, help="the open request that this answers; a new one by default")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="a new or empty folder")
@click.pass_obj
def export(obj: Any, business: str, user: str, asking: Asking, number: int | None, out: Path) -> None:
    """Write all that is held on a user of a Business: a folder of Parquet and JSON, with a page that says it in words.

    Of what the user did in other Businesses nothing is told. Hand the folder over, then remove it.
    """
    request = answer_access(obj.settings, business, user, out, asking, number, lambda told: click.echo(told, err=True))
    click.echo(f"request {request.number}: {sum(request.rows.values()):,} rows; open {out / 'index.html'}")


@privacy.command()
@click.argument("number", type=int)
@click.option("--done", help="what was done")
@click.option("--refused", help="why nothing was")
@click.pass_obj
def close(obj: Any, number: int, done: str | None, refused: str | None) -> None:
    """Write down that request NUMBER was done by other means, or refused; say what, or why."""
    if (done is None) == (refused is None):
        raise click.UsageError("say --done WHAT or --refused WHY")
    request = Record(obj.settings).close(number, DONE if done is not None else REFUSED, done or refused)
    click.echo(f"request {request.number}: {request.outcome}")


@privacy.command()
@click.option("--all", "with_closed", is_flag=True, help="closed ones, too")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
@click.pass_obj
def due(obj: Any, with_closed: bool, as_json: bool) -> None:
    """List what is still to be done, what is due first at first; what is overdue has negative days left."""
    found = [one for one in Record(obj.settings).all() if with_closed or one.is_open]
    if as_json:
        show_json([asdict(one) | {"days_left": _days_left(one)} for one in found])
    elif found:
        show_rows([_row(one) for one in found])
    else:
        click.echo("nothing is due")


@privacy.command()
@click.option("--from", "since", type=_DAY, help="the first UTC day; all by default")
@click.option("--to", "until", type=_DAY, help="the last UTC day, included")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
@click.pass_obj
def found(obj: Any, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Tell which parameters and paths hold emails, tokens, card or phone numbers, and how to mask them on arrival."""
    with connect(obj.settings) as connection:
        told = find_personal(connection, since.date() if since else None, until.date() if until else None)
    rows = [asdict(one) | {"rule": one.rule} for one in told]
    if as_json:
        show_json(rows)
    elif rows:
        show_rows(rows)
        rules = sorted({one.rule for one in told if one.rule} | set(obj.settings.mask))
        if rules:
            click.echo(f"\nto mask them in what comes from now on, in trail.toml:\nmask = {plain(json.dumps(rules))}")
    else:
        click.echo("no address holds an email, token, card or phone number")


def _days_left(request: Request) -> int | None:
    return request.days_left(today()) if request.is_open else None


def _row(request: Request) -> dict[str, Any]:
    return {
        "number": request.number,
        "kind": request.kind,
        "business": request.business,
        "user": request.user,
        "asked_by": request.asked_by,
        "reference": request.reference,
        "received": request.received_at.date(),
        "due": request.due,
        "days_left": _days_left(request),
        "outcome": request.outcome,
        "closed": request.closed_at and request.closed_at.date(),
        "why": request.why,
    }


COMMANDS = [privacy]
