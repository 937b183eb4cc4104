"""The command that derives days again: it shows what would change, then changes that where it is told to."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.show import show_json, show_rows
from pipeline.plain import plain

if TYPE_CHECKING:
    from pipeline.build import AskedDays, Rederivation
    from pipeline.settings import Settings

_MOST_CHANGES = 5
_WIDEST_VALUE = 40
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--from", "first", type=_DAY, metavar="DAY", help="first day, such as 2026-03-02; of all by default")
@click.option("--to", "last", type=_DAY, metavar="DAY", help="last day, itself included; of all by default")
@click.option("--yes", is_flag=True, help="change without asking")
@click.option("--dry-run", is_flag=True, help="only show what would change")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document; changes with --yes only")
@click.pass_obj
def enrich(obj: Any, first: datetime | None, last: datetime | None, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Derive days of requests again from their raw rows, with today's rules, settings and databases.

    What would change is shown first: rows, by day and by column, before and after. Then only rows that differ are
    changed, the tables above their days are rebuilt, and all is published together.
    """
    from pipeline.build import asked_days, open_rederivation
    from pipeline.warehouse import StagedState

    if yes and dry_run:
        raise click.UsageError("--yes changes and --dry-run does not: give one of them")
    if first and last and first > last:
        raise click.UsageError(f"--from {first:%Y-%m-%d} is after --to {last:%Y-%m-%d}")
    settings = obj.settings
    can_ask = sys.stdin.isatty() and not as_json
    asked = asked_days(StagedState(settings), first.date() if first else None, last.date() if last else None)
    with open_rederivation(settings) as again:
        again.compare(asked.ready, yes or (can_ask and not dry_run), lambda text: click.echo(text, err=True))
        found = _document(asked, again)
        if not as_json:
            _show(found)
        if not again.rows_differing:
            outcome = _unchanged("no row differs")
        elif dry_run:
            outcome = _unchanged("this was a dry run")
        elif not yes and not can_ask:
            outcome = _unchanged("there is nobody to ask on a terminal; --yes changes these rows")
        elif not yes and not click.confirm(f"\nchange {again.rows_differing:,} rows?"):
            outcome = _unchanged("you said no")
        else:
            outcome = _changed(settings, again)
    if outcome["days_changed"]:
        from assets.launch import refresh  # Dagster takes a second to import, which who only looks need not wait

        outcome["failed_checks"] = refresh(settings, obj.config).failed_checks
    if as_json:
        show_json(found | outcome)
    else:
        _show_outcome(outcome, StagedState(settings).is_published)


def _document(asked: AskedDays, again: Rederivation) -> dict[str, Any]:
    """What was found, in plain values."""
    return {
        "enrichment_version": again.version,
        "rows": sum(day.rows for day in again.days),
        "rows_differing": again.rows_differing,
        "days": [asdict(day) | {"rows_differing": day.rows_differing} for day in again.days],
        "columns": [asdict(column) for column in again.columns(_MOST_CHANGES)],
        "days_not_built": asked.unbuilt,
        "days_without_raw_rows": asked.without_rows,
    }


def _unchanged(why: str) -> dict[str, Any]:
    return {"days_changed": [], "days_left": [], "why_unchanged": why, "failed_checks": []}


def _changed(settings: Settings, again: Rederivation) -> dict[str, Any]:
    """Change the rows that differ, for the tables above to follow."""
    from pipeline.warehouse import open_run

    with open_run(settings) as run:
        changed, left = again.apply(run)
        run.stage()
    why = None if changed else "runs have built these days meanwhile"
    return {"days_changed": changed, "days_left": left, "why_unchanged": why, "failed_checks": []}


def _show(found: dict[str, Any]) -> None:
    days = [day for day in found["days"] if day["rows_differing"]]
    for day in found["days_not_built"]:
        click.echo(f"{day}: left out, it has lines that no run has built yet; `trail run` derives the whole day anew")
    for first, last in found["days_without_raw_rows"]:
        click.echo(f"{first}: no raw rows" if first == last else f"{first} to {last}: no raw rows")
    click.echo(f"derived by {plain(found['enrichment_version'])}")
    click.echo(
        f"{found['rows_differing']:,} of {found['rows']:,} rows differ, on {len(days)} of {len(found['days'])} days"
    )
    if days:
        click.echo()
        show_rows([_shown_day(day) for day in days])
        click.echo()
        for column in found["columns"]:
            click.echo(_shown_column(column))


def _shown_day(day: dict[str, Any]) -> dict[str, str]:
    counts = {"new": day["rows_new"], "gone": day["rows_gone"], **day["columns"]}
    return {
        "day": f"{day['day']}",
        "rows": f"{day['rows']:,}",
        "differ": f"{day['rows_differing']:,}",
        "in": ", ".join(f"{name} {count:,}" for name, count in counts.items() if count),
    }


def _shown_column(column: dict[str, Any]) -> str:
    said = [f"{_value(c['before'])} → {_value(c['after'])} {c['rows']:,}" for c in column["changes"]]
    others = column["distinct_changes"] - len(said)
    if others:
        said.append(f"{others:,} others {column['rows'] - sum(c['rows'] for c in column['changes']):,}")
    return f"{column['column']}  {column['rows']:,} rows: {'; '.join(said)}"


def _value(text: str | None) -> str:
    """Quote a value, which a log's sender may have chosen; null is not quoted."""
    if text is None:
        return "null"
    shown = plain(text)
    return f"'{shown}'" if len(shown) <= _WIDEST_VALUE else f"'{shown[: _WIDEST_VALUE - 1]}…'"


def _show_outcome(outcome: dict[str, Any], is_published: bool) -> None:
    changed: list[date] = outcome["days_changed"]
    for day in outcome["days_left"]:
        click.echo(f"{day}: left as it is, a run has built it since it was compared; look again")
    for failed in outcome["failed_checks"]:
        click.echo(f"check failed: {failed}", err=True)
    if changed:
        click.echo(f"\nchanged {len(changed)} days; what hangs on them is rebuilt, all published")
    else:
        click.echo(f"\nnothing was changed: {outcome['why_unchanged']}")
    if not is_published:
        click.echo("what earlier runs staged is not published yet; `trail run` does that")


COMMANDS = [enrich]
