"""A user agent string to browser, system and device, by `user-agents`' rules on ua-parser's compiled engine.

It is slow to import, so only `user_agents` does, and only for a string not seen before. Keeping what it says does not
belong here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ua_parser import Parser
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver
from user_agents import parsers

from pipeline.enrich.app_agents import read_app
from pipeline.enrich.user_agents import Client

_LONGEST = 512
_UNKNOWN = "Other"


@cache
def _parser() -> Parser:
    return Parser(Resolver(load_lazy_builtins()))


class _ParsedUserAgent(parsers.UserAgent):  # type: ignore[misc]  # the package has no types
    """The package's rules of what is a phone, a tablet or a computer, fed by the compiled engine."""

    def __init__(self, text: str) -> None:
        found = _parser().parse(text)
        agent, system, device = found.user_agent, found.os, found.device
        self.ua_string = text
        self.browser = parsers.Browser(*_named(agent, "major", "minor", "patch"))
        self.os = parsers.OperatingSystem(*_named(system, "major", "minor", "patch", "patch_minor"))
        self.device = (
            parsers.parse_device(device.family, device.brand, device.model)
            if device
            else parsers.parse_device(_UNKNOWN, None, None)
        )


def parse_user_agent(text: str) -> Client:
    """Parse one user agent string; no more than its first 512 characters are looked at."""
    parsed = _ParsedUserAgent(text[:_LONGEST])
    device = " ".join(part for part in (parsed.device.brand, parsed.device.model) if part)
    client = Client(
        browser=_known(parsed.browser.family),
        browser_version=_known(parsed.browser.version_string),
        os=_known(parsed.os.family),
        os_version=_known(parsed.os.version_string),
        device=_known(device),
        device_type=_device_type(parsed),
    )
    return read_app(text[:_LONGEST], client)


def _named(found: Any, *parts: str) -> tuple[str, tuple[str, ...], str]:
    """Family and version; as written, where the package makes numbers of its parts: 10.4 of Ubuntu 10.04."""
    version = tuple(part for part in (getattr(found, name, None) for name in parts) if part is not None)
    return found.family if found else _UNKNOWN, version, ".".join(version)


def _known(text: str | None) -> str | None:
    return text if text and text != _UNKNOWN else None


def _device_type(parsed: _ParsedUserAgent) -> str:
    if parsed.is_bot:
        return "bot"
    if parsed.is_tablet:
        return "tablet"
    if parsed.is_mobile:
        return "mobile"
    return "desktop" if parsed.is_pc else "other"
