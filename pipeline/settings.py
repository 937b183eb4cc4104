"""What is configured: `trail.toml`, overridden by `TRAIL_*` variables, checked at start.

Here belong the names, types, defaults and checks of settings. What they lead to does not: nothing here opens a log, a
database or the warehouse.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

CONFIG_NAME = "trail.toml"
_OBJECT_STORE = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\x00-\x1f\x7f]*)?", re.ASCII)
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingError(ValueError):
    """A setting holds what it may not; the message names the setting and what it may be."""


@dataclass(frozen=True)
class RouteRule:
    """A rule for a path segment that Trail cannot know to be variable: `prefix` + any segment -> `{name}`."""

    prefix: str
    name: str


@dataclass(frozen=True)
class SourceSettings:
    """What is particular to one source (a first-level folder under the landing place)."""

    time_zone: str = "UTC"
    format: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """Every setting of Trail; the README's table is made from `DESCRIPTIONS`."""

    landing: Path | str = Path("landing")
    landing_is_ours: bool = False
    warehouse: Path = Path("warehouse")
    geoip: Path | None = None
    users: str | None = None
    own_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[IpNetwork, ...] = ()
    visitor_field: str = "visitor_id"
    user_field: str = "user_id"
    business_field: str = "business_id"
    health_paths: tuple[str, ...] = ("/health", "/healthz", "/livez", "/readyz", "/ping", "/status")
    api_prefixes: tuple[str, ...] = ("/api/", "/graphql", "/rpc/")
    event_paths: tuple[str, ...] = ("/trail/event",)
    route_rules: tuple[RouteRule, ...] = ()
    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    mask: tuple[str, ...] = ()
    opt_out: str = "none"
    features: Path | None = None
    slow_ms: int = 1000
    shared_users: int = 5
    secret: str = "trail"  # noqa: S105 a key for pseudonyms that works unset; the README asks for one's own
    threads: int = 2
    memory_limit: str = "1GB"
    file_limit: str = "1TB"
    ratio_limit: int = 1000
    grace_hours: int = 24
    web_address: str = "127.0.0.1:8320"
    sign_in: str = "none"
    sign_in_header: str = "X-Forwarded-Email"
    sign_in_proxies: tuple[IpNetwork, ...] = ()
    access: Path | None = None
    access_log: Path = Path("access_log")
    ask_why: bool = False
    reports: Path | None = None
    privacy: Path = Path("privacy")
    privacy_days: int = 30
    backup: Path | str | None = None
    backup_days: int = 30
    regions: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def spill(self) -> Path:
        """The folder for what is too large to be held in memory, for the length of a piece of work."""
        return self.warehouse / "_spill"

    @property
    def reports_folder(self) -> Path:
        """The folder of the weekly pages; in the warehouse under a name that no table has, where none is set."""
        return self.reports or self.warehouse / "_reports"

    def source(self, name: str) -> SourceSettings:
        """Return the settings of source `name`, the defaults where it has none of its own."""
        return self.sources.get(name, SourceSettings())


DESCRIPTIONS: dict[str, str] = {
    "landing": "folder where logs arrive, or `s3://bucket/prefix`; a first-level folder under it is a source",
    "landing_is_ours": "whether lines of somebody who is erased are overwritten in the landing folder, too",
    "warehouse": "folder of the tables",
    "geoip": "a MaxMind database file (MMDB), nested or flat schema; places stay unknown without it",
    "users": "a database URL, or a folder of CSV or Parquet files (users, memberships, businesses)",
    "own_hosts": "the service's own hosts, comma-separated; a referrer on one of them is `internal`",
    "trusted_proxies": "networks whose forwarded address is believed, comma-separated",
    "visitor_field": "the field of a JSON line, or variable of a pasted format, that holds the visitor cookie",
    "user_field": "the field of a JSON line, or variable of a pasted format, that holds the authenticated user id",
    "business_field": "the field of a JSON line, or variable of a pasted format, that holds the Business",
    "health_paths": "paths of health checks, comma-separated",
    "api_prefixes": "how paths of the API begin, comma-separated",
    "event_paths": "paths that receive a page's own reports, comma-separated",
    "route_rules": "versioned rules for variable path segments: a list of {prefix, name} in trail.toml",
    "sources": "per source: time_zone (for formats without one), format (a name, or pasted), fields (JSON keys)",
    "mask": "what is replaced by x before it is kept: `?email` a query parameter, `/invite/` what follows in a path",
    "opt_out": "which wish of a browser not to be tracked matters to whom product tables count: none, dnt, gpc or any",
    "features": "file that says what the service's features are; `trail features suggest` proposes a first one",
    "slow_ms": "an answer that takes longer than so many milliseconds counts as slow where features are counted",
    "shared_users": "a cookie or login of more users than this is `shared`, as an address of two is, and links nothing",
    "secret": "key of the hash that names a visitor who has no cookie; set your own and keep it",
    "threads": "cores that Trail may use",
    "memory_limit": "memory that DuckDB may use before it spills to disk, such as 1GB",
    "file_limit": "decompressed size at which reading of a file stops, such as 200GB",
    "ratio_limit": "how many times its own size a file may have decompressed, beyond 64 MB, before reading it stops",
    "grace_hours": "how long a superseded file stays for readers that are at work; at most 696",
    "web_address": "host and port of `trail web`; a loopback address unless people sign in",
    "sign_in": "how people sign in to `trail web`: none, proxy (one names them in a header) or accounts (passwords)",
    "sign_in_header": "the header in which a proxy names who is signed in",
    "sign_in_proxies": "networks of proxies that are believed on who is signed in, comma-separated",
    "access": "file that gives people a role and their Businesses; `trail account` writes entries",
    "access_log": "folder of the log of who looked at whom; beside the warehouse by default",
    "ask_why": "whether whoever looks somebody up has to say why: a ticket or a reason",
    "reports": "folder of the weekly pages; `_reports` in the warehouse by default",
    "privacy": "folder of what Businesses asked about their users' data; beside the warehouse by default",
    "backup": "where backups go: a folder on another disk, or `s3://bucket/prefix`; there are none where it is not set",
    "regions": "where data may lie, comma-separated, such as `us-*`; anywhere where it is not set",
    "places": 'in which region each place lies that cannot tell it itself: a table such as {warehouse = "us-east-1"}',
    "backup_days": "for how many days a backup is kept; at most 30",
    "privacy_days": "in how many days after a Business asked about a user's data it is due",
}


