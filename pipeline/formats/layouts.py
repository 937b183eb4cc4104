"""The named layouts: one entry a format, in the order in which they are tried.

Where a format's fields come from is named beside it. Formats whose layout is written in the file itself are in `w3c`.
"""

from __future__ import annotations

from functools import cache

from pipeline.formats.layout import Changes, LayoutFormat, Rule

_COMMON = '{ip} {ident} {remote_user} [{clock}] "{request}" {status} {bytes_sent}'
_COMBINED = _COMMON + ' "{referrer}" "{user_agent}"'
_MOST_FURTHER = 8
_HAPROXY = (
    "{ip}:{client_port} [{local_clock}] {frontend} {backend}/{server} {timers} {status} {bytes_sent} {request_cookie} "
    "{response_cookie} {termination} {connections} {queues}"
)


def _time_taken(*parts: str | None) -> Changes:
    """The sum of a load balancer's three parts, where all of them were measured."""
    if not all(part is not None and _is_number(part) for part in parts):
        return {}
    return {"duration_s": f"{sum(round(float(part or 0) * 1_000_000) for part in parts) / 1e6:.6f}"}


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit() and text.isascii() and len(text) < 16


def _without_port(address: str | None) -> Changes:
    ip, _, port = (address or "").rpartition(":")
    return {"ip": ip, "client_port": port} if ip and port.isdigit() else {}


def _total(timers: str | None) -> Changes:
    """The total time active, `Tt`, is the last of HAProxy's timers."""
    total = (timers or "").rpartition("/")[2]
    return {"duration_ms": total} if total.removeprefix("+").isdigit() else {}


def _last_hop(forwarded: str | None) -> Changes:
    """The address that connected is the last one that Envoy put into x-forwarded-for."""
    return {} if forwarded is None else {"ip": forwarded.rpartition(",")[2].strip()}


def _code_and_status(result: str | None) -> Changes:
    code, _, status = (result or "").partition("/")
    return {"result": code or None} | ({} if status in ("000", "0", "") else {"status": status})


def _iis_day(date: str | None) -> Changes:
    """Month/day/year, of two digits."""
    month, day, year = ((date or "") + "//").split("/")[:3]
    return {"date": f"20{year:0>2}-{month:0>2}-{day:0>2}" if len(year) < 3 else f"{year}-{month:0>2}-{day:0>2}"}


_LOAD_BALANCER = (
    Rule(("ip",), _without_port),
    Rule(("request_processing_time", "target_processing_time", "response_processing_time"), _time_taken),
)
_HAPROXY_RULES = (
    Rule(("timers",), _total),
    Rule(("status",), lambda status: {"status": None} if status == "-1" else {}),
)
_IIS_RULES = (
    Rule(("date",), _iis_day),
    Rule(("time_of_day",), lambda time: {"time_of_day": (time or "").rjust(8, "0")}),
    Rule((), lambda: {"zone": ""}),  # the server's own time
)


# After the vendors' documentation of their default formats; names of further fields are the vendors' own.
_NAMED = (
    LayoutFormat(
        "ionos",  # combined with the virtual host in the middle
        _COMMON + ' {host} "{referrer}" "{user_agent}" "{quoted_1}"',
    ),
    LayoutFormat("ionos_short", _COMMON + ' {host} "{referrer}" "{user_agent}"'),
    LayoutFormat("traefik", _COMBINED + ' {request_count} "{router}" "{server_url}" {duration_ms}'),
    LayoutFormat("haproxy", _HAPROXY + ' "{request}"', _HAPROXY_RULES),  # option httplog
    LayoutFormat("haproxy+1", _HAPROXY + ' {{captured}} "{request}"', _HAPROXY_RULES),
    LayoutFormat("haproxy+2", _HAPROXY + ' {{captured_request}} {{captured_response}} "{request}"', _HAPROXY_RULES),
    LayoutFormat(
        "envoy",
        '[{time}] "{request}" {status} {flags} {bytes_received} {bytes_sent} {duration_ms} {upstream_time} '
        '"{forwarded_for}" "{user_agent}" "{log_request_id}" "{host}" "{upstream_host}"',
        (Rule(("forwarded_for",), _last_hop),),
    ),
    LayoutFormat(
        "aws_alb",
        "{type} {time} {elb} {ip} {target_address} {request_processing_time} {target_processing_time} "
        '{response_processing_time} {status} {target_status} {received_bytes} {bytes_sent} "{request}" "{user_agent}" '
        '{ssl_cipher} {ssl_protocol} {target_group} "{trace_id}" "{host}" "{certificate}" {*further}',
        _LOAD_BALANCER,
    ),
    LayoutFormat(
        "aws_elb",
        "{time} {elb} {ip} {target_address} {request_processing_time} {target_processing_time} "
        '{response_processing_time} {status} {target_status} {received_bytes} {bytes_sent} "{request}" "{user_agent}" '
        "{ssl_cipher} {ssl_protocol}",
        _LOAD_BALANCER,
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
        _IIS_RULES,
    ),
    LayoutFormat(
        "squid",
        "{time}  {duration_ms} {ip} {result} {bytes_sent} {method} {target} {remote_user} {*further}",
        (Rule(("result",), _code_and_status),),
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
