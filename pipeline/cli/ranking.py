"""Commands about which features matter and what to do next: `trail features rank`, `next`, and `trail define`."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from pipeline.cli.show import show_json, show_rows
from pipeline.lookup.rows import Row
from pipeline.product.candidates import candidates, matrix, scored_days, scores
from pipeline.product.define import define as definition_of
from pipeline.product.rows import QuestionError
from pipeline.warehouse import connect

_json = click.option("--json", "as_json", is_flag=True, help="print one JSON document")
_LISTED = ("score", "reach", "frequency", "kept", "friction", "trend", "staying")
_SHARES = {"score", "score_by_business", "reach", "kept", "friction"}


@click.command()
@_json
@click.pass_obj
def rank(obj: Any, as_json: bool) -> None:
    """Rank the features by how many people have a habit of them, with how sure each number is."""
    with connect(obj.settings) as connection:
        found = _rows(scores(connection))
        places = {row["feature"]: row["place"] for row in _rows(matrix(connection))}
        days = scored_days(connection)
    if as_json:
        show_json(_dated(days) | {"scores": found, "matrix": places})
        return
    of: dict[str, dict[str, Row]] = {}
    for row in found:
        of.setdefault(row["feature"], {})[row["measure"]] = row
    ranked = sorted(of.items(), key=lambda item: (item[1]["score"]["rank"] or len(of) + 1, -(_value(item[1]) or 0)))
    show_rows([_line(feature, numbers) | {"place": places.get(feature)} for feature, numbers in ranked])
    hidden = {numbers["score"]["note"] for numbers in of.values() if numbers["score"]["value"] is None}
    click.echo(
        "\nscore: people who used it on as many days as there are weeks; features of one rank cannot be told apart"
    )
    click.echo("between: its ranks if any one Business were not there; staying: an association, in points")
    for note in sorted(hidden):
        click.echo(note)
    _tell_days(days)


def _line(feature: str, numbers: dict[str, Row]) -> Row:
    score, rice = numbers["score"], numbers["rice"]["value"]
    between = None if score["rank"] is None else f"{score['rank_at_best']}-{score['rank_at_worst']}"
    told = {name: _told(numbers[name]) for name in _LISTED}
    last = {"rice": None if rice is None else f"{rice:,.0f}"}
    return {"rank": score["rank"], "between": between, "feature": feature} | told | last


def _value(numbers: dict[str, Row]) -> float | None:
    value: float | None = numbers["score"]["value"]
    return value


def _told(number: Row) -> str | None:
    """Write a number with the ends of its interval; shares and differences of shares in percent and points."""
    if number["value"] is None:
        return None
    factor, digits = (1, 2) if number["measure"] == "frequency" else (100, 1)
    value, low, high = (f"{number[end] * factor:.{digits}f}" for end in ("value", "low", "high"))
    return f"{value}{'%' if number['measure'] in _SHARES else ''} ({low}..{high})"


@click.command("next")
@_json
@click.pass_obj
def next_(obj: Any, as_json: bool) -> None:
    """Say what to fix, to promote and to retire, what concerns most people first, and why."""
    with connect(obj.settings) as connection:
        found = _rows(candidates(connection))
        days = scored_days(connection)
    if as_json:
        show_json(_dated(days) | {"candidates": found})
        return
    for row in found:
        rice = "" if row["rice"] is None else f" (RICE {row['rice']:,.0f})"
        click.echo(f"{row['kind']} {row['feature']}{rice}: {row['reason']}\n  rows: {_one_line(row['rows'])}")
    if not found:
        click.echo("nothing stands out: no feature surely troubles, keeps or lacks people")
    _tell_days(days)


def _dated(days: tuple[date, date] | None) -> Row:
    first, last = days or (None, None)
    return {"first_day": first, "last_day": last}


def _tell_days(days: tuple[date, date] | None) -> None:
    if days:
        click.echo(f"{days[0]} to {days[1]}, the last whole weeks of the log by which features are scored")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _rows(relation: Any) -> list[Row]:
    found: list[Row] = relation.to_arrow_table().to_pylist()
    return found


@click.command()
@click.argument("name")
def define(name: str) -> None:
    """Print what a table means, from the code that computes it: its rules, its columns and its SQL."""
    try:
        click.echo(definition_of(name))
    except QuestionError as error:
        raise click.ClickException(str(error)) from error


COMMANDS = [define]
