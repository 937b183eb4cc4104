"""What a line looks like: one entry a format, found per file by its first lines.

Bytes, blocks and files do not belong here; a format sees one line or the distinct values of a column.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.formats.json_lines import JsonFormat, json_format
from pipeline.formats.reasons import REASONS, Rejected
from pipeline.formats.text import TextFormat, text_formats
from pipeline.settings import Settings

Format = TextFormat | JsonFormat

__all__ = ["REASONS", "Format", "JsonFormat", "Rejected", "TextFormat", "all_formats", "find_format"]


def all_formats(settings: Settings) -> list[Format]:
    """Every format that Trail reads, in the order in which they are tried."""
    return [*text_formats(), json_format(settings.visitor_field, settings.user_field, settings.business_field)]


def find_format(lines: Sequence[str], settings: Settings, named: str | None = None) -> Format | None:
    """Find the format that most of a file's first lines are of.

    Args:
        lines: some first lines, without their newline; blank ones do not count.
        settings: names of the JSON fields.
        named: the format that the settings name for this source, taken without looking.

    Returns:
        The format that parses most of them (the first listed where several do), or None where none parses any.
    """
    formats = all_formats(settings)
    if named is not None:
        return next((known for known in formats if known.name == named), None)
    scores = [sum(_parses(known, line) for line in lines if line.strip()) for known in formats]
    best = max(scores, default=0)
    return formats[scores.index(best)] if best else None


def _parses(known: Format, line: str) -> bool:
    try:
        known.parse_line(line)
    except Rejected:
        return False
    return True
