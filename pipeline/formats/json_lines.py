"""JSON lines: one entry a writer, which keys hold which fields.

Reading many lines at once is `pipeline.ingest.fast_json`; what a field means is in `fields`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from pipeline.formats.fields import NUMBERS, TEXTS, read_fields
from pipeline.formats.reasons import Rejected

KEYS: dict[str, str] = {
    "time": "time",
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
    "request_time": "duration_s",
}
MAPPED_NAME = "json"
MAPPABLE = ("time", *TEXTS, "path", "query", *NUMBERS)
_TELL_REQUESTS = ("target", "path", "request")
ABSENT = ("", "-")
EMPTY: tuple[Any, ...] = (*ABSENT, {}, [])


class MappingError(ValueError):
    """The fields that a source's settings name make no format; the message says why."""


@dataclass(frozen=True)
class JsonFormat:
    """A writer's JSON line.

    Attributes:
        name: shown in the ledger.
        keys: field by key of the object, `a/b` for key b of the object at a, `a/0` for the first of a list; what has no
            field is kept in `extra`.
        is_strict: a value that is no text or number where a field is wanted spoils the line; else it goes to `extra`.
        needs: fields of which a line must have one, and what it is rejected for else.
        is_text: as of `LayoutFormat`.
    """

    name: str
    keys: Mapping[str, str]
    is_strict: bool = False
    needs: tuple[tuple[str, ...], str] = (("ip",), "missing_field")
    is_text: ClassVar[bool] = False

    @property
    def is_flat(self) -> bool:
        """Whether the fast path can read it: keys are the object's own, one for each field, and the target is one."""
        names = set(self.keys.values())
        is_own = not any("/" in key for key in self.keys)
        return is_own and len(names) == len(self.keys) and "target" in names and not {"path", "query"} & names

    @property
    def needed(self) -> tuple[str, str]:
        """Fields without which the fast path vouches for no line."""
        return "time", self.needs[0][0]

    @cached_property
    def _paths(self) -> list[tuple[list[str], str]]:
        return [(key.split("/"), name) for key, name in self.keys.items()]

    def parse_line(self, text: str) -> dict[str, object]:
        """Read one line exactly.

        Returns:
            Values by column of `raw_requests`, `occurred_at` in microseconds; absent ones are left out.

        Raises:
            Rejected: the line is no such object, has no time or not what it needs, or a value is not what its key says.
        """
        loaded = read_object(text)
        values: dict[str, str] = {}
        for path, name in self._paths:
            found = None if name in values else _taken(loaded, path, self.is_strict)
            if found is not None:
                values[name] = found
        further = {key: value for key, value in loaded.items() if value is not None and value not in EMPTY}
        needed, reason = self.needs
        if not any(name in values for name in needed):
            raise Rejected(reason)
        return read_fields(values, further)


def read_object(text: str) -> dict[str, Any]:
    """Read a line that is one JSON object; its numbers stay as they are written.

    Raises:
        Rejected: it is none, or holds half a character.
    """
    try:
        loaded = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise Rejected("bad_json") from error
    if not isinstance(loaded, dict) or ("\\u" in text and not is_unicode(loaded)):
        raise Rejected("bad_json")
    return loaded


def _taken(within: Any, path: list[str], is_strict: bool) -> str | None:
    """Take the text at a path out of an object; None where there is none."""
    key = path[0]
    if isinstance(within, list):
        value = within[0] if key == "0" and len(within) == 1 else None
        return value if len(path) == 1 and isinstance(value, str) and value not in ABSENT else None
    if not isinstance(within, dict) or key not in within:
        return None
    value = within[key]
    if len(path) > 1:
        found = _taken(value, path[1:], is_strict)
        if found is not None and (value == {} or isinstance(value, list)):
            del within[key]
        return found
    if value is None or value == "" or value == "-":
        del within[key]
        return None
    if isinstance(value, str):
        del within[key]
        return value
    if is_strict:
        raise Rejected("bad_json")
    return None


def _refuse(text: str) -> str:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=str, parse_int=str)


def is_unicode(value: object) -> bool:
    """Tell whether a value of a JSON text can be stored: lone surrogates (`\\ud800`) are legal there, not in UTF-8."""
    if isinstance(value, str):
        return not any("\ud800" <= char <= "\udfff" for char in value) if not value.isascii() else True
    if isinstance(value, dict):
        return all(is_unicode(key) and is_unicode(item) for key, item in value.items())
    if isinstance(value, list):
        return all(is_unicode(item) for item in value)
    return True


