"""What user agent strings say, kept beside the tables: a string once seen is not parsed again.

How a string is parsed is in `user_agent_engine`; whether it is a bot's is decided in `bots`.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.enrich.version import client_version

_LOG = logging.getLogger("trail")
_MOST_KEPT = 500_000


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
            if (table.schema.metadata or {}).get(b"version") != client_version().encode():
                return {}
            rows = zip(*(table[name].to_pylist() for name in ("user_agent", *_NAMES)), strict=True)
            return {text: Client(*values) for text, *values in rows}
        except (pa.ArrowException, OSError, KeyError) as error:
            _LOG.warning("user agent cache %s is not readable and is built anew: %s", self._path, error)
            return {}

    def prepare(self) -> None:
        """Load the engine where nothing is known yet, so that it can be done beside other work: it takes a while."""
        if not self._clients:
            from pipeline.enrich.user_agent_engine import parse_user_agent

            parse_user_agent("")

    def client(self, text: str) -> Client:
        """Return the meaning of a text, parsed where it was not seen before."""
        client = self._clients.get(text)
        if client is None:
            # The engine's patterns take a quarter of a second to import: only where there is something new.
            from pipeline.enrich.user_agent_engine import parse_user_agent

            client = self._clients[text] = parse_user_agent(text)
            self._has_new = True
        return client

    def save(self) -> None:
        """Keep what is new for later runs; a file that cannot be written costs time, not the run."""
        if self._path is None or not self._has_new:
            return
        kept = list(self._clients.items())[-_MOST_KEPT:]
        columns = [[text for text, _ in kept], *([getattr(client, name) for _, client in kept] for name in _NAMES)]
        table = pa.table([pa.array(column, pa.string()) for column in columns], ["user_agent", *_NAMES])
        temporary = self._path.with_name(f"{self._path.name}.{uuid.uuid4().hex}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table.replace_schema_metadata({"version": client_version()}), temporary)
            temporary.replace(self._path)
        except OSError as error:
            _LOG.warning("user agent cache %s cannot be written: %s", self._path, error)
        self._has_new = False
