"""A web server's own format string, pasted into the settings, to a layout: nginx's `log_format`, Apache's `LogFormat`.

Variables are after the servers' documentation: nginx's core, log and upstream modules, and Apache's mod_log_config.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipeline.formats.layout import LayoutError, LayoutFormat

_NGINX: dict[str, str] = {
    "remote_addr": "{ip}",
    "realip_remote_addr": "{realip_remote_addr}",
    "proxy_protocol_addr": "{proxy_protocol_addr}",
    "remote_user": "{remote_user}",
    "time_local": "{clock}",
    "time_iso8601": "{time}",
    "msec": "{time}",
    "request": "{request}",
    "request_method": "{method}",
    "request_uri": "{target}",
    "uri": "{path}",
    "document_uri": "{path}",
    "args": "{query}",
    "query_string": "{query}",
    "server_protocol": "{protocol}",
    "status": "{status}",
    "bytes_sent": "{bytes_sent}",
    "body_bytes_sent": "{bytes_sent}",
    "request_time": "{duration_s}",
    "http_referer": "{referrer}",
    "http_user_agent": "{user_agent}",
    "http_x_forwarded_for": "{forwarded_for}",
    "proxy_add_x_forwarded_for": "{forwarded_for}",
    "host": "{host}",
    "http_host": "{host}",
    "server_name": "{host}",
}
_NGINX_OTHERS = frozenset(
    re.findall(
        r"\w+",
        """
        ancient_browser binary_remote_addr connection connection_requests connection_time connections_active
        content_length content_type document_root geoip_city geoip_country_code gzip_ratio hostname http2 http3 https
        invalid_referer is_args is_request_port limit_conn_status limit_rate limit_req_status modern_browser msie
        nginx_version pid pipe proxy_host proxy_port proxy_protocol_port proxy_protocol_server_addr
        proxy_protocol_server_port realip_remote_port realpath_root remote_port request_body request_body_file
        request_completion request_filename request_id request_length request_port scheme server_addr server_port
        ssl_cipher ssl_ciphers ssl_client_s_dn ssl_client_verify ssl_protocol ssl_server_name ssl_session_id
        ssl_session_reused tcpinfo_rtt tcpinfo_rttvar uid_got uid_set upstream_addr upstream_bytes_received
        upstream_bytes_sent upstream_cache_status upstream_connect_time upstream_first_byte_time upstream_header_time
        upstream_queue_time upstream_response_length upstream_response_time upstream_session_time upstream_status
        """,
    )
)
_NGINX_PREFIXES = ("http_", "sent_http_", "sent_trailer_", "upstream_http_", "upstream_trailer_", "cookie_", "arg_")
_NGINX_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<bare>\w+))", re.ASCII)

_APACHE: dict[str, str] = {
    "a": "{ip}",
    "h": "{ip}",
    "{c}a": "{peer_address}",
    "{c}h": "{peer_address}",
    "l": "{ident}",
    "u": "{remote_user}",
    "t": "[{clock}]",
    "{%d/%b/%Y:%H:%M:%S %z}t": "{clock}",
    "{%d/%b/%Y:%T %z}t": "{clock}",
    "{%Y-%m-%dT%H:%M:%S%z}t": "{time}",
    "{%FT%T%z}t": "{time}",
    "{sec}t": "{time}",
    "{msec}t": "{time}",
    "{usec}t": "{time}",
    "r": "{request}",
    "m": "{method}",
    "U": "{path}",
    "q": "{query}",
    "H": "{protocol}",
    "s": "{status}",
    "b": "{bytes_sent}",
    "B": "{bytes_sent}",
    "O": "{bytes_sent}",
    "D": "{duration_us}",
    "T": "{duration_s}",
    "{s}T": "{duration_s}",
    "{ms}T": "{duration_ms}",
    "{us}T": "{duration_us}",
    "v": "{host}",
    "V": "{host}",
    "{referer}i": "{referrer}",
    "{user-agent}i": "{user_agent}",
    "{x-forwarded-for}i": "{forwarded_for}",
    "{host}i": "{host}",
}
_APACHE_OTHERS = {
    "A": "server_address", "f": "file", "I": "bytes_received", "k": "keepalive_requests", "L": "error_log_id",
    "p": "server_port", "P": "process", "R": "handler", "S": "bytes_transferred", "X": "connection_status",
}  # fmt: skip
_APACHE_DIRECTIVE = re.compile(r"%[<>]?!?[0-9,]*(?:\{(?P<argument>[^}]*)\})?[<>]?(?P<letters>\^t[io]|[A-Za-z%])")
_NAMED = re.compile(r"[^A-Za-z0-9_.-]")


def is_pasted(text: str) -> bool:
    """Tell a pasted format from the name of one."""
    return "$" in text or "%" in text


def compile_pasted(text: str, name: str, who: Mapping[str, str] | None = None) -> LayoutFormat:
    """Make a format of a pasted string.

    Args:
        text: what stands between the quotes of `log_format` (nginx) or `LogFormat` (Apache), its line breaks and inner
            quotes joined or not.
        name: for the ledger.
        who: columns that say who asked, by the variable or header that holds them.

    Raises:
        LayoutError: it names what it does not know, and where; or two fields touch.
    """
    bare = re.sub(r"'\s+'", "", text.strip()).strip("'").replace('\\"', '"')
    layout = _of_nginx(bare) if "$" in bare else _of_apache(bare)
    for field, column in (who or {}).items():
        layout = layout.replace(f"{{{field}}}", f"{{{column}}}")
    return LayoutFormat(name, _numbered(layout))


def _of_nginx(text: str) -> str:
    def field(found: re.Match[str]) -> str:
        name = found["braced"] or found["bare"]
        if name in _NGINX:
            return _NGINX[name]
        if name in _NGINX_OTHERS or name.startswith(_NGINX_PREFIXES):
            return f"{{{name}}}"
        raise LayoutError(f"${name} at position {found.start() + 1} is no variable of nginx")

    return _NGINX_VARIABLE.sub(field, _guarded(text, _NGINX_VARIABLE))


def _of_apache(text: str) -> str:
    layout, place = "", 0
    while place < len(text):
        if text[place] != "%":
            layout, place = layout + text[place], place + 1
            continue
        found = _APACHE_DIRECTIVE.match(text, place)
        if found is None:
            raise LayoutError(f"{text[place : place + 10]} at position {place + 1} is no directive of Apache")
        layout, place = layout + _apache_field(found), found.end()
    return layout


def _apache_field(found: re.Match[str]) -> str:
    letters, argument = found["letters"], found["argument"]
    if letters == "%":
        return "%"
    keys = [letters] if argument is None else [f"{{{argument}}}{letters}", f"{{{argument.lower()}}}{letters}"]
    for key in keys:
        if key in _APACHE:
            return _APACHE[key]
    if argument is not None and letters in ("i", "o", "e", "n", "C", "^ti", "^to"):
        return f"{{{_NAMED.sub('_', argument) or 'note'}}}"
    if letters in _APACHE_OTHERS and (argument is None or letters in "pP"):
        return f"{{{_APACHE_OTHERS[letters]}}}"
    raise LayoutError(f"{found[0]} at position {found.start() + 1} is no directive of Apache that Trail knows")


def _guarded(text: str, variable: re.Pattern[str]) -> str:
    """Refuse braces that are no part of a variable: a JSON format is read as JSON lines, not by its layout."""
    if "{" in variable.sub("", text):
        raise LayoutError("a format that writes JSON needs no pasting; its lines are read as JSON")
    return text


def _numbered(layout: str) -> str:
    """Keep the second and later ones of a field as fields of their own."""
    seen: dict[str, int] = {}

    def field(found: re.Match[str]) -> str:
        name = found[1]
        seen[name] = seen.get(name, 0) + 1
        return found[0] if seen[name] == 1 else f"{{{name}_{seen[name]}}}"

    return re.sub(r"\{([^{}]+)\}", field, layout)
