"""What Trail does, in plain Python, pyarrow and DuckDB; it never imports the orchestrator.

The rooms, in the order in which a line passes them, are in the README. A later room may use an earlier one, never the
reverse.
"""

from pipeline.product import (
    active_users,
    adoption,
    candidates,
    friction,
    funnel,
    lifecycle,
    matrix,
    paths,
    retention,
    scores,
    segments,
    stickiness,
    usage,
)
from pipeline.warehouse import connect

__all__ = [
    "active_users",
    "adoption",
    "candidates",
    "connect",
    "friction",
    "funnel",
    "lifecycle",
    "matrix",
    "paths",
    "retention",
    "scores",
    "segments",
    "stickiness",
    "usage",
]
