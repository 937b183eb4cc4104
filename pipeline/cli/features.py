"""Commands about the feature catalogue: propose one, check it, tell the use of its features and what it leaves out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
import duckdb

from pipeline.cli.ranking import next_, rank
from pipeline.cli.show import show_json, show_rows
from pipeline.features import Catalogue, catalogue_of, read_catalogue
from pipeline.features.coverage import DAYS, Period, feature_use, read_period, unclaimed
from pipeline.features.suggest import suggest as propose
from pipeline.features.suggest import write_catalogue
from pipeline.plain import plain
from pipeline.settings import Settings
from pipeline.warehouse import connect

_json = click.option("--json", "as_json", is_flag=True, help="print one JSON document")
_DAY = click.DateTime(["%Y-%m-%d"])
_from = click.option("--from", "first", type=_DAY, metavar="DAY", help=f"first UTC day; {DAYS} days by default")
_to = click.option("--to", "last", type=_DAY, metavar="DAY", help="last UTC day, included; of all by default")


@click.group()
def features() -> None:
    """Say what the service's features are: propose, check and list them, and find what none claims."""


@features.command("list")
@_from
@_to
@_json
@click.pass_obj
def list_(obj: Any, first: datetime | None, last: datetime | None, as_json: bool) -> None:
    """List the features with how much people used them."""
    catalogue = catalogue_of(_with_catalogue(obj.settings))
    with connect(obj.settings) as connection:
        period = _period(connection, first, last)
        used = {row["feature"]: row for row in feature_use(connection, catalogue, period)}
    found = [
        {"feature": one.name, "title": one.title, "owner": one.owner, "patterns": len(one.patterns)} | used[one.name]
        for one in catalogue.features
    ]
    if as_json:
        show_json(_dated(period) | {"version": catalogue.version, "features": found})
    else:
        show_rows(found)
        click.echo(f"\n{_told(catalogue)}; {period.first} to {period.last}")


@features.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.pass_obj
def check(obj: Any, file: Path | None) -> None:
    """Check a catalogue: FILE, else the one of the settings; exit 1 and say what is wrong and where."""
    click.echo(_told(read_catalogue(file) if file else catalogue_of(_with_catalogue(obj.settings))))


@features.command()
@_from
@_to
@click.pass_obj
def suggest(obj: Any, first: datetime | None, last: datetime | None) -> None:
    """Print a first catalogue, made of what people did: to be saved, edited and named in the settings."""
    with connect(obj.settings) as connection:
        found = propose(connection, obj.settings.api_prefixes, _period(connection, first, last))
    click.echo(write_catalogue(found), nl=False)


@features.command("unclaimed")
@_from
@_to
@click.option("--limit", type=click.IntRange(min=1), default=40, show_default=True, help="the most routes to list")
@_json
@click.pass_obj
def unclaimed_(obj: Any, first: datetime | None, last: datetime | None, limit: int, as_json: bool) -> None:
    """List what people did that no feature claims, that of most users first, and the features that nobody used."""
    catalogue = catalogue_of(obj.settings)
    with connect(obj.settings) as connection:
        period = _period(connection, first, last)
        found = unclaimed(connection, catalogue, period)
        unmet = [row["feature"] for row in feature_use(connection, catalogue, period) if not row["uses"]]
    if as_json:
        show_json(_dated(period) | {"unclaimed": found[:limit], "unclaimed_in_all": len(found), "unmet": unmet})
        return
    show_rows(found[:limit])
    more = f", the first {limit:,} of them here" if len(found) > limit else ""
    click.echo(f"\n{len(found):,} that no feature claims{more}; {period.first} to {period.last}")
    click.echo(f"features that no request meets: {plain(unmet) or 'none'}")


def _with_catalogue(settings: Settings) -> Settings:
    """Return settings that name a catalogue, or say how to make one."""
    if settings.features is None:
        raise click.ClickException(
            "no catalogue: `trail features suggest > features.toml` proposes one, and the setting `features` names it"
        )
    return settings


def _period(connection: duckdb.DuckDBPyConnection, first: datetime | None, last: datetime | None) -> Period:
    period = read_period(connection, first.date() if first else None, last.date() if last else None)
    if period.first > period.last:
        raise click.UsageError(f"--from {period.first} is after --to {period.last}")
    return period


def _dated(period: Period) -> dict[str, Any]:
    return {"first_day": period.first, "last_day": period.last}


def _told(catalogue: Catalogue) -> str:
    patterns = sum(len(feature.patterns) for feature in catalogue.features)
    funnels = f", {len(catalogue.funnels):,} funnels" if catalogue.funnels else ""
    return f"{len(catalogue.features):,} features of {patterns:,} patterns{funnels}, version {catalogue.version}"


for command in (rank, next_):
    features.add_command(command)

COMMANDS = [features]
