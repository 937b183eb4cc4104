"""Commands that ask the tables: SQL, the tables themselves, their files, the settings."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from pipeline.cli.show import show_json, show_rows
from pipeline.formats.catalogue import CATALOGUE, WRAPPER_CATALOGUE
from pipeline.lookup.rows import rows
from pipeline.plain import plain
from pipeline.schemas import TABLES
from pipeline.settings import DESCRIPTIONS, Settings
from pipeline.warehouse import connect, live_files, lock_down

_json = click.option("--json", "as_json", is_flag=True, help="print one JSON document")
_table = click.argument("table", type=click.Choice(list(TABLES)), required=False)


@click.command()
@click.argument("query")
@_json
@click.pass_obj
def sql(obj: Any, query: str, as_json: bool) -> None:
    """Ask the published tables in SQL; nothing outside the warehouse can be read, and nothing written."""
    settings = obj.settings
    with connect(settings) as connection:
        lock_down(connection, settings)
        found = rows(connection, query)
    if as_json:
        show_json(found)
    else:
        show_rows(found)


@click.command()
@_table
@_json
@click.pass_obj
def tables(obj: Any, table: str | None, as_json: bool) -> None:
    """List the tables with their grain and rows; of one TABLE, its columns."""
    if table:
        found = [{"column": name, "type": str(kind), "what": words} for name, kind, words in TABLES[table].columns]
    else:
        with connect(obj.settings) as connection:
            found = [
                {
                    "table": entry.name,
                    "layer": entry.layer,
                    "rows": rows(connection, f"select count(*) as n from {entry.name}")[0]["n"],  # noqa: S608 our names
                    "one row is": entry.grain,
                    "by day": "yes" if entry.is_by_day else "",
                }
                for entry in TABLES.values()
            ]
    if as_json:
        show_json(found)
    elif table:
        for column in found:
            click.echo(f"{column['column']:<20} {column['type']:<24} {column['what']}")
    else:
        show_rows(found)


@click.command()
@click.argument("table", type=click.Choice(list(TABLES)))
@_json
@click.pass_obj
def files(obj: Any, table: str, as_json: bool) -> None:
    """Print the live Parquet files of a TABLE, for readers that know no Delta log."""
    paths = [str(path) for path in live_files(obj.settings, table)]
    if as_json:
        show_json(paths)
    else:
        for path in paths:
            click.echo(path)


@click.command()
@_json
@click.pass_obj
def settings(obj: Any, as_json: bool) -> None:
    """List the settings as they are, with what each is for."""
    current: Settings = obj.settings
    found = [
        {
            "setting": entry.name,
            "value": _shown(entry.name, getattr(current, entry.name)),
            "what": DESCRIPTIONS[entry.name],
        }
        for entry in fields(Settings)
    ]
    if as_json:
        show_json(found)
    else:
        show_rows(found)


@click.command()
@_json
def formats(as_json: bool) -> None:
    """List the log formats that are found by themselves, and what is taken off in front of lines."""
    found = [{"format": name, "what": words} for name, words in CATALOGUE.items()]
    found += [{"format": f"{name}:…", "what": words} for name, words in WRAPPER_CATALOGUE.items()]
    if as_json:
        show_json(found)
    else:
        show_rows(found)


def _shown(name: str, value: Any) -> str:
    if name == "secret":
        return "unset" if value == Settings.secret else "set"
    if name == "users" and value and "@" in str(value):
        return f"{str(value).partition('://')[0]}://…@{str(value).rpartition('@')[2]}"
    return plain([str(item) for item in value] if isinstance(value, tuple) else value)


COMMANDS = [sql, tables, files, settings, formats]
