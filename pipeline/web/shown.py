"""How values are shown on a page: readable, and harmless whatever a log's sender wrote.

Escaping for HTML is Jinja's, and always on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

from pipeline.lookup.rows import Row
from pipeline.plain import instant_text, json_text, length, plain, share


def instant(value: datetime | None) -> str:
    """Write an instant to the second; what is unknown is said to be."""
    return "unknown" if value is None else instant_text(value)


def milliseconds(value: float | None) -> str:
    """Write how long an answer took; empty where the log does not say."""
    if value is None:
        return ""
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


def segment(text: str) -> str:
    """Write a text as one segment of a path: a slash in an id is no step of the way."""
    return quote(text, safe="")


def failed(acts: Iterable[Row]) -> int:
    """Count acts with a status of 400 or more; those of which the log has no status are not known to have failed."""
    return sum(act["status"] is not None and act["status"] >= 400 for act in acts)


def masked_email(email: str | None) -> str:
    """Leave of an email what tells it from others on the same page."""
    if not email:
        return ""
    local, at, host = email.partition("@")
    return f"{local[:2]}…{at}{host}" if at else f"{email[:2]}…"


def masked_address(address: str | None) -> str:
    """Leave of an address its first half."""
    if not address:
        return ""
    mark = ":" if ":" in address else "."
    parts = address.split(mark)
    return mark.join(parts[: len(parts) // 2]) + f"{mark}…"


FILTERS = {
    "json_text": json_text,
    "plain": plain,
    "length": length,
    "instant": instant,
    "milliseconds": milliseconds,
    "share": share,
    "failed": failed,
    "segment": segment,
    "masked_email": masked_email,
    "masked_address": masked_address,
}
