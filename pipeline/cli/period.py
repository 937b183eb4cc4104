"""Commands that ask of a period: who met something, and how routes fared."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.scope import asked_scope, business_option
from pipeline.cli.show import show_fields, show_json, show_rows
from pipeline.lookup import failing_routes, in_common, read_met, read_period, slow_routes, who_met
from pipeline.lookup.questions import KEYS, QuestionError, newest_day
from pipeline.plain import csv_text, instant_text, length, share

LISTED = ("name", "email", "user_id", "business_id", "business_name", "times", "first_at", "last_at", "next_did",
          "next_route")  # fmt: skip
_json = click.option("--json", "as_json", is_flag=True, help="print one JSON document")
_since = click.option("--from", "since", default="", help="UTC day, day and time, or time of the newest day")
_until = click.option("--to", "until", default="", help="the same; without it up to the newest day")


@click.command()
@click.argument("path", default="")
@click.option("--method", default="", help="such as POST")
@click.option("--status", default="", help="500, 5xx or 400-599")
@click.option("--browser", default="", help="such as Chrome")
@click.option("--version", default="", help="of the browser, or its first parts")
@click.option("--os", default="", help="such as Windows")
@click.option("--country", default="", help="such as DE")
@_since
@_until
@business_option
@click.option("--limit", default=50, show_default=True, help="the most users to list")
@click.option("--csv", "as_csv", is_flag=True, help="print the list as CSV")
@_json
@click.pass_obj
def affected(
    obj: Any, /, business: str | None, since: str, until: str, limit: int, as_csv: bool, as_json: bool, **said: str
) -> None:
    """Tell who met something: a PATH or route (with * all that begin so), a status, a browser, in a period."""
    words = {key: said.get(key, "") for key in KEYS} | {"from": since, "to": until}
    with asked_scope(obj.settings, business) as connection:
        try:
            met = read_met(words, newest_day(connection))
        except QuestionError as error:
            raise click.ClickException(str(error)) from error
        found = who_met(connection, met, limit) | {"in_common": in_common(connection, met)}
    if as_json:
        show_json(found)
    elif as_csv:
        click.echo(csv_text(found["listed"], LISTED), nl=False)
    else:
        _show_affected(found, f"{instant_text(met.period.since)} to {instant_text(met.period.until)} UTC")


def _show_affected(found: dict[str, Any], period: str) -> None:
    totals = ("users", "businesses", "acts", "visitors", "first_at", "last_at")
    show_fields({"period": period} | {name: found[name] for name in totals})
    if found["in_common"]:
        click.echo("\nin common")
        shown = [row | {"share": share(row["share"]), "usual": share(row["usual_share"])} for row in found["in_common"]]
        show_rows(shown, ["what", "value", "people", "of", "share", "usual"])
    if found["did_next"]:
        click.echo("\nwhat they did next")
        show_rows(found["did_next"], ["next_did", "next_route", "acts", "users"])
    if found["listed"]:
        click.echo("\nwho")
        show_rows(found["listed"], ["user_id", "name", "email", "business_name", "times", "last_at", "visit_id"])


@click.command()
@_since
@_until
@click.option("--least", default=500, show_default=True, type=click.IntRange(400, 599), help="lowest status that fails")
@business_option
@_json
@click.pass_obj
def routes(obj: Any, business: str | None, since: str, until: str, least: int, as_json: bool) -> None:
    """List routes that fail beyond what is usual, and routes that got slow."""
    with asked_scope(obj.settings, business) as connection:
        try:
            period = read_period(since, until, newest_day(connection))
        except QuestionError as error:
            raise click.ClickException(str(error)) from error
        failing, slow = failing_routes(connection, period, least), slow_routes(connection, period, 20)
    if as_json:
        show_json({"since": period.since, "until": period.until, "failing": failing, "slow": slow})
        return
    click.echo(f"{instant_text(period.since)} to {instant_text(period.until)} UTC; usual is the four weeks before\n")
    click.echo("failing" if failing else "nothing failed")
    rates = [
        row | {"rate": share(row["rate"]), "usual": "" if row["usual_rate"] is None else share(row["usual_rate"])}
        for row in failing
    ]
    show_rows(rates, ["method", "route", "errors", "acts", "rate", "usual", "users", "businesses", "last_at"])
    if slow:
        click.echo("\nslow")
        waited = [row | {"waited": length(row["waited_s"])} for row in slow]
        columns = ["median_ms", "usual_median_ms", "p95_ms", "usual_p95_ms", "users", "waited"]
        show_rows(waited, ["method", "route", "acts", *columns])


COMMANDS = [affected, routes]
