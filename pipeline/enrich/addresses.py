"""Addresses: whose request it was behind trusted proxies, and where that is by a MaxMind database.

A missing or broken database is a warning and unknown places, never a crash.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import maxminddb

from pipeline.settings import IpNetwork, Settings

_LOG = logging.getLogger("trail")
_MOST_HOPS = 64
_PROBED = 1_000
# What the reader raises where bytes are not what they should be; it has many ways to say so.
_BROKEN = (
    maxminddb.InvalidDatabaseError,
    ValueError,
    TypeError,
    KeyError,
    RecursionError,
    OverflowError,
    SystemError,
    MemoryError,
)
_ADVICE = "set geoip to a MaxMind database (MMDB) of countries or cities"

Place = tuple[str | None, str | None, str | None]
NOWHERE: Place = (None, None, None)


class GeoDatabase:
    """A MaxMind database, in the nested schema of GeoLite2 or the flat one (`country_code`).

    Attributes:
        type: what it calls itself, such as GeoLite2-City.
        version: its type and build, for `enrichment_version`.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            OSError: it cannot be read.
            maxminddb.InvalidDatabaseError: it is no such database.
        """
        self._path = path
        self._reader = maxminddb.open_database(path)
        meta = self._reader.metadata()
        self._has_v6 = meta.ip_version == 6
        self._is_known_broken = False
        self.type = meta.database_type
        self.version = f"{meta.database_type} {meta.build_epoch}"

    def has_places(self) -> bool:
        """Whether any of its networks has a place; those of a database of network owners have none.

        Raises:
            maxminddb.InvalidDatabaseError: it is broken, as far as its first networks show.
        """
        places = (read_place(record) for _, record in self._reader)
        first = list(islice(places, _PROBED))
        return any(place != NOWHERE for place in chain(first, places))

    @property
    def is_broken(self) -> bool:
        """Whether a look-up met a broken record, whose place stayed unknown."""
        return self._is_known_broken

    def place(self, address: str) -> Place:
        """Return country, region and city of an address; None for what is not known.

        An address whose record is broken is not known, which is warned of once. Others stay known: what an address
        means must not depend on which were asked about before.
        """
        ip = read_address(address)
        if ip is None or (ip.version == 6 and not self._has_v6):
            return NOWHERE
        try:
            return read_place(self._reader.get(ip))
        except (*_BROKEN, OSError) as error:
            if not self._is_known_broken:
                self._is_known_broken = True
                _LOG.warning(
                    "geo database %s is broken: %s (some places stay unknown; download it again)", self._path, error
                )
            return NOWHERE


def open_geo(settings: Settings) -> GeoDatabase | None:
    """Open the configured database; None, with a warning, where there is none that can be read and has places."""
    path = settings.geoip
    if path is None:
        return None
    try:
        geo = GeoDatabase(path)
        if geo.has_places():
            return geo
        wrong, advice = f"holds no places, its type is {geo.type!r}", _ADVICE
    except OSError as error:
        wrong, advice = f"cannot be opened: {error.strerror or error}", _ADVICE
    except _BROKEN as error:
        wrong, advice = f"is broken: {error}", f"download it again, or {_ADVICE}"
    _LOG.warning("geo database %s %s (places stay unknown; %s)", path, wrong, advice)
    return None


def read_place(record: Any) -> Place:
    """Read country, region and city from a record of either schema."""
    if not isinstance(record, dict):
        return NOWHERE
    country = _text(record.get("country_code")) or _text(_inside(record, "country", "iso_code"))
    divisions = record.get("subdivisions")
    first = divisions[0] if isinstance(divisions, list) and divisions else {}
    region = (
        _text(_inside(first, "iso_code"))
        or _text(_inside(first, "names", "en"))
        or _text(record.get("region"))
        or _text(record.get("state1"))
    )
    city = _text(_inside(record, "city", "names", "en")) or _text(record.get("city"))
    return country, region, city


def _inside(record: Any, *keys: str) -> Any:
    for key in keys:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def read_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address, with or without a port, brackets or zone; IPv4 inside IPv6 is IPv4. None for anything else."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        ip = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip


def client_address(ip: str, forwarded_for: str | None, trusted: Sequence[IpNetwork]) -> str:
    """Tell whose address a request came from.

    The forwarded chain is believed only as far as trusted proxies wrote it: from the connecting address to the left,
    up to and with the first address that is not a trusted proxy. What a client put there itself is never reached.

    Args:
        ip: the connecting address as written.
        forwarded_for: the forwarded-for header as written.
        trusted: networks of proxies.

    Returns:
        The client's address, in its usual form where it was forwarded, else `ip` as written.
    """
    connecting = read_address(ip)
    if not forwarded_for or connecting is None or not _is_in(connecting, trusted):
        return ip
    client = ip
    for hop in reversed(forwarded_for.split(",")[-_MOST_HOPS:]):
        address = read_address(hop)
        if address is None:
            return client
        client = str(address)
        if not _is_in(address, trusted):
            return client
    return client


def _is_in(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: Sequence[IpNetwork]) -> bool:
    return any(ip.version == network.version and ip in network for network in networks)