def load_settings(config: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from a file and the environment, and check them.

    Args:
        config: a `trail.toml`; `TRAIL_CONFIG` or `./trail.toml` where none is given, and none need exist.
        environment: the variables to read, `os.environ` by default.

    Returns:
        The settings, paths made absolute (relative to the file that names them, else to the current folder).

    Raises:
        SettingError: with the setting's name and what it may be.
    """
    env = os.environ if environment is None else environment
    path = config or Path(env.get("TRAIL_CONFIG", CONFIG_NAME))
    values: dict[str, Any] = {}
    base = Path.cwd()
    if path.is_file():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingError(f"{path}: not valid TOML: {error}") from error
        base = path.resolve().parent
    elif config is not None or "TRAIL_CONFIG" in env:
        raise SettingError(f"{path}: no such settings file")
    known = {f.name for f in fields(Settings)}
    for name in values:
        if name not in known:
            raise SettingError(f"{path}: unknown setting '{name}'; known are {', '.join(sorted(known))}")
    settings = {name: _checked(name, value, base) for name, value in values.items()}
    for name in known - {"route_rules", "sources", "places"}:
        variable = f"TRAIL_{name.upper()}"
        if env.get(variable, "") != "":
            settings[name] = _checked(name, env[variable], Path.cwd(), said_as=variable)
    for name in ("landing", "warehouse"):
        settings.setdefault(name, (Path.cwd() / name).resolve())
    for name in ("access_log", "privacy"):
        settings.setdefault(name, settings["warehouse"].parent / name)
    return Settings(**settings)


_PATHS = ("landing", "warehouse", "geoip", "features", "access", "access_log", "reports", "privacy", "backup")
_ONE_OF = {"sign_in": ("none", "proxy", "accounts"), "opt_out": ("none", "dnt", "gpc", "any")}
_SIZE = re.compile(r"(?P<number>\d{1,6}(?:\.\d{1,3})?)\s?(?P<prefix>[KMGT])(?P<binary>i?)B", re.ASCII)
_WHOLE_NUMBERS = {
    "threads": (1, 1024),
    "slow_ms": (1, 3_600_000),
    "shared_users": (1, 1_000_000),
    "grace_hours": (0, 696),  # what is erased must be gone in 30 days; a daily sweep may come a day later
    "ratio_limit": (10, 1_000_000),
    "privacy_days": (1, 365),
    "backup_days": (2, 30),  # the design's promise: what is erased is in no backup after 30 days
}


def size_in_bytes(text: str) -> int:
    """Return the bytes of a size such as 800MB (of 1,000 to the next unit) or 4GiB (of 1,024).

    Raises:
        ValueError: it is no size.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no size such as 800MB or 4GB")
    unit = (1024 if found["binary"] else 1000) ** ("KMGT".index(found["prefix"]) + 1)
    return int(float(found["number"]) * unit)


def _checked(name: str, value: Any, base: Path, said_as: str | None = None) -> Any:
    """Turn one raw value into its setting's type, or say what it may be."""
    said = said_as or name

    def fail(expected: str) -> SettingError:
        return SettingError(f"{said} is {value!r}; it must be {expected}")

    if name in ("landing", "backup") and isinstance(value, str) and "://" in value:
        if not _OBJECT_STORE.fullmatch(value):
            raise fail("a folder, or s3://bucket/prefix")
        return value
    if name in _PATHS:
        if not isinstance(value, str) or not value:
            raise fail("a path")
        path = (base / Path(value).expanduser()).resolve()
        if name == "warehouse" and re.search("%[0-9A-Fa-f]{2}", str(path)):
            raise fail("a path without percent escapes such as %20, which delta-rs would read as other characters")
        return path
    if name == "users":
        return _users_place(value, base, fail)
    if name in ("own_hosts", "health_paths", "api_prefixes", "event_paths", "regions"):
        return tuple(_listed(value, fail))
    if name == "mask":
        return _masks(value, fail)
    if name in ("trusted_proxies", "sign_in_proxies"):
        try:
            return tuple(ipaddress.ip_network(text, strict=False) for text in _listed(value, fail))
        except ValueError as error:
            raise fail("a comma-separated list of networks such as 10.0.0.0/8") from error
    if name in _WHOLE_NUMBERS:
        least, limit = _WHOLE_NUMBERS[name]
        try:
            number = int(value)
        except (TypeError, ValueError) as error:
            raise fail(f"a whole number from {least} to {limit}") from error
        if not least <= number <= limit:
            raise fail(f"a whole number from {least} to {limit}")
        return number
    if name in ("memory_limit", "file_limit"):
        if not isinstance(value, str) or not _SIZE.fullmatch(value):
            raise fail("a size such as 800MB or 4GB")
        return value
    if name in ("ask_why", "landing_is_ours"):
        if value not in (True, False, "true", "false"):
            raise fail("true or false")
        return value in (True, "true")
    if name in _ONE_OF and value not in _ONE_OF[name]:
        raise fail(f"one of {', '.join(_ONE_OF[name])}")
    if name == "sign_in_header" and not (isinstance(value, str) and re.fullmatch("[A-Za-z0-9-]+", value)):
        raise fail("the name of a header, such as X-Forwarded-Email")
    if name == "route_rules":
        return _route_rules(value, fail)
    if name == "sources":
        return _sources(value, fail)
    if name == "places":
        return _regions_of_places(value, fail)
    if not isinstance(value, str) or not value:
        raise fail("a text")
    return value


_MASKED = re.compile(r"\?[\w.~\[\]-]{1,100}|/(?:[\w.~-]{1,100}/){1,20}", re.ASCII)


def _masks(value: Any, fail: Any) -> tuple[str, ...]:
    rules = tuple(_listed(value, fail))
    if not all(_MASKED.fullmatch(rule) for rule in rules):
        raise fail("a list of query parameters such as ?email, and of paths such as /invite/")
    return rules


def _users_place(value: Any, base: Path, fail: Any) -> str:
    if not isinstance(value, str) or not value:
        raise fail("a database URL such as postgresql+psycopg://user@host/name, or a folder")
    if "://" not in value:
        return str((base / Path(value).expanduser()).resolve())
    scheme, _, rest = value.partition(":///")
    if scheme.startswith("sqlite") and rest and not rest.startswith("/"):
        return f"{scheme}:///{(base / rest).resolve()}"
    return value


def _listed(value: Any, fail: Any) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise fail("a list of texts")
    return [item.strip() for item in items if item.strip()]


def _route_rules(value: Any, fail: Any) -> tuple[RouteRule, ...]:
    rules = []
    for item in value if isinstance(value, list) else [None]:
        if not isinstance(item, dict) or set(item) != {"prefix", "name"}:
            raise fail('a list of tables such as {prefix = "/reports/", name = "slug"}')
        prefix, name = item["prefix"], item["name"]
        if not (isinstance(prefix, str) and prefix.startswith("/") and prefix.endswith("/")):
            raise fail("rules whose prefix begins and ends with /")
        if not (isinstance(name, str) and re.fullmatch(r"[a-z][a-z_]{0,30}", name)):
            raise fail("rules whose name is lower case letters and _")
        rules.append(RouteRule(prefix, name))
    return tuple(rules)


def _regions_of_places(value: Any, fail: Any) -> dict[str, str]:
    known = {f.name for f in fields(Settings)}
    texts = isinstance(value, dict) and all(isinstance(region, str) and region for region in value.values())
    if not texts or not set(value) <= known:
        raise fail('a table of settings that name places, such as {warehouse = "us-east-1", users = "us-west-2"}')
    return dict(value)


def _sources(value: Any, fail: Any) -> dict[str, SourceSettings]:
    if not isinstance(value, dict):
        raise fail("a table per source, such as [sources.web1]")
    sources = {}
    for name, item in value.items():
        if not isinstance(item, dict) or not set(item) <= {"time_zone", "format", "fields"}:
            raise fail("a table per source with time_zone, format and fields only")
        zone = item.get("time_zone", "UTC")
        if zone not in available_timezones():
            raise SettingError(f"sources.{name}.time_zone is {zone!r}; it must be a zone such as Europe/Berlin")
        ZoneInfo(zone)
        keys = item.get("fields", {})
        if not isinstance(keys, dict) or not all(isinstance(key, str) and key for key in keys.values()):
            raise SettingError(f'sources.{name}.fields is {keys!r}; it must be a table such as {{target = "req.url"}}')
        form = item.get("format")
        if form is not None and not isinstance(form, str):
            raise SettingError(f"sources.{name}.format is {form!r}; it must be a text")
        sources[name] = SourceSettings(time_zone=zone, format=form, fields=keys)
    return sources
