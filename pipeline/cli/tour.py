"""The demo's tour: make it, run everything on it, tell what was found and what to open next."""

from __future__ import annotations

import time
from pathlib import Path

import click
import duckdb

from pipeline.cli.show import show_rows
from pipeline.demo import make_demo
from pipeline.demo.make import DemoPaths
from pipeline.lookup import find_users, open_scope, user_story
from pipeline.lookup.rows import rows
from pipeline.plain import length
from pipeline.settings import load_settings
from pipeline.warehouse import connect

_FOUND = {
    "what became of the lines": """
        select source, count(*) as files, sum(lines_read) as read, sum(lines_kept) as kept,
            sum(lines_rejected) as rejected, sum(lines_duplicate) as duplicate, sum(lines_blank) as blank
        from ingested_files group by source order by source
    """,
    "why lines were rejected": """
        select reason, count(*) as lines from rejected_lines group by reason order by lines desc, reason
    """,
    "days": """
        select date, count(*) filter (where not is_bot) as visits, count(*) filter (where is_bot) as bot_visits,
            count(distinct user_id) as users, round(median(length_s) filter (where not is_bot)) as median_length_s,
            count(length_s) filter (where not is_bot) as visits_of_known_length, sum(server_errors) as server_errors
        from visits group by date order by date
    """,
    "busiest routes": """
        select route, count(*) as acts, count(distinct user_id) as users,
            count(*) filter (where status >= 500) as failed, round(median(duration_ms)) as median_ms
        from clickstream where not is_bot group by route order by acts desc, route limit 8
    """,
    "where visits come from": """
        select channel, count(*) as visits from visits where not is_bot group by channel order by visits desc, channel
    """,
}


def give_tour(folder: Path, seed: int, scale: float) -> None:
    """Make the demo in a folder, run everything, print what was found."""
    started = time.perf_counter()
    click.echo(f"making a fortnight of logs in {folder} …", err=True)
    paths = make_demo(folder, seed, scale=scale)
    made = time.perf_counter()
    from assets.launch import run_everything  # after the logs are made: Dagster takes a second to import

    settings = load_settings(paths.config, {})
    summary = run_everything(settings, paths.config)
    ran = time.perf_counter()
    with connect(settings) as connection:
        for heading, query in _FOUND.items():
            click.echo(f"\n{heading}")
            show_rows(rows(connection, query))
    with open_scope(settings) as connection:
        query = _tell_a_user(connection)
    lines = summary.lines.get("read", 0)
    click.echo(f"\n{lines:,} new lines; made in {made - started:.1f} s, run in {ran - made:.1f} s")
    _say_what_next(paths, query)


def _tell_a_user(connection: duckdb.DuckDBPyConnection) -> str:
    """Show what support would see of somebody whom the incident hit."""
    hit = rows(
        connection,
        """
        select user_id, email from clickstream inner join user_lookup using (user_id)
        where status >= 500 and email is not null order by occurred_at desc, user_id limit 1
        """,
    )
    if not hit:
        return "ann"
    email = str(hit[0]["email"])
    story = user_story(connection, find_users(connection, email)[0]["user_id"], visits=3)
    if story:
        click.echo(f"\n{story['name']}, {', '.join(story['business_names'])}: last visits")
        last = [visit | {"length": length(visit["length_s"])} for visit in story["visits_last"]]
        show_rows(last, ["visit_id", "started_at", "length", "entry_path", "page_views", "server_errors"])
    return email


def _say_what_next(paths: DemoPaths, query: str) -> None:
    folder = Path(paths.folder)
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    click.echo(
        f"""
open next
  export TRAIL_CONFIG={shown}/trail.toml PATH=$PWD/.venv/bin:$PATH
  trail user "{query}"               what happened to somebody
  trail web                          the same as a page, for support and engineers
  trail features next                what to fix, promote and retire, and why
  {shown}/warehouse/_reports         the week on one page
  trail sql "from visits limit 5"    the tables, in SQL
  trail tables                       what there is
  make dev                           Dagster's page, with the assets
  notebooks/                         questions with charts"""
    )
