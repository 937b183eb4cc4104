"""Signals that a request is a bot's, each with a name, from the row's own values alone.

A row keeps its signals; reports leave bots out by the flag. Nothing is dropped here or anywhere. The patterns of user
agents are in `bots.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.enrich.user_agents import Client

_LONGEST = 512


def bot_signals(user_agents: Sequence[str | None], clients: Sequence[Client | None]) -> list[tuple[str, ...]]:
    """Name the signals that user agents' senders are programs.

    Args:
        user_agents: as written; None or empty where the line has none. Whether its log could tell one is not seen here.
        clients: their parsed meanings; None where there is none.

    Returns:
        For each, of `no_user_agent`, `declared` (the parser knows it), `word` (a word only programs use), `library` (an
        HTTP library's or tool's own name), `address` (a home page or mail address to complain to), `comment` (something
        said where a browser says only its engine), `service` (a known one that measures or draws pages by a browser),
        `program` (an office suite, a reader of mail or feeds) and `no_browser` (no browser, system or device is named);
        empty for none.
    """
    innocent, patterns = _patterns()
    texts = pa.array([(text or "")[:_LONGEST] for text in user_agents], pa.string())
    texts = pc.replace_substring_regex(texts, innocent, "")
    found = {name: _matches(texts, pattern) for name, pattern in patterns.items()}
    signals: list[tuple[str, ...]] = []
    for place, (text, client) in enumerate(zip(user_agents, clients, strict=True)):
        if not text:
            signals.append(("no_user_agent",))
            continue
        named = ["declared"] if client is not None and client.device_type == "bot" else []
        named += [name for name, matches in found.items() if matches[place]]
        if client is not None and client.browser is None and client.os is None and client.device is None:
            named.append("no_browser")
        signals.append(tuple(named))
    return signals


@cache
def _patterns() -> tuple[str, dict[str, str]]:
    """The pattern of what is innocent, and of each signal by its name: RE2's, linear in the text, whatever it holds."""
    listed = tomllib.loads(Path(__file__).with_name("bots.toml").read_text(encoding="utf-8"))
    return _any_of(listed["innocent"]), {name: _any_of(patterns) for name, patterns in listed["signals"].items()}


def _any_of(patterns: list[str]) -> str:
    return f"(?i){'|'.join(patterns)}"


def _matches(texts: pa.Array, pattern: str) -> np.ndarray:
    return pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
