"""Commands about the log of who looked: prove it, read it, and hand a Business its part."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from datetime import datetime, time
from pathlib import Path
from typing import Any

import click

from pipeline.audit import AccessLogError, Entry, access_key, looks_at_business, read_entries, read_head, user_hash
from pipeline.audit import verify as find_problems
from pipeline.cli.link import Moment
from pipeline.cli.show import show_json, show_rows
from pipeline.lookup.rows import rows
from pipeline.plain import csv_text, plain
from pipeline.settings import Settings
from pipeline.warehouse import connect

_json = click.option("--json", "as_json", is_flag=True, help="print one JSON document")
_from = click.option("--from", "since", type=Moment(time.min), help="UTC day or instant; since ever by default")
_to = click.option("--to", "until", type=Moment(time.max), help="UTC day or instant, included; until now by default")


def _log(settings: Settings) -> tuple[Path, bytes]:
    """Return the log's folder and key."""
    return settings.access_log, access_key(settings.secret)


@click.group()
def audit() -> None:
    """Say who looked at whom, and prove that the log of it is whole."""


@audit.command()
@click.option("--head", "kept", help="SEQ:HASH as it was printed before and kept elsewhere")
@_json
@click.pass_context
def verify(ctx: click.Context, kept: str | None, as_json: bool) -> None:
    """Prove that no entry was changed, moved, put in or taken out; exit 1 and say where, if one was."""
    settings = ctx.obj.settings
    folder, key = _log(settings)
    try:
        head = read_head(folder, key)  # before the log is proved, so that no more is said than was proved
    except AccessLogError:
        head = None  # which is among the problems below
    try:
        problems = find_problems(folder, key, kept)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if settings.secret == Settings.secret:
        click.echo("warning: `secret` is not set, so that anybody can write this log anew", err=True)
    if as_json:
        whole = None if problems or head is None else {"entries": head.seq, "head": str(head)}
        show_json({"whole": whole, "problems": [asdict(problem) for problem in problems]})
    elif not problems and head is not None:
        click.echo(f"{head.seq:,} entries are whole; keep this elsewhere, for `trail audit verify --head`:\n{head}")
    for problem in problems if not as_json else ():
        click.echo(plain(problem))
    if problems:
        ctx.exit(1)


@audit.command()
@_json
@click.pass_obj
def head(obj: Any, as_json: bool) -> None:
    """Print the last entry's SEQ:HASH, to be kept where nobody who writes the log can write."""
    found = read_head(*_log(obj.settings))
    if as_json:
        show_json({"seq": found.seq, "hash": found.hash})
    else:
        click.echo(str(found))


@audit.command("list")
@_from
@_to
@click.option("--business", help="id of a Business whose users were looked at")
@click.option("--actor", help="who looked")
@click.option("--user", "user_id", help="id of a user who was looked at")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="the most to list: the last")
@_json
@click.pass_obj
def list_(obj: Any, /, user_id: str | None, limit: int, as_json: bool, **filters: Any) -> None:
    """List who looked, the last ones, in order."""
    folder, key = _log(obj.settings)
    user = None if user_id is None else user_hash(key, user_id)
    found = deque(read_entries(folder, user=user, **filters), maxlen=limit)
    _show([asdict(entry) for entry in found] if as_json else [_row(entry) for entry in found], as_json)


def _row(entry: Entry) -> dict[str, Any]:
    businesses = sorted({business for one in entry.subjects for business in one.businesses})
    users = len({one.user for one in entry.subjects if one.user is not None})
    names = ("seq", "at", "actor", "role", "action", "target", "outcome", "rows")
    return {name: getattr(entry, name) for name in names} | {"users": users, "in": businesses, "why": entry.why}


@audit.command()
@click.argument("business_id", metavar="BUSINESS")
@_from
@_to
@click.option("--csv", "as_csv", is_flag=True, help="print CSV, for a spreadsheet")
@_json
@click.pass_obj
def business(
    obj: Any, business_id: str, since: datetime | None, until: datetime | None, as_csv: bool, as_json: bool
) -> None:
    """Tell a BUSINESS (its id) who looked at its users, to be handed over: a row for each look and user."""
    folder, key = _log(obj.settings)
    with connect(obj.settings) as connection:
        asked = {"business": business_id}
        names = {row["user_id"]: row["name"] for row in rows(connection, _USERS, asked)}
        is_known = names or rows(connection, "from businesses where business_id = $business", asked)
    found: list[dict[str, Any]] = [
        asdict(look) | {"user": user, "name": names.get(user)}
        for look in looks_at_business(folder, key, business_id, names, since, until)
        for user in look.users or (None,)
    ]
    if not found and not is_known:
        raise click.ClickException(f"there is no Business {business_id!r}")
    columns = ("at", "actor", "role", "action", "target", "outcome", "why", "user", "name")
    shown = [{name: row[name] for name in columns} for row in found]
    if as_csv:
        click.echo(csv_text(shown, columns), nl=False)
    else:
        _show(shown, as_json)


_USERS = """
    select m.user_id, any_value(u.name) as name
    from memberships as m
    left join users as u using (user_id)
    where m.business_id = $business
    group by all
    order by all
"""


def _show(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        show_json(found)
    elif found:
        show_rows(found)
    else:
        click.echo("nobody looked")


COMMANDS = [audit]