def json_format(visitor_field: str, user_field: str, business_field: str) -> JsonFormat:
    """The documented JSON line, with the settings' names for who made the request."""
    who = {visitor_field: "visitor_cookie", user_field: "user_id", business_field: "business_id"}
    return JsonFormat("nginx_json", {**KEYS, **who}, is_strict=True)


def mapped_format(fields: Mapping[str, str], who: Mapping[str, str]) -> JsonFormat:
    """Make a format of the keys that a source's settings name.

    Args:
        fields: key of the object by field of `formats.fields`; `a.b` is the object's own key of that name, or key b of
            the object at a.
        who: fields that say who asked, by the key that holds them where `fields` does not say it.

    Raises:
        MappingError: a field is unknown, there is no time or nothing that tells a request, two fields have one key, or
            two say the duration.
    """
    unknown = sorted(set(fields) - set(MAPPABLE))
    if unknown:
        raise MappingError(f"{unknown[0]} is no field; fields are {', '.join(MAPPABLE)}")
    if "time" not in fields:
        raise MappingError("time is missing: which key holds when the request was made?")
    if not any(name in fields for name in _TELL_REQUESTS):
        raise MappingError(f"one of {', '.join(_TELL_REQUESTS)} is missing: which key holds what was asked for?")
    by_key = {key: name for name, key in fields.items()}
    hidden = sorted(set(fields) - set(by_key.values()))
    if hidden:
        raise MappingError(f"{hidden[0]} has the key {fields[hidden[0]]!r}, which {by_key[fields[hidden[0]]]} has too")
    durations = [name for name in fields if name in NUMBERS and NUMBERS[name][0] == "duration_ms"]
    if len(durations) > 1:
        raise MappingError(f"{' and '.join(durations)} are both the duration: keep one")
    by_key |= {key: name for key, name in who.items() if name not in fields and key not in by_key}
    keys = {}
    for key, name in by_key.items():
        keys[key] = name
        if "." in key:
            keys[key.replace(".", "/")] = name
    return JsonFormat(MAPPED_NAME, keys, needs=(_TELL_REQUESTS, "no_request"))


# After the vendors' documentation of their access logs.
_CADDY = {
    "ts": "time",
    "request/remote_ip": "ip",
    "request/headers/X-Forwarded-For/0": "forwarded_for",
    "request/host": "host",
    "request/method": "method",
    "request/uri": "target",
    "request/proto": "protocol",
    "request/headers/User-Agent/0": "user_agent",
    "request/headers/Referer/0": "referrer",
    "user_id": "remote_user",
    "status": "status",
    "size": "bytes_sent",
    "duration": "duration_s",
}
_TRAEFIK = {
    "StartUTC": "time",
    "time": "time",
    "ClientHost": "ip",
    "ClientUsername": "remote_user",
    "RequestHost": "host",
    "RequestMethod": "method",
    "RequestPath": "target",
    "RequestProtocol": "protocol",
    "DownstreamStatus": "status",
    "DownstreamContentSize": "bytes_sent",
    "Duration": "duration_ns",
    "request_User-Agent": "user_agent",
    "request_Referer": "referrer",
    "request_X-Forwarded-For": "forwarded_for",
}
_CLOUDFLARE = {
    "EdgeStartTimestamp": "time",
    "ClientIP": "ip",
    "ClientRequestHost": "host",
    "ClientRequestMethod": "method",
    "ClientRequestURI": "target",
    "ClientRequestProtocol": "protocol",
    "ClientRequestUserAgent": "user_agent",
    "ClientRequestReferer": "referrer",
    "EdgeResponseStatus": "status",
    "EdgeResponseBytes": "bytes_sent",
}
_GOOGLE = {
    "timestamp": "time",
    "httpRequest/remoteIp": "ip",
    "httpRequest/requestMethod": "method",
    "httpRequest/requestUrl": "target",
    "httpRequest/protocol": "protocol",
    "httpRequest/status": "status",
    "httpRequest/responseSize": "bytes_sent",
    "httpRequest/userAgent": "user_agent",
    "httpRequest/referer": "referrer",
    "httpRequest/latency": "duration_s",
}


def json_formats(visitor_field: str, user_field: str, business_field: str) -> list[JsonFormat]:
    """Every JSON format, the documented one first."""
    return [
        json_format(visitor_field, user_field, business_field),
        JsonFormat("caddy", _CADDY),
        JsonFormat("traefik_json", _TRAEFIK),
        JsonFormat("cloudflare", _CLOUDFLARE),
        JsonFormat("google_load_balancer", _GOOGLE),
    ]
