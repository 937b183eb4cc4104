"""Commands that look at one thing: a user, a visit, a request, a file."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from pipeline.cli.scope import asked_scope, business_option
from pipeline.cli.show import show_fields, show_json, show_rows
from pipeline.features import catalogue_of
from pipeline.lookup import find_users, request_story, requests_of_reference, user_story, users_at, visit_story
from pipeline.lookup.rows import Row
from pipeline.lookup.traces import read_address
from pipeline.plain import json_text, length, plain
from pipeline.warehouse import connect

_json = click.option("--json", "as_json", is_flag=True, help="print one JSON document")


@click.command()
@click.argument("query")
@business_option
@click.option("--visits", default=10, show_default=True, help="how many of the last visits and errors")
@_json
@click.pass_obj
def user(obj: Any, query: str, business: str | None, visits: int, as_json: bool) -> None:
    """Find users by part of a name or email, by id, identifier or address; tell all of the only one found."""
    with asked_scope(obj.settings, business) as connection:
        address = read_address(query)
        found = users_at(connection, address) if address else find_users(connection, query)
        if not found:
            raise click.ClickException("no such user")
        only = found[0] if len(found) == 1 or found[0]["user_id"] == query or _stands_out(found) else None
        story = user_story(connection, only["user_id"], visits, catalogue_of(obj.settings)) if only else None
    if as_json:
        show_json(story or found)
    elif story:
        _show_user(story)
    else:
        show_rows(found, ["user_id", "name", "email", "business_names", "last_seen_at", "visits", "why"])
        click.echo(f"\n{len(found)} users; `trail user ID` tells all of one")


def _stands_out(found: list[Row]) -> bool:
    """Whether the first met the whole question to the letter, and no other did."""
    return found[0].get("score") == 1 > found[1]["score"]


def _show_user(story: dict[str, Any]) -> None:
    shown = ("user_id", "name", "email", "business_names", "first_seen_at", "last_seen_at", "visits", "devices")
    show_fields({name: story[name] for name in shown})
    if story["features"]:
        click.echo("\nfeatures used in the last visits")
        show_rows(story["features"], ["title", "uses", "errors", "visits", "last_at"])
    click.echo("\nlast visits" if story["visits_last"] else "\nno visits")
    show_rows([visit | {"length": length(visit["length_s"])} for visit in story["visits_last"]], _VISIT_COLUMNS)
    click.echo("\nlast errors" if story["errors_last"] else "\nno errors")
    show_rows(story["errors_last"], ["occurred_at", "status", "method", "path", "visit_id", "request_id"])


_VISIT_COLUMNS = ["visit_id", "started_at", "length", "entry_path", "page_views", "errors", "server_errors", "browser"]


@click.command()
@click.argument("visit_id")
@business_option
@_json
@click.pass_obj
def visit(obj: Any, visit_id: str, business: str | None, as_json: bool) -> None:
    """Tell a visit request by request, with gaps, status and duration."""
    with asked_scope(obj.settings, business) as connection:
        story = visit_story(connection, visit_id, catalogue_of(obj.settings))
    if story is None:
        raise click.ClickException("no such visit")
    if as_json:
        show_json(story)
        return
    acts = story.pop("acts_in_order")
    heading = ("user_id", "business_id", "visitor_id", "started_at", "channel", "browser", "os", "country", "city")
    show_fields({"visit_id": story["visit_id"], "length": length(story["length_s"])} | {n: story[n] for n in heading})
    click.echo()
    show_rows(
        [act | {"gap": "" if act["gap_s"] is None else length(act["gap_s"])} for act in acts],
        [
            "occurred_at",
            "gap",
            "kind",
            "method",
            "status",
            "duration_ms",
            "path",
            "features",
            "linked_by",
            "request_id",
        ],
    )


@click.command()
@click.argument("request_id")
@business_option
@_json
@click.pass_obj
def explain(obj: Any, request_id: str, business: str | None, as_json: bool) -> None:
    """Explain a request: its line, what was derived and by which version, its visit, and why it is a user's.

    REQUEST_ID may also be a reference that an answer gave, as a further field of the log has it.
    """
    with asked_scope(obj.settings, business) as connection:
        story = request_story(connection, obj.settings, request_id)
        referred = [] if story else requests_of_reference(connection, request_id)
        if len(referred) == 1:
            story = request_story(connection, obj.settings, referred[0]["request_id"])
    if story is None and referred:
        show_rows(referred, ["request_id", "occurred_at", "status", "method", "path", "user_id"])
        return
    if story is None:
        raise click.ClickException("no such request")
    if as_json:
        show_json(story)
        return
    show_fields({"request_id": story["request"]["request_id"]})
    show_rows(story["derived"], ["column", "value", "of", "by"])
    if story["act"]:
        click.echo("\nin the clickstream")
        shown = ("visit_id", "visit_seq", "user_id", "business_id", "linked_by", "link_evidence", "seconds_to_next")
        show_fields({name: story["act"][name] for name in shown} | {"why in this visit": _RULES[story["rule"]["rule"]]})
    if story["link"]:
        click.echo("\nwhose it is, shown by")
        show_fields(story["link"])
    if story["correction"]:
        click.echo("\nwhich a person said")
        show_fields(story["correction"])
    click.echo("\nin the logs")
    for line in story["lines"]:
        click.echo(f"{plain(line['path'])} at byte {line['line_offset']}: {_as_written(line)}")


_RULES = {
    "goes_on": "within half an hour of the visit's act before",
    "nothing_before": "began it: no act of its visitor or user in the half hour before",
    "other_user": "began it: the act before is not known to be this user's",
    "other_business": "began it: the act before was in another Business",
    "other_device": "began it: the act before was on another device",
    "midnight": "began it: the day before was active throughout, and cut at its midnight",
}


def _as_written(line: Row) -> str:
    return json_text(line["fields"]) if line["text"] is None else plain(line["text"])


@click.command()
@click.argument("file")
@_json
@click.pass_obj
def doctor(obj: Any, file: str, as_json: bool) -> None:
    """Tell what a log file is: format, rejects with reasons, time span and zone, bots, and what to be warned of.

    FILE is a path, or an object such as s3://bucket/key.
    """
    from pipeline.enrich import UserAgentCache
    from pipeline.enrich.bots import bot_signals
    from pipeline.ingest.doctor import examine
    from pipeline.ingest.stores import open_file

    settings = obj.settings
    with open_file(file, settings) as data:
        report = examine(file, data, settings)
    known = UserAgentCache(None)
    signals = bot_signals(list(report.agents), [known.client(agent) if agent else None for agent in report.agents])
    bots = sum(count for count, found in zip(report.agents.values(), signals, strict=True) if found)
    report.bot_share = bots / report.kept if any(report.agents) else None  # a log without user agents cannot tell
    if as_json:
        show_json(report.to_dict())
        return
    found = report.to_dict()
    rejects, warnings = found.pop("rejects"), found.pop("warnings")
    found.pop("proposal")
    found["bot_share"] = None if report.bot_share is None else f"{report.bot_share:.1%}"
    found["zones"] = [f"{zone}: {count:,} lines" for zone, count in report.zones.items()]
    show_fields(found)
    for reason, entry in rejects.items():
        click.echo(f"\nrejected as {reason}: {entry['lines']:,} lines; {entry['means']}")
        for sample in entry["samples"]:
            click.echo(f"  at byte {sample['offset']}: {plain(sample['text'])}")
    for warning in warnings:
        click.echo(f"\nwarning: {plain(warning)}")
    if report.proposal is not None:
        _show_proposal(report.proposal)


def _show_proposal(proposal: Any) -> None:
    click.echo(
        f"\na format to try, which reads {proposal.reads} of the first {proposal.looked_at} lines; in trail.toml:"
    )
    click.echo(f"  [sources.NAME]\n  format = '{plain(proposal.format)}'\n")
    if proposal.fields:
        click.echo("  [sources.NAME.fields]")
        for name, key in proposal.fields.items():
            click.echo(f"  {name} = {json.dumps(key)}")
        click.echo()
    mark = "" if proposal.fields else "$"
    show_rows(
        [
            {"column": f"{mark}{column.variable}", "seems to be": column.seems, "such as": column.samples[0]}
            for column in proposal.columns
        ]
    )


@click.command()
@click.option("--file", "asked", help="a file_id, or the end of a path; without it the files are listed")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="a file to write; standard output if none")
@click.pass_obj
def raw(obj: Any, asked: str | None, out: Path | None) -> None:
    """Write a file's lines out again as they came, byte for byte, from the tables."""
    from pipeline.ingest.originals import find_files, write_original

    with connect(obj.settings) as connection:
        found = find_files(connection, asked or "")
        if asked is None or len(found) > 1:
            show_rows(found, ["file_id", "path", "format", "lines_read", "first_at", "last_at"])
            if asked is None:
                return
        if len(found) != 1:
            raise click.ClickException(f"{len(found)} files are {asked!r}; name one by its file_id")
        with out.open("wb") if out else nullcontext(sys.stdout.buffer) as to:
            original = write_original(connection, obj.settings, found[0]["file_id"], to)
    if original.values_masked:
        raise click.ClickException(
            f"{plain(found[0]['path'])}: {original.values_masked:,} values were masked when it was read, so that what "
            "was written cannot be the file as it was"
        )
    if not original.is_proven:
        raise click.ClickException(
            f"{plain(found[0]['path'])}: what was written has not the hash that the ledger has of it"
        )
    click.echo(f"{original.lines:,} lines, {original.bytes_written:,} bytes: the file's hash is the ledger's", err=True)


COMMANDS = [user, visit, explain, doctor, raw]
