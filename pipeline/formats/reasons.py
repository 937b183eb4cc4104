"""Why a line was rejected: the named codes of `rejected_lines.reason`, and the exception that carries one.

What a reader does with a rejected line does not belong here.
"""

from __future__ import annotations

REASONS: dict[str, str] = {
    "unknown_format": "the file's lines are of no format that Trail reads",
    "no_match": "the line is not of its file's format",
    "no_header": "no line before this one says what its fields are",
    "bad_time": "the line's time is not a time from 1995 to 2099",
    "bad_status": "the response status is not a number from 100 to 999",
    "bad_number": "a size or duration is not a number",
    "bad_json": "the line is not one whole JSON object",
    "missing_field": "the JSON object has no time or no address",
    "no_request": "the JSON object says nothing of a request",
    "invalid_utf8": "the line holds bytes that are not UTF-8",
    "nul_byte": "the line holds a NUL byte",
    "line_too_long": "the line is longer than 64 KiB",
    "truncated": "the finished file ends in the middle of this line",
}


class Rejected(ValueError):
    """A line that cannot be parsed; `reason` is a key of `REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(REASONS[reason])
        self.reason = reason
