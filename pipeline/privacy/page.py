"""The page of an export, for who does not know what a table is: one HTML file, nothing fetched, no script."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import Any

from jinja2 import Environment

from pipeline.lookup.rows import Row
from pipeline.page_templates import template_environment
from pipeline.plain import plain

# What a person asks first comes first; each part is a heading, a sentence, and the tables under it.
PARTS = (
    (
        "Who you are",
        "What the service's own directory says of you.",
        ("users", "former_names", "memberships"),
    ),
    (
        "What you did",
        "Your requests in the order in which you made them, and the visits that they make up.",
        ("visits", "clickstream"),
    ),
    (
        "The lines of the service's log",
        "What the web server wrote when it answered you, and what was understood of it.",
        ("raw_requests", "requests", "duplicate_lines", "rejected_lines"),
    ),
    (
        "How you were recognised",
        "Cookies and logins that were seen with you, and why requests count as yours.",
        ("user_links", "identifier_links", "link_corrections", "identifier_days", "same_visit_days", "acts"),
    ),
    (
        "What was counted of it",
        "Summaries of the same requests, by day, by page and by feature of the service.",
        ("user_days", "page_steps", "feature_days", "feature_adoption", "funnel_acts"),
    ),
    (
        "How you are found",
        "What support searches when you call.",
        ("user_businesses", "user_lookup", "search_terms"),
    ),
    ("Who looked at it", "When somebody who works with Trail looked you up.", ("looks",)),
)


def make_page(values: Row) -> str:
    """Write the page.

    Args:
        values: `user_id`, `business_id`, `name`, `business_name` (None where unknown), `made_at`, `left_out` (acts of
            no known Business that are not told), `tables` and `empty` (each as `Told`), `on_page` (how many rows of a
            table the page shows at most).
    """
    by_name = {one.name: one for one in values["tables"]}
    parts = [(heading, words, [by_name[name] for name in names if name in by_name]) for heading, words, names in PARTS]
    told = [part for part in parts if part[2]]
    return _environment().get_template("export.html").render(values, parts=told)


def shown(value: Any) -> str:
    """Write a value as a person reads it: days and instants in full, yes or no, bytes as the text that they are."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, bytes):
        return plain(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return plain(value)


@cache
def _environment() -> Environment:
    return template_environment("pipeline.privacy", {"shown": shown, "number": lambda value: f"{value:,}"})
