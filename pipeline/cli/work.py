"""Commands that do the work: ingest, run, demo, sweep; and the script for pages, which makes some of it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.show import show_json
from pipeline.plain import plain

if TYPE_CHECKING:
    from pipeline.ingest.ledger import LedgerEntry

_json = click.option("--json", "as_json", is_flag=True, help="print one JSON document")


@click.command()
@_json
@click.pass_obj
def run(obj: Any, as_json: bool) -> None:
    """Read new lines, rebuild the days they touch, publish: all there is to do."""
    from assets.launch import run_everything  # Dagster takes a second to import, which other commands need not wait

    summary = run_everything(obj.settings, obj.config).to_dict()
    if as_json:
        show_json(summary)
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in summary["lines"].items())
    click.echo(f"lines: {counts}")
    for first, last in summary["ranges"]:
        click.echo(f"days {first} to {last}: up to date")
    for failed in summary["failed_checks"]:
        click.echo(f"check failed: {failed}", err=True)
    click.echo(f"published to {obj.settings.warehouse}")


@click.command()
@click.argument("stream", required=False, type=click.Choice(["-"]), metavar="[-]")
@click.option("--source", help="whose stream it is, with -; default where it is not said")
@_json
@click.pass_obj
def ingest(obj: Any, stream: str | None, source: str | None, as_json: bool) -> None:
    """Read new lines only; `trail run` later builds the days they touch and publishes.

    With - they are read from standard input, compressed or not: zcat old.gz | trail ingest - --source web1
    """
    from pipeline.ingest import ingest as read_new_lines
    from pipeline.ingest import ingest_stream
    from pipeline.warehouse import open_run

    settings = obj.settings
    if source is not None and stream is None:
        raise click.UsageError("--source is for standard input: trail ingest - --source NAME")
    with contextlib.ExitStack() as held:
        spool = held.enter_context(_spooled_input(settings.spill)) if stream else None  # before others must wait
        opened = held.enter_context(open_run(settings))
        if spool is not None:
            report = ingest_stream(opened, settings, _source(source), spool, _say)
        else:
            report = read_new_lines(opened, settings, _say)
        opened.stage()
    if as_json:
        show_json({"lines": report.lines, "days": report.days, "unreadable": report.unreadable})
        return
    click.echo(", ".join(f"{count:,} {name}" for name, count in report.lines.items()))
    click.echo(f"days touched: {', '.join(day.isoformat() for day in report.days) or 'none'}")
    for path, reason in report.unreadable.items():
        _say(f"could not read {path}: {reason}")


def _say(text: str) -> None:
    click.echo(plain(text), err=True)


def _source(name: str | None) -> str:
    """Check the name of a source, which is what a folder could be called."""
    from pipeline.ingest.landing import LOOSE_SOURCE

    if name is None:
        return LOOSE_SOURCE
    if not name or "/" in name or name.startswith(".") or not name.isprintable():
        raise click.UsageError(f"--source is {name!r}; it must be what a folder can be called")
    return name


@contextlib.contextmanager
def _spooled_input(folder: Path) -> Iterator[Any]:
    """Keep standard input for as long as it is read."""
    from pipeline.ingest.spool import Spool

    with contextlib.closing(Spool(folder)) as spool:
        while piece := sys.stdin.buffer.read(1 << 20):
            spool.write(piece)
        yield spool


@click.command()
@click.option("--file", "asked", help="only of files with this file_id or whose path ends so")
@click.option("--source", help="only of this source")
@click.option("--reason", help="only lines rejected for this")
@_json
@click.pass_obj
def retry(obj: Any, asked: str | None, source: str | None, reason: str | None, as_json: bool) -> None:
    """Read rejected lines again, after a format was set or Trail learnt one; `trail run` then builds their days."""
    from pipeline.formats import REASONS
    from pipeline.ingest.retry import retry as read_again
    from pipeline.warehouse import open_run

    if reason is not None and reason not in REASONS:
        raise click.ClickException(f"no line is rejected for {reason!r}; reasons are {', '.join(REASONS)}")
    settings = obj.settings

    def wanted(entry: LedgerEntry) -> bool:
        is_asked = asked is None or entry.file_id == asked or entry.path.endswith(asked)
        return is_asked and source in (None, entry.source)

    with open_run(settings) as opened:
        report = read_again(opened, settings, wanted, reason, lambda text: click.echo(text, err=True))
        opened.stage()
    if as_json:
        files = [{"file_id": e.file_id, "path": e.path, "format": e.format, "left": n} for e, n in report.files]
        show_json({"lines": report.lines, "days": report.days, "files": files})
        return
    click.echo(", ".join(f"{count:,} {name}" for name, count in report.lines.items()))
    click.echo(f"days touched: {', '.join(day.isoformat() for day in report.days) or 'none'}")


@click.command()
@click.pass_obj
def sweep(obj: Any) -> None:
    """Remove files that later runs replaced and that are older than the grace period."""
    from pipeline.warehouse import sweep as sweep_warehouse

    click.echo(f"{len(sweep_warehouse(obj.settings))} files removed")


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path("demo-data"), show_default=True)
@click.option("--seed", default=7, show_default=True, help="the same seed makes the same logs")
@click.option("--scale", default=1.0, show_default=True, help="how much of it")
def demo(folder: Path, seed: int, scale: float) -> None:
    """Make a fortnight of logs of a made-up service, run everything on them, and tell what was found."""
    from pipeline.cli.tour import give_tour

    give_tour(folder, seed, scale)


@click.command()
def beacon() -> None:
    """Print the script for pages, to be served as a file: it reports how long a page was looked at, and clicks."""
    from pipeline.beacon import script

    click.echo(script(), nl=False)


COMMANDS = [run, ingest, retry, sweep, demo, beacon]
