"""Events as the lines that servers write: nginx's JSON with `escape=json`, and combined."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime

from pipeline.demo.events import Event

_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def json_line(event: Event) -> str:
    """Write an event as nginx does with `log_format … escape=json`, without the newline."""
    moment = datetime.fromtimestamp(event.at_ms // 1000, UTC)
    values = {
        "time": f"{moment:%Y-%m-%dT%H:%M:%S}.{event.at_ms % 1000:03}+00:00",
        "remote_addr": event.ip,
        "forwarded_for": "",
        "host": event.host,
        "method": event.method,
        "target": event.target,
        "protocol": "HTTP/2.0",
        "status": str(event.status),
        "bytes_sent": str(event.bytes_sent),
        "referrer": event.referrer,
        "user_agent": event.user_agent,
        "request_time": f"{event.duration_ms / 1000:.3f}",
        "user_id": event.user_id or "",
        "visitor_id": event.cookie,
        "business_id": event.business_id or "",
        "error_reference": _reference(event) if event.status >= 500 else "",
    }
    return "{" + ",".join(f'"{key}":"{_json(value)}"' for key, value in values.items()) + "}"


def _reference(event: Event) -> str:
    """What the service shows to whom it fails, and sends in a header, so that support can be told of it."""
    return f"E-{zlib.crc32(f'{event.at_ms} {event.ip} {event.target}'.encode()):08x}"


def _json(text: str) -> str:
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(_SHORT.get(char) or (f"\\u{ord(char):04X}" if char < " " else char) for char in text)


def combined_line(event: Event) -> str:
    """Write an event as nginx and Apache do in `combined`, without the newline."""
    moment = datetime.fromtimestamp(event.at_ms // 1000, UTC)
    clock = f"{moment:%d}/{_MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S} +0000"
    request = _quoted(f"{event.method} {event.target} HTTP/1.1")
    return (
        f'{event.ip} - {event.login or "-"} [{clock}] "{request}" {event.status} {event.bytes_sent} '
        f'"{_quoted(event.referrer) or "-"}" "{_quoted(event.user_agent) or "-"}"'
    )


def _quoted(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in (34, 92) else f"\\x{byte:02X}" for byte in text.encode()
    )
