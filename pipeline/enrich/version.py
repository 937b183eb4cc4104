"""What derived columns come from, named: rules, settings, the user agent engine and the database of places.

The rules themselves do not belong here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata

from pipeline.enrich.addresses import GeoDatabase
from pipeline.enrich.targets import ROUTE_RULES_VERSION
from pipeline.settings import Settings

RULES_VERSION = "6"  # counted up when the code of this room begins to give some value another meaning
SETTINGS_OF_RULES = ("own_hosts", "trusted_proxies", "health_paths", "api_prefixes", "event_paths", "route_rules")


def enrichment_version(settings: Settings, geo: GeoDatabase | None) -> str:
    """Name the rules, settings and databases that derived columns come from."""
    places = geo.version if geo else "no geo"
    rules = f"rules {RULES_VERSION}.{ROUTE_RULES_VERSION}; settings {_settings_version(settings)}"
    return f"{rules}; {parser_version()}; {places}"


def parser_version() -> str:
    """Name the user agent engine and its patterns."""
    return f"ua-parser {importlib.metadata.version('ua-parser')}/{importlib.metadata.version('ua-parser-builtins')}"


def client_version() -> str:
    """Name what the meaning of a user agent comes from: meanings are kept only as long as it stays."""
    return f"rules {RULES_VERSION}; {parser_version()}"


def _settings_version(settings: Settings) -> str:
    """Hash the settings that meanings depend on, under the key of visitors' names, on which meanings depend too."""
    said = repr([getattr(settings, name) for name in SETTINGS_OF_RULES]).encode()
    return hashlib.blake2b(said, digest_size=4, key=settings.secret.encode()[:64]).hexdigest()
