"""A referrer to its medium and name, by the hosts in `referrers.toml` and the service's own.

The channel of a visit, which campaigns can change, is decided where visits are made.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

_LONGEST = 2048
_MOST_LABELS = 12


Origin = tuple[str, str | None]


@cache
def _hosts() -> tuple[dict[str, Origin], dict[str, Origin]]:
    """Hosts with their medium and name: those written out, and those of any public ending."""
    listed = tomllib.loads(Path(__file__).with_name("referrers.toml").read_text(encoding="utf-8"))
    exact: dict[str, Origin] = {}
    any_ending: dict[str, Origin] = {}
    for medium, names in listed.items():
        for name, hosts in names.items():
            for host in hosts:
                into, key = (any_ending, host[:-2]) if host.endswith(".*") else (exact, host)
                into[key] = (medium, name)
    return exact, any_ending


def referrer_origin(referrer: str | None, own_hosts: Sequence[str]) -> Origin:
    """Tell where a referrer leads back to.

    Args:
        referrer: as written; None or empty where there was none.
        own_hosts: the service's hosts, lower case, the request's own among them.

    Returns:
        Medium (direct, internal, search, social, ai, email, referral or unknown) and name; the host for a referral.
    """
    if not referrer:
        return "direct", None
    host = referrer_host(referrer)
    if host is None:
        return "unknown", None
    if any(host == own or host.endswith(f".{own}") for own in own_hosts):
        return "internal", host
    return _known_host(host) or ("referral", host)


def referrer_host(referrer: str) -> str | None:
    """Return a referrer's host in lower case without `www.`; None where it is no address of a page."""
    try:
        parts = urlsplit(referrer[:_LONGEST])
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", "android-app") or not host or " " in host or len(host) > 253:
        return None
    return host.removeprefix("www.").rstrip(".") or None


def _known_host(host: str) -> Origin | None:
    exact, any_ending = _hosts()
    labels = host.split(".")[-_MOST_LABELS:]
    for start in range(len(labels)):
        origin = exact.get(".".join(labels[start:]))
        if origin:
            return origin
        if _is_ending(labels[start + 1 :]) and labels[start] in any_ending:
            return any_ending[labels[start]]
    return None


def _is_ending(labels: list[str]) -> bool:
    """Whether labels can be a public ending: `com`, `de`, `co.uk`, `com.br`."""
    if len(labels) == 1:
        return 2 <= len(labels[0]) <= 6
    return len(labels) == 2 and labels[0] in ("co", "com", "org", "net") and len(labels[1]) == 2
