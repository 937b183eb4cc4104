"""The command about funnels: how many got how far through the steps of a declared one, or of one made up here."""

from __future__ import annotations

from datetime import date, datetime
from itertools import groupby
from typing import Any

import click
import duckdb

from pipeline.cli.scope import asked_businesses, business_option
from pipeline.cli.show import show_json, show_rows
from pipeline.features import catalogue_of
from pipeline.features.funnels import PER, within_text
from pipeline.lookup.rows import Row, rows
from pipeline.plain import length, plain, share
from pipeline.product.funnels import Step
from pipeline.product.funnels import funnel as ask_funnel
from pipeline.product.rows import QuestionError
from pipeline.settings import Settings
from pipeline.warehouse import connect

_DAY = click.DateTime(["%Y-%m-%d"])
_WITHIN = "7 days"


@click.command()
@click.argument("steps", metavar="[STEP]...", nargs=-1)
@click.option("--per", type=click.Choice(PER), help="whose acts make one way through; person by default")
@click.option("--within", help=f'the longest from the first step to the last; "{_WITHIN}" by default')
@business_option
@click.option("--from", "first", type=_DAY, metavar="DAY", help="first UTC day; of all by default")
@click.option("--to", "last", type=_DAY, metavar="DAY", help="last UTC day, included; of all by default")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
@click.pass_obj
def funnel(
    obj: Any,
    steps: tuple[str, ...],
    per: str | None,
    within: str | None,
    business: str | None,
    first: datetime | None,
    last: datetime | None,
    as_json: bool,
) -> None:
    """Tell how many got how far through STEPs, how fast, and where others went: features, or routes such as /login.

    Without a STEP, the funnels of the catalogue.
    """
    settings = obj.settings
    if not steps and any((per, within, first, last)):
        raise click.UsageError("--per, --within, --from and --to are of STEPs; the catalogue says its funnels' own")
    since, until = first and first.date(), last and last.date()
    if since and until and since > until:
        raise click.UsageError(f"--from {since} is after --to {until}")
    of = None if business is None else _one_business(settings, business)
    with connect(settings) as connection:
        found = _ask(connection, settings, steps, per, within, of, since, until) if steps else _declared(connection, of)
    if as_json:
        show_json(found)
    else:
        _show(found, {one.name: one.title for one in catalogue_of(settings).funnels})


def _one_business(settings: Settings, business: str) -> str:
    found = asked_businesses(settings, business)
    if len(found) > 1:
        raise click.ClickException(
            f"{plain(business)!r} is the name of {', '.join(map(plain, sorted(found)))}; say which"
        )
    return found[0]


def _ask(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    steps: tuple[str, ...],
    per: str | None,
    within: str | None,
    business: str | None,
    first: date | None,
    last: date | None,
) -> list[Row]:
    said: list[Step] = [{"route": step} if step.startswith("/") else step for step in steps]
    try:
        asked = ask_funnel(connection, said, per or "person", within or _WITHIN, business, first, last, settings)
    except QuestionError as error:
        raise click.ClickException(str(error)) from error
    return asked.to_arrow_table().to_pylist()


def _declared(connection: duckdb.DuckDBPyConnection, business: str | None) -> list[Row]:
    return rows(
        connection,
        "from funnels where scope = $scope and business_id is not distinct from $business order by funnel, step",
        {"scope": "all" if business is None else "business", "business": business},
    )


def _show(found: list[Row], titles: dict[str, str]) -> None:
    for name, steps in groupby(found, lambda row: str(row["funnel"])):
        told = list(steps)
        title = titles.get(name) or " > ".join(row["feature"] for row in told)
        within_s = told[0]["within_s"]
        bound = "" if within_s is None else f", within {within_text(within_s)}"
        click.echo(f"{plain(title)}: per {told[0]['per']}{bound}")
        show_rows([_shown(row) for row in told])
        for row in told:
            if row["instead"]:
                went = ", ".join(f"{plain(one['route'])} {one['times']:,}" for one in row["instead"])
                click.echo(f"dropped after {row['step']}, and then: {went}")
        click.echo()
    if not found:
        click.echo("no funnels: the catalogue declares none, or nobody there did any of their steps")


def _shown(row: Row) -> Row:
    """Write a step as a line of the table."""
    is_later = row["from_first_median_s"] is not None
    return {
        "step": row["step"],
        "feature": row["feature"],
        "reached": row["entered"],
        "of first": "" if row["from_first"] is None else share(row["from_first"]),
        "of previous": "" if row["from_previous"] is None else share(row["from_previous"]),
        "median": length(row["from_previous_median_s"]) if is_later else "",
        "90 % in": length(row["from_previous_p90_s"]) if is_later else "",
        "dropped": row["dropped"],
        "on error": row["dropped_on_error"],
    }


COMMANDS = [funnel]
