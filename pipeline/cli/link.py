"""Commands about links between identifiers and users: a person's corrections, and identifiers that several share."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import click

from pipeline.cli.show import show_json, show_rows
from pipeline.lookup.links import shared_identifiers
from pipeline.lookup.rows import rows
from pipeline.plain import plain
from pipeline.warehouse import connect, open_run

_json = click.option("--json", "as_json", is_flag=True, help="print one JSON document")


class Moment(click.ParamType[datetime]):
    """A UTC day or instant; a day is its first or its last moment."""

    name = "moment"

    def __init__(self, of_day: time) -> None:
        self._of_day = of_day

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read one."""
        form = "%Y-%m-%dT%H:%M:%S" if "T" in value else "%Y-%m-%d"
        try:
            read = datetime.strptime(value, form).replace(tzinfo=UTC)
        except ValueError:
            self.fail(f"{value!r} is no UTC day (2026-03-02) or instant (2026-03-02T16:00:00)", param, ctx)
        return read if "T" in value else datetime.combine(read, self._of_day, UTC)


_from = click.option("--from", "valid_from", type=Moment(time.min), help="UTC day or instant; since ever by default")
_to = click.option("--to", "valid_to", type=Moment(time.max), help="UTC day or instant, included; for ever by default")
_reason = click.option("--reason", help="why, in your words")


@click.group()
def link() -> None:
    """Say whose an identifier is, or is not; it holds through rebuilds until the opposite takes it back."""


@link.command()
@click.argument("identifier")
@click.argument("user_id", metavar="USER")
@_from
@_to
@click.option("--business", "business_id", help="id of the Business it was in; else the only one of the user's lines")
@_reason
@_json
@click.pass_obj
def add(obj: Any, /, as_json: bool, **said: Any) -> None:
    """Say that an IDENTIFIER (visitor_id of a cookie, or login name) is the USER's, where lines say nothing else."""
    _correct(obj, as_json, verdict="add", **said)


@link.command()
@click.argument("identifier")
@click.argument("user_id", metavar="USER")
@_from
@_to
@_reason
@_json
@click.pass_obj
def remove(obj: Any, /, as_json: bool, **said: Any) -> None:
    """Say that an IDENTIFIER is not the USER's: no rule links it. Lines that name the user are theirs still."""
    _correct(obj, as_json, verdict="remove", **said)


def _correct(obj: Any, as_json: bool, **said: Any) -> None:
    """Note a correction, or take back its opposite; rebuild what hangs on it; tell."""
    from pipeline.people.corrections import Correction, correct, kind_of, worded

    with open_run(obj.settings) as run:
        made = Correction(identifier_kind=kind_of(run, said["identifier"]), made_at=datetime.now(UTC), **said)
        back = correct(run, made)
        run.stage()
    from assets.launch import refresh  # Dagster takes a second to import, which a refused correction need not wait for

    summary = refresh(obj.settings, obj.config)
    if as_json:
        show_json(
            {
                "identifier": made.identifier,
                "user_id": made.user_id,
                "taken_back": back.verdict if back else None,
                "noted": None if back else made.verdict,
                "ranges": summary.to_dict()["ranges"],
                "failed_checks": summary.failed_checks,
            }
        )
        return
    click.echo(plain(f"taken back: {worded(back)}" if back else worded(made)))
    for first, last in summary.ranges:
        click.echo(f"days {first} to {last}: up to date")
    for failed in summary.failed_checks:
        click.echo(f"check failed: {failed}", err=True)


@link.command("list")
@_json
@click.pass_obj
def list_(obj: Any, as_json: bool) -> None:
    """List what was said and not taken back."""
    with connect(obj.settings) as connection:
        found = rows(
            connection,
            """
            select identifier, verdict, user_id, business_id, valid_from, valid_to, reason, made_at
            from link_corrections
            order by made_at, identifier, user_id
            """,
        )
    _show(found, as_json, "nothing was said")


@link.command()
@click.option("--limit", default=100, show_default=True, help="the most to list")
@_json
@click.pass_obj
def shared(obj: Any, limit: int, as_json: bool) -> None:
    """List identifiers seen with more users than `shared_users`, which link nothing; those of most users first."""
    with connect(obj.settings) as connection:
        found = shared_identifiers(connection, limit)
    _show(found, as_json, f"no identifier was seen with more than {obj.settings.shared_users} users")


def _show(found: list[dict[str, Any]], as_json: bool, if_none: str) -> None:
    if as_json:
        show_json(found)
    elif found:
        show_rows(found)
    else:
        click.echo(if_none)


COMMANDS = [link]
