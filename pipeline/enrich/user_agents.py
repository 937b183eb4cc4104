"""A user agent string to browser, system and device, by `user-agents`' rules on ua-parser's compiled engine.

Whether it is a bot's is decided in `bots`. A string once seen is not parsed again: meanings are kept beside the tables.
"""

from __future__ import annotations

import importlib.metadata
import logging
import uuid
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from ua_parser import Parser
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver
from user_agents import parsers

_LOG = logging.getLogger("trail")
_LONGEST = 512
_MOST_KEPT = 500_000
_UNKNOWN = "Other"


@dataclass(frozen=True)
class Client:
    """What a user agent string says; None where it does not say.

    Attributes:
        device: brand and model.
        device_type: desktop, mobile, tablet, bot or other.
    """

    browser: str | None
    browser_version: str | None
    os: str | None
    os_version: str | None
    device: str | None
    device_type: str


_NAMES = [field.name for field in fields(Client)]


def parser_version() -> str:
    """Name the engine and its patterns: meanings are kept only as long as it stays."""
    return f"ua-parser {importlib.metadata.version('ua-parser')}/{importlib.metadata.version('ua-parser-builtins')}"


@cache
def _parser() -> Parser:
    return Parser(Resolver(load_lazy_builtins()))


class _ParsedUserAgent(parsers.UserAgent):  # type: ignore[misc]  # the package has no types
    """The package's rules of what is a phone, a tablet or a computer, fed by the compiled engine."""

    def __init__(self, text: str) -> None:
        found = _parser().parse(text)
        agent, system, device = found.user_agent, found.os, found.device
        self.ua_string = text
        self.browser = (
            parsers.parse_browser(agent.family, agent.major, agent.minor, agent.patch)
            if agent
            else parsers.parse_browser(_UNKNOWN)
        )
        self.os = (
            parsers.parse_operating_system(system.family, system.major, system.minor, system.patch)
            if system
            else parsers.parse_operating_system(_UNKNOWN)
        )
        self.device = (
            parsers.parse_device(device.family, device.brand, device.model)
            if device
            else parsers.parse_device(_UNKNOWN, None, None)
        )


def parse_user_agent(text: str) -> Client:
    """Parse one user agent string; no more than its first 512 characters are looked at."""
    parsed = _ParsedUserAgent(text[:_LONGEST])
    device = " ".join(part for part in (parsed.device.brand, parsed.device.model) if part)
    return Client(
        browser=_known(parsed.browser.family),
        browser_version=_known(parsed.browser.version_string),
        os=_known(parsed.os.family),
        os_version=_known(parsed.os.version_string),
        device=_known(device),
        device_type=_device_type(parsed),
    )


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


class UserAgentCache:
    """Meanings of user agent strings, kept in a file from run to run."""

    def __init__(self, folder: Path | None) -> None:
        """Open the cache.

        Args:
            folder: where its file is kept; None keeps nothing beyond this object.
        """
        self._path = folder / "user_agents.parquet" if folder else None
        self._clients: dict[str, Client] = self._load()
        self._has_new = False

    def _load(self) -> dict[str, Client]:
        if self._path is None or not self._path.exists():
            return {}
        try:
            table = pq.read_table(self._path, partitioning=None)
            if (table.schema.metadata or {}).get(b"parser") != parser_version().encode():
                return {}
            rows = zip(*(table[name].to_pylist() for name in ("user_agent", *_NAMES)), strict=True)
            return {text: Client(*values) for text, *values in rows}
        except (pa.ArrowException, OSError, KeyError) as error:
            _LOG.warning("user agent cache %s is not readable and is built anew: %s", self._path, error)
            return {}

    def clients(self, texts: Iterable[str]) -> list[Client]:
        """Return the meaning of each text, parsing those not seen before."""
        found = []
        for text in texts:
            client = self._clients.get(text)
            if client is None:
                client = parse_user_agent(text)
                self._clients[text] = client
                self._has_new = True
            found.append(client)
        return found

    def save(self) -> None:
        """Keep what is new for later runs; a file that cannot be written costs time, not the run."""
        if self._path is None or not self._has_new:
            return
        kept = list(self._clients.items())[-_MOST_KEPT:]
        columns = list(zip(*((text, *astuple(client)) for text, client in kept), strict=True))
        table = pa.table([pa.array(column, pa.string()) for column in columns], ["user_agent", *_NAMES])
        temporary = self._path.with_name(f"{self._path.name}.{uuid.uuid4().hex}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table.replace_schema_metadata({"parser": parser_version()}), temporary)
            temporary.replace(self._path)
        except OSError as error:
            _LOG.warning("user agent cache %s cannot be written: %s", self._path, error)
        self._has_new = False
