"""Client hints: what browsers say of system and model beside a user agent that today hides both.

Found in `extra` under any name that has Sec-CH-UA in it, as formats keep headers that they do not know. The user agent
is made whole with them and then read as others are. What each hint means: WICG's User-Agent Client Hints.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.enrich.user_agents import Client, UserAgentCache

_ANY = r"(?i)sec[-_]ch[-_]ua[-_](?:platform|model)"
_NAMES = ("platform", "platform-version", "model")
# A member of a JSON object; within a text its quotes would stand behind backslashes. Caddy lists a header's values.
_MEMBERS = [
    rf'(?i)sec[-_]ch[-_]ua[-_]{name.replace("-", "[-_]")}"\s*:\s*\[?\s*(?P<value>"(?:[^"\\]|\\.)*")' for name in _NAMES
]
_BETWEEN = "\x1f"
_VERSION = re.compile(r"\d{1,5}(?:\.\d{1,5}){0,3}", re.ASCII)
_MODEL = re.compile(r"[^\s();\\\"][^();\\\"]{0,63}")
_FROZEN_ANDROID = re.compile(r"Android \d{1,3}(?:\.\d{1,3}){0,2}; K(?=[;)])", re.ASCII)
_ANDROID = re.compile(r"Android \d{1,3}(?:\.\d{1,3}){0,2}(?=[;)])", re.ASCII)
_MAC = re.compile(r"Mac OS X 10[_.]15[_.]7", re.ASCII)
_CHROME_OS = re.compile(r"(CrOS \w{1,16}) [\d.]{1,30}", re.ASCII)
_FIRST_WINDOWS_11 = 13


def find_hints(extra: pa.Array) -> pa.Array:
    """Find the hints in values of `extra`.

    Args:
        extra: JSON objects as texts.

    Returns:
        As many texts that `hinted_client` reads, equal for equal hints; null for values that hold none.
    """
    has_any = pc.match_substring_regex(extra, _ANY) if len(extra) else pa.array([], pa.bool_())
    if not pc.any(has_any).as_py():
        return pa.nulls(len(extra), pa.string())
    hinting = pc.if_else(has_any, extra, None)
    found = [pc.struct_field(pc.extract_regex(hinting, member), "value").fill_null("") for member in _MEMBERS]
    joined = pc.binary_join_element_wise(*found, _BETWEEN)
    return pc.if_else(pc.and_(has_any, pc.not_equal(joined, _BETWEEN * (len(_NAMES) - 1))), joined, None)


def hinted_client(user_agent: str, hints: str, known: UserAgentCache) -> Client:
    """Read a user agent together with its hints.

    Args:
        user_agent: as written.
        hints: a text of `find_hints`.
        known: reads user agents.

    Returns:
        What both say. Hints of another system than the user agent's own, and what is no version or model, say nothing.
    """
    platform, version, model = (_told(part) for part in hints.split(_BETWEEN))
    is_version = _VERSION.fullmatch(version) is not None
    short = version.removesuffix(".0").removesuffix(".0") if is_version else ""
    if platform == "Windows" and "Windows NT 10.0" in user_agent:
        return _windows(known.client(user_agent), short)
    if platform == "Android" or (not platform and model):
        return known.client(_android(user_agent, short, model))
    if platform == "macOS" and short:
        told = short if "." in short else f"{short}.0"  # a single number is none that the engine reads
        return known.client(_MAC.sub(f"Mac OS X {told.replace('.', '_')}", user_agent, count=1))
    if platform in ("Chrome OS", "Chromium OS") and is_version:
        return known.client(_CHROME_OS.sub(rf"\g<1> {version}", user_agent, count=1))
    return known.client(user_agent)


def _windows(client: Client, version: str) -> Client:
    """Windows counts otherwise in its hints: 13 and above is Windows 11, 1 to 10 is 10, and 0.1 to 0.3 are 7 to 8.1."""
    if not version:
        return client
    older = {"0.1": "7", "0.2": "8", "0.3": "8.1"}
    major = int(version.partition(".")[0])
    name = older.get(version, client.os_version) if not major else "11" if major >= _FIRST_WINDOWS_11 else "10"
    return replace(client, os_version=name)


def _android(user_agent: str, version: str, model: str) -> str:
    """Put model and version where Chrome writes a frozen `Android 10; K`, or the version alone."""
    if model and _MODEL.fullmatch(model):
        told = f"Android {version or '10'}; {model}"
        return _FROZEN_ANDROID.sub(lambda _: told, user_agent, count=1)
    return _ANDROID.sub(f"Android {version}", user_agent, count=1) if version else user_agent


def _told(member: str) -> str:
    """The text of a hint, of a JSON text; its own quotes may be escaped, as nginx does. Empty where there is none."""
    try:
        text = str(json.loads(member)) if member else ""
    except ValueError:
        return ""
    return text.replace("\\x22", '"').replace('\\"', '"').strip().strip('"').strip()
