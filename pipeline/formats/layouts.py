"""The named layouts: one entry a format, in the order in which they are tried.

Where a format's fields come from is named beside it. Formats whose layout is written in the file itself are in `w3c`.
"""

from __future__ import annotations

from functools import cache

from pipeline.formats.layout import LayoutFormat, Values

_COMMON = '{ip} {ident} {remote_user} [{clock}] "{request}" {status} {bytes_sent}'
_COMBINED = _COMMON + ' "{referrer}" "{user_agent}"'
_MOST_FURTHER = 8
_HAPROXY = (
    "{ip}:{client_port} [{local_clock}] {frontend} {backend}/{server} {timers} {status} {bytes_sent} {request_cookie} "
    "{response_cookie} {termination} {connections} {queues}"
)


def _load_balancer(values: Values) -> None:
    """Addresses without port, and the time taken: the sum of the three parts, where all of them were measured."""
    _without_port(values)
    parts = [values.get(f"{part}_processing_time", "-1") for part in ("request", "target", "response")]
    if all(map(_is_number, parts)):
        values["duration_s"] = f"{sum(round(float(part) * 1_000_000) for part in parts) / 1e6:.6f}"


def _is_number(text: str) -> bool:
    return len(text) < 20 and text.replace(".", "", 1).isdigit() and text.isascii()


def _without_port(values: Values) -> None:
    ip, _, port = values.get("ip", "").rpartition(":")
    if ip and port.isdigit():
        values["ip"], values["client_port"] = ip, port


def _haproxy(values: Values) -> None:
    """Time of accept and total time active, `Tt`, the last of the timers; status -1 is none."""
    total = values.get("timers", "").rpartition("/")[2]
    if total.removeprefix("+").isdigit():
        values["duration_ms"] = total
    if values.get("status") == "-1":
        del values["status"]


def _envoy(values: Values) -> None:
    """The address that connected is the last one that Envoy put into x-forwarded-for."""
    if "forwarded_for" in values:
        values["ip"] = values["forwarded_for"].rpartition(",")[2].strip()


def _squid(values: Values) -> None:
    code, _, status = values.get("result", "").partition("/")
    if code:
        values["result"] = code
    if status not in ("", "000", "0"):
        values["status"] = status


def _iis(values: Values) -> None:
    """Dates are month/day/year, of two digits, in the server's own time."""
    month, day, year = (values.get("date", "") + "//").split("/")[:3]
    values["date"] = f"20{year:0>2}-{month:0>2}-{day:0>2}" if len(year) < 3 else f"{year}-{month:0>2}-{day:0>2}"
    values["time_of_day"] = values.get("time_of_day", "").rjust(8, "0")
    values["zone"] = ""


# After the vendors' documentation of their default formats; names of further fields are the vendors' own.
_NAMED = (
    LayoutFormat(
        "ionos",  # combined with the virtual host in the middle
        _COMMON + ' {host} "{referrer}" "{user_agent}" "{quoted_1}"',
    ),
    LayoutFormat("ionos_short", _COMMON + ' {host} "{referrer}" "{user_agent}"'),
    LayoutFormat("traefik", _COMBINED + ' {request_count} "{router}" "{server_url}" {duration_ms}'),
    LayoutFormat("haproxy", _HAPROXY + ' "{request}"', _haproxy),  # option httplog
    LayoutFormat("haproxy+1", _HAPROXY + ' {{captured}} "{request}"', _haproxy),
    LayoutFormat("haproxy+2", _HAPROXY + ' {{captured_request}} {{captured_response}} "{request}"', _haproxy),
    LayoutFormat(
        "envoy",
        '[{time}] "{request}" {status} {flags} {bytes_received} {bytes_sent} {duration_ms} {upstream_time} '
        '"{forwarded_for}" "{user_agent}" "{log_request_id}" "{host}" "{upstream_host}"',
        _envoy,
    ),
    LayoutFormat(
        "aws_alb",
        "{type} {time} {elb} {ip} {target_address} {request_processing_time} {target_processing_time} "
        '{response_processing_time} {status} {target_status} {received_bytes} {bytes_sent} "{request}" "{user_agent}" '
        '{ssl_cipher} {ssl_protocol} {target_group} "{trace_id}" "{host}" "{certificate}" {*further}',
        _load_balancer,
    ),
    LayoutFormat(
        "aws_elb",
        "{time} {elb} {ip} {target_address} {request_processing_time} {target_processing_time} "
        '{response_processing_time} {status} {target_status} {received_bytes} {bytes_sent} "{request}" "{user_agent}" '
        "{ssl_cipher} {ssl_protocol}",
        _load_balancer,
    ),
    LayoutFormat(
        "aws_s3",
        "{bucket_owner} {bucket} [{clock}] {ip} {requester} {log_request_id} {operation} {key} "
        '"{request}" {status} {error_code} {bytes_sent} {object_size} {duration_ms} {turnaround_ms} "{referrer}" '
        '"{user_agent}" {version_id} {*further}',
    ),
    LayoutFormat(
        "iis",  # IIS's own format, before it wrote W3C extended logs
        "{ip}, {remote_user}, {date}, {time_of_day}, {service}, {computer}, {server_ip}, {duration_ms}, "
        "{bytes_received}, {bytes_sent}, {status}, {windows_status}, {method}, {path}, {query},",
        _iis,
    ),
    LayoutFormat(
        "squid", "{time}  {duration_ms} {ip} {result} {bytes_sent} {method} {target} {remote_user} {*further}", _squid
    ),
)


@cache
def named_layouts() -> tuple[LayoutFormat, ...]:
    """Every named layout; the richest of the common log last, so that a shorter one is preferred where both fit."""
    formats = []
    for prefix, vhost in (("", ""), ("vhost_", "{host} ")):
        formats.append(LayoutFormat(f"{prefix}common", vhost + _COMMON))
        formats.append(LayoutFormat(f"{prefix}combined", vhost + _COMBINED))
        for further in range(1, _MOST_FURTHER + 1):
            quoted = "".join(f' "{{quoted_{number}}}"' for number in range(1, further + 1))
            formats.append(LayoutFormat(f"{prefix}combined+{further}", vhost + _COMBINED + quoted))
    return (*formats, *_NAMED)
