"""Commands about what a Business may ask of its users' data: what is asked and due, access, erasure, holds."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, time
from functools import wraps
from pathlib import Path
from typing import Any

import click

from pipeline.build.stale import today
from pipeline.cli.link import Moment
from pipeline.cli.share import OF_PRIVACY
from pipeline.cli.show import show_json, show_rows
from pipeline.plain import plain
from pipeline.privacy import (
    DONE,
    KINDS,
    REFUSED,
    Asking,
    DryRun,
    Hold,
    Record,
    Request,
    Wanted,
    add_hold,
    all_holds,
    answer_access,
    ask_erasure,
    correct_person,
    dry_run,
    erase_waiting,
    export_business,
    find_or_refuse,
    find_person,
    find_personal,
    lift,
    receive,
    replay,
    subject_of,
)
from pipeline.settings import Settings
from pipeline.warehouse import connect

_DAY = click.DateTime(["%Y-%m-%d"])


def _asked(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say who asked, and how, as `asking`."""

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
    ):
        told = option(told)
    return told


def _asking(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say whom a Business asks about, and those of `_asked`."""
    told = click.option("--user", required=True, help="its user: id, email, cookie or login, or name")(_asked(command))
    return click.option("--business", required=True, metavar="ID", help="the Business that asks")(told)


_out = click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="a new or empty folder"
)


def _tell(text: str) -> None:
    click.echo(plain(text), err=True)


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
@click.option("--lawful", is_flag=True, help="an authority asks: the record has it as such, with its --reference")
@_out
@click.pass_obj
def export(obj: Any, business: str, user: str, asking: Asking, number: int | None, lawful: bool, out: Path) -> None:
    """Write all that is held on a user of a Business: a folder of Parquet and JSON, with a page that says it in words.

    Of what the user did in other Businesses nothing is told. Hand the folder over, then remove it.
    """
    kind = "lawful" if lawful else "access"
    request = answer_access(obj.settings, business, user, out, asking, number, _tell, kind)
    click.echo(f"request {request.number}: {sum(request.rows.values()):,} rows; open {out / 'index.html'}")


@privacy.command()
@_asking
@click.option("--request", "number", type=int, help="the open request that this answers; a new one by default")
@click.option("--name", help="the right name; empty where none is known")
@click.option("--email", help="the right email; empty where none is known")
@click.option("--birth-date", help="the right birth date, such as 2001-12-31; empty where none is known")
@click.option("--theirs", multiple=True, metavar="IDENTIFIER", help="a cookie (visitor_id) or login that is the user's")
@click.option("--not-theirs", multiple=True, metavar="IDENTIFIER", help="one that a rule gave to the user, wrongly")
@click.option("--reason", help="why, in your words")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
@click.pass_obj
def correct(obj: Any, /, business: str, user: str, asking: Asking, as_json: bool, **said: Any) -> None:
    """Put right what is held on a user, in every table at once.

    It stands for as long as the service's directory says what was wrong: put it right there, too.
    """
    given = {"name": said["name"], "email": said["email"], "date_of_birth": said["birth_date"]}
    fields = {field: value or None for field, value in given.items() if value is not None}
    wanted = Wanted(fields, said["theirs"], said["not_theirs"], said["reason"])
    if not (fields or wanted.theirs or wanted.not_theirs):
        raise click.UsageError("say what is right: --name, --email, --birth-date, --theirs or --not-theirs")
    request, changed = correct_person(obj.settings, business, user, wanted, asking, said["number"])
    rows = [asdict(one) for one in changed]
    if as_json:
        show_json({"request": request.number, "tables": rows})
        return
    if rows:
        show_rows(rows)
    click.echo(f"\nrequest {request.number}: corrected; before and after are rows of the user")


_WHAT = {
    "user": "one of its users: id, email, cookie or login, or name",
    "identifier": "a cookie or login, with all that carries it",
    "address": "an address, with all that came from it",
}


@privacy.command()
@click.option("--business", required=True, metavar="ID", help="the Business that asks")
@click.option("--user", help=_WHAT["user"])
@click.option("--identifier", help=_WHAT["identifier"])
@click.option("--address", help=_WHAT["address"])
@click.option("--whole-business", is_flag=True, help="the Business itself, with all that is its own")
@click.option("--everywhere", is_flag=True, help="in all Businesses, not in this one alone")
@click.option("--yes", is_flag=True, help="do it: with the next daily run; without it nothing is changed")
@click.option("--now", is_flag=True, help="with --yes: at once, with all that waits")
@_asked
@click.option("--request", "number", type=int, help="the open request that this answers; a new one by default")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
@click.pass_obj
def erase(obj: Any, /, business: str, everywhere: bool, yes: bool, now: bool, as_json: bool, **said: Any) -> None:
    """Erase a user, a cookie or login, an address, or a whole Business from everything there is, for good.

    Without --yes it tells what would be taken out. It cannot be undone: what arrives again is kept out, too.
    """
    if now and not yes:
        raise click.UsageError("--now goes with --yes: see what is taken out first")
    kind, value = _what(business, said)
    settings = obj.settings
    asking, number = said["asking"], said["number"]
    if kind == "user":
        with connect(settings) as connection:
            value = find_or_refuse(connection, settings, "erasure", business, value, asking).user_id
    place = None if everywhere or kind == "business" else business
    would = dry_run(settings, subject_of(kind, value, place, datetime.now(UTC)), today())
    if not as_json:
        _show_dry_run(would)
    done = None
    if yes:
        request = ask_erasure(settings, kind, business, value, asking, number, everywhere)
        if now:
            done = erase_waiting(settings, _tell)
        if not as_json:
            _show_asked(settings, request, would.hold, done)
    elif not as_json:
        click.echo("\nnothing was changed; --yes erases it with the next daily run, --yes --now at once")
    if as_json:
        show_json({"would_take_out": [asdict(one) for one in would.taken], "certificate": done})


def _what(business: str, said: dict[str, Any]) -> tuple[str, str]:
    """Which of the options says whom or what to erase."""
    given = [(kind, said[kind]) for kind in _WHAT if said[kind] is not None]
    given += [("business", business)] if said["whole_business"] else []
    if len(given) != 1:
        raise click.UsageError("say one of --user, --identifier, --address and --whole-business")
    return given[0]


def _show_dry_run(would: DryRun) -> None:
    if would.taken:
        show_rows([asdict(one) for one in would.taken])
    else:
        click.echo("no table holds anything of it")
    click.echo(f"\n{would.words} words are looked for in every other row and file")
    if would.untold:
        ids = plain(", ".join(would.untold))
        click.echo(f"not looked for in texts, since they could be anything else: the ids {ids}")
    click.echo("tables that count people are made again without")


def _show_asked(settings: Settings, request: Request, hold: Hold | None, done: dict[str, Any] | None) -> None:
    if hold is not None:
        click.echo(f"request {request.number} is held back until {hold.until}: {plain(hold.reason)}")
    elif done is not None:
        path = settings.privacy / "erasures" / f"{done['number']:06}.json"
        click.echo(f"request {request.number}: erased, and nothing is left; the certificate is {path}")
        left = done["landing"]["files_that_may_hold_lines"]
        if left:
            click.echo(f"{len(left)} files of the landing place may still hold lines of it; the certificate names them")
    else:
        click.echo(f"request {request.number}: erased with the next daily run, or by `trail privacy erase-waiting`")


@privacy.command()
@click.option("--business", required=True, metavar="ID", help="the Business that leaves")
@_out
@click.option("--yes", is_flag=True, help="erase it, too: with the next daily run")
@click.option("--now", is_flag=True, help="with --yes: at once, with all that waits")
@_asked
@click.pass_obj
def leave(obj: Any, business: str, out: Path, yes: bool, now: bool, asking: Asking) -> None:
    """Write all that is held for a Business to a folder; with --yes erase it then, and users who are only its own."""
    if now and not yes:
        raise click.UsageError("--now goes with --yes")
    rows = export_business(obj.settings, business, out, asking, _tell)
    click.echo(f"{sum(rows.values()):,} rows of {len(rows)} tables; they are in {out}")
    if yes:
        request = ask_erasure(obj.settings, "business", business, business, asking)
        _show_asked(obj.settings, request, None, erase_waiting(obj.settings, _tell) if now else None)


@privacy.command("erase-waiting")
@click.pass_obj
def erase_waiting_(obj: Any) -> None:
    """Make the erasures that wait, as the daily run does, and go on with one that was broken off."""
    done = erase_waiting(obj.settings, _tell)
    click.echo(f"erasure {done['number']}: nothing is left" if done else "nothing waits")


@privacy.command()
@click.option("--business", required=True, metavar="ID", help="the Business whose user it is")
@click.option("--user", required=True, help="its user: id, email, cookie or login, or name")
@click.option("--everywhere", is_flag=True, help="in all Businesses, not in this one alone")
@click.option("--reason", required=True, help="what law or business says so; a certificate may hold it")
@click.option("--until", type=_DAY, required=True, help="the last UTC day")
@click.option("--by", default=getpass.getuser, help="who says so; the system's user by default")
@click.pass_obj
def hold(obj: Any, business: str, user: str, everywhere: bool, reason: str, until: datetime, by: str) -> None:
    """Keep a user from being erased for now; an erasure that is asked for waits, and says why."""
    with connect(obj.settings) as connection:
        person = find_person(connection, business, user)
    made = add_hold(obj.settings, person.user_id, None if everywhere else business, reason, until.date(), by)
    click.echo(f"hold {made.number}: nothing of the user is erased until {made.until} is over")


@privacy.command()
@click.argument("number", type=int)
@click.pass_obj
def release(obj: Any, number: int) -> None:
    """Take hold NUMBER away."""
    found = next((one for one in all_holds(obj.settings) if one.number == number), None)
    if found is None:
        raise click.ClickException(f"there is no hold {number}")
    lift(obj.settings, found)
    click.echo(f"hold {number} is lifted")


@privacy.command()
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
@click.pass_obj
def holds(obj: Any, as_json: bool) -> None:
    """List who must not be erased, why, and until when."""
    found = [asdict(one) for one in all_holds(obj.settings)]
    if as_json:
        show_json(found)
    elif found:
        show_rows(found)
    else:
        click.echo("nobody is held back")


@privacy.command("replay")
@click.pass_obj
def replay_(obj: Any) -> None:
    """Make a warehouse that is older than an erasure, such as a restored one, go through it."""
    done = replay(obj.settings, _tell)
    click.echo(f"erasures gone through: {', '.join(map(str, done))}" if done else "it went through all of them before")


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


for _command in OF_PRIVACY:
    privacy.add_command(_command)
COMMANDS = [privacy]
