"""The `trail` command itself: settings, errors as one clear line, and the list of commands."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import duckdb

from pipeline.cli import (
    account,
    ask,
    audit,
    backup,
    enrich,
    features,
    funnel,
    link,
    look,
    period,
    privacy,
    ranking,
    report,
    share,
    web,
    work,
)
from pipeline.formats import check_formats
from pipeline.people.corrections import CorrectionError
from pipeline.people.directory import DirectoryError
from pipeline.places import check_places
from pipeline.privacy import ExportError, PersonError, RecordError, ShareError
from pipeline.settings import SettingError, Settings, load_settings
from pipeline.warehouse import LockTimeoutError, SchemaError

_EXPECTED = (
    *(SettingError, LockTimeoutError, SchemaError, DirectoryError, CorrectionError, duckdb.Error, OSError),
    *(ExportError, PersonError, RecordError, ShareError),
)


@dataclass
class Context:
    """What every command shares.

    Attributes:
        config: the settings file named on the command line.
    """

    config: Path | None
    debug: bool = False

    @property
    def settings(self) -> Settings:
        """The settings, read and checked when a command first needs them."""
        settings = load_settings(self.config)
        check_formats(settings)
        check_places(settings)
        return settings


class _Trail(click.Group):
    """Turns what can go wrong into one line on the error stream; `--debug` shows the rest."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            sys.stderr.close()
            return None
        except (*_EXPECTED, RuntimeError) as error:
            if ctx.params.get("debug"):
                raise
            raise click.ClickException(str(error).strip()) from error


@click.group(cls=_Trail, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=click.Path(path_type=Path), help="settings file; trail.toml here by default")
@click.option("--debug", is_flag=True, help="show where an error comes from")
@click.version_option(package_name="trail")
@click.pass_context
def main(ctx: click.Context, config: Path | None, debug: bool) -> None:
    """Request logs to clean Parquet tables of who did what, when and for how long."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("trail").setLevel(logging.INFO)
    ctx.obj = Context(config, debug)


for room in (
    work,
    enrich,
    look,
    period,
    link,
    ask,
    features,
    funnel,
    ranking,
    report,
    share,
    web,
    privacy,
    backup,
    audit,
    account,
):
    for command in room.COMMANDS:
        main.add_command(command)
