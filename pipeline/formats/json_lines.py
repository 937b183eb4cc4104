"""JSON lines as nginx writes them with `escape=json`: the keys Trail documents, and what each means.

Other shapes of JSON logs are formats of their own. Reading many lines at once is `pipeline.ingest.fast_json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.formats.reasons import Rejected
from pipeline.formats.text import split_request
from pipeline.formats.times import read_instant

KEYS: dict[str, str] = {
    "time": "occurred_at",
    "remote_addr": "ip",
    "forwarded_for": "forwarded_for",
    "host": "host",
    "remote_user": "remote_user",
    "request": "request",
    "method": "method",
    "target": "target",
    "protocol": "protocol",
    "status": "status",
    "bytes_sent": "bytes_sent",
    "referrer": "referrer",
    "user_agent": "user_agent",
    "request_time": "duration_ms",
}
ABSENT = ("", "-")
_MAX_BYTES = 1 << 62


@dataclass(frozen=True)
class JsonFormat:
    """The documented JSON line.

    Attributes:
        name: shown in the ledger.
        keys: column of `raw_requests` by key of the object; further keys go to `extra`.
    """

    name: str = "nginx_json"
    keys: Mapping[str, str] = field(default_factory=lambda: dict(KEYS))

    def parse_line(self, text: str) -> dict[str, object]:
        """Read one line exactly.

        Returns:
            Values by column of `raw_requests`, `occurred_at` in microseconds; absent ones are left out.

        Raises:
            Rejected: the line is no such object, or has no time or address, or a value is not what its key says.
        """
        try:
            loaded = json.loads(text, parse_constant=_refuse, parse_float=str, parse_int=str)
        except (ValueError, RecursionError) as error:
            raise Rejected("bad_json") from error
        if not isinstance(loaded, dict) or not _is_unicode(loaded):
            raise Rejected("bad_json")
        row: dict[str, object] = {}
        extra: dict[str, object] = {}
        for key, value in loaded.items():
            if value is None or value in ABSENT:
                continue
            if key not in self.keys:
                extra[key] = value
            elif isinstance(value, str):
                row[self.keys[key]] = value
            else:
                raise Rejected("bad_json")
        if "occurred_at" not in row or "ip" not in row:
            raise Rejected("missing_field")
        if extra:
            row["extra"] = json.dumps(extra, ensure_ascii=False, sort_keys=True)
        return _typed(row)


def _typed(row: dict[str, object]) -> dict[str, object]:
    instant = read_instant(str(row["occurred_at"]))
    if instant is None:
        raise Rejected("bad_time")
    row["occurred_at"] = instant[0]
    if instant[1] is not None:
        row["zone"] = instant[1]
    if "status" in row:
        row["status"] = read_status(str(row["status"]))
    if "bytes_sent" in row:
        row["bytes_sent"] = read_size(str(row["bytes_sent"]))
    if "duration_ms" in row:
        row["duration_ms"] = read_seconds(str(row["duration_ms"]))
    if "request" in row:
        parts = split_request(str(row["request"]))
        if parts:
            del row["request"]
            row["method"], row["target"], row["protocol"] = parts
    return row


def read_status(text: str) -> int:
    """Return a response status.

    Raises:
        Rejected: it is not a number from 100 to 999.
    """
    if not (len(text) == 3 and text.isascii() and text.isdigit() and text[0] != "0"):
        raise Rejected("bad_status")
    return int(text)


def read_size(text: str) -> int:
    """Return a count of bytes.

    Raises:
        Rejected: it is not a whole number.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Rejected("bad_number")
    return int(text)


def read_seconds(text: str) -> float:
    """Return milliseconds, exact to the microsecond, from seconds such as `0.123`.

    Raises:
        Rejected: it is not a number of seconds.
    """
    whole, _, fraction = text.partition(".")
    if not (text.isascii() and whole.isdigit() and len(whole) < 10 and (fraction or "0").isdigit()):
        raise Rejected("bad_number")
    return (int(whole) * 1_000_000 + int((fraction + "000000")[:6])) / 1000


def _refuse(text: str) -> str:
    raise ValueError(f"{text} is not JSON")


def _is_unicode(value: object) -> bool:
    """Lone surrogates (`\\ud800`) are legal in JSON texts and cannot be stored as UTF-8."""
    if isinstance(value, str):
        return not any("\ud800" <= char <= "\udfff" for char in value) if not value.isascii() else True
    if isinstance(value, dict):
        return all(_is_unicode(key) and _is_unicode(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_unicode(item) for item in value)
    return True


def json_format(visitor_field: str, user_field: str, business_field: str) -> JsonFormat:
    """The documented JSON line, with the settings' names for who made the request."""
    who = {visitor_field: "visitor_cookie", user_field: "user_id", business_field: "business_id"}
    return JsonFormat(keys={**KEYS, **who})
