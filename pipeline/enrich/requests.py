"""Raw rows to requests: every derived column, each computed once per distinct value.

Ids and files are made where days are built; this room sees a chunk of rows and gives as many back.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from pipeline.enrich.addresses import NOWHERE, GeoDatabase, Place, client_address
from pipeline.enrich.bots import bot_signals
from pipeline.enrich.distinct import Distinct, Memo, Pairs, spread, spread_flags
from pipeline.enrich.referrers import Origin, referrer_origin
from pipeline.enrich.targets import ROUTE_RULES_VERSION, UTM, Target, read_kind, read_target
from pipeline.enrich.user_agents import Client, UserAgentCache, parser_version
from pipeline.settings import Settings

RULES_VERSION = "1"
_LONGEST_COOKIE = 256
_PASSED_ON = ("source", "occurred_at", "status", "bytes_sent", "duration_ms")

_TAKEN_APART = (
    "ip",
    "forwarded_for",
    "host",
    "method",
    "target",
    "protocol",
    "referrer",
    "user_agent",
    "remote_user",
    "user_id",
    "business_id",
    "visitor_cookie",
    "extra",
)

_CLIENT = ("browser", "browser_version", "os", "os_version", "device", "device_type")

Columns = dict[str, pa.Array]
Values = tuple[str | None, ...]


def enrichment_version(geo: GeoDatabase | None) -> str:
    """Name the rules and databases that derived columns come from."""
    places = geo.version if geo else "no geo"
    return f"rules {RULES_VERSION}.{ROUTE_RULES_VERSION}; {parser_version()}; {places}"


class Enricher:
    """Derives columns of `requests`, chunk by chunk, and remembers the meaning of values from one chunk to the next."""

    def __init__(self, settings: Settings, geo: GeoDatabase | None, user_agents: UserAgentCache) -> None:
        """Prepare.

        Args:
            settings: own hosts, proxies, API and event paths, route rules, the key for pseudonyms.
            geo: the database of places; None leaves them null.
            user_agents: meanings of user agents seen before.
        """
        self._settings = settings
        self._geo = geo
        self._user_agents = user_agents
        self._own_hosts = tuple(name.lower().removeprefix("www.") for name in settings.own_hosts)
        key = settings.secret.encode()[:64]
        self._targets: Memo[str, Target] = Memo(lambda text: read_target(text, settings))
        self._kinds: Memo[Values, str | None] = Memo(lambda pair: read_kind(pair[0], pair[1], settings))
        self._places: Memo[str, Place] = Memo(lambda ip: geo.place(ip) if geo else NOWHERE)
        self._visitors: Memo[Values, str | None] = Memo(lambda who: _visitor_id(*who, key=key))
        self._signals: Memo[str | None, str] = Memo(lambda text: ",".join(bot_signals(text, self._client(text))))
        self._origins: Memo[Values, Origin] = Memo(self._origin)
        self.version = enrichment_version(geo)

    def enrich(self, raw: pa.Table) -> pa.Table:
        """Derive the columns of `requests`.

        Args:
            raw: rows of `raw_requests`; text columns dictionary-encoded or plain, `date` not needed.

        Returns:
            As many rows in the same order, with every column of `requests` but `date` and `request_id`.
        """
        columns: Columns = {name: raw[name].combine_chunks() for name in _PASSED_ON}
        taken = {name: Distinct.of(raw[name]) for name in _TAKEN_APART}
        for name in ("method", "protocol", "user_agent", "referrer", "extra", "user_id", "business_id"):
            columns[name] = taken[name].column()
        columns["identifier"] = taken["remote_user"].column()
        host = taken["host"].mapped(_host)
        ip = self._client_ips(taken["ip"], taken["forwarded_for"])
        targets = [self._targets[text] for text in taken["target"].values]
        columns |= {"host": host.column(), "ip": ip.column()}
        columns |= self._target_columns(taken["method"], taken["target"], targets)
        columns |= self._place_columns(ip)
        columns |= self._client_columns(taken["user_agent"], taken["user_id"])
        columns |= self._referrer_columns(taken["referrer"], host, taken["target"], targets)
        who = Pairs.of(taken["visitor_cookie"], ip, taken["user_agent"])
        columns["visitor_id"] = who.spread([self._visitors[combination] for combination in who.combinations])
        same = np.zeros(raw.num_rows, dtype=np.int32)
        columns["enrichment_version"] = spread([self.version], same)
        return pa.table(columns)

    def _client_ips(self, ip: Distinct, forwarded: Distinct) -> Distinct:
        trusted = self._settings.trusted_proxies
        if not trusted or not forwarded.size:
            return ip
        pairs = Pairs.of(ip, forwarded)
        clients = [
            client_address(address, chain, trusted) if address is not None else None
            for address, chain in pairs.combinations
        ]
        return Distinct.of(pairs.spread(clients))

    def _target_columns(self, method: Distinct, target: Distinct, targets: list[Target]) -> Columns:
        path = Distinct.of(spread([found.path for found in targets], target.codes))
        columns: Columns = {
            "path": path.column(),
            "query": spread([found.query for found in targets], target.codes),
            "route": spread([found.route for found in targets], target.codes),
        }
        for place, name in enumerate(UTM):
            columns[name] = spread([found.campaign[place] for found in targets], target.codes)
        pairs = Pairs.of(method, path)
        columns["kind"] = pairs.spread([self._kinds[pair] for pair in pairs.combinations])
        return columns

    def _place_columns(self, ip: Distinct) -> Columns:
        places = [self._places[address] for address in ip.values]
        names = ("country", "region", "city")
        return {name: spread([place[number] for place in places], ip.codes) for number, name in enumerate(names)}

    def _client(self, user_agent: str | None) -> Client | None:
        return self._user_agents.clients([user_agent])[0] if user_agent is not None else None

    def _client_columns(self, user_agent: Distinct, user_id: Distinct) -> Columns:
        clients = self._user_agents.clients(user_agent.values)
        columns: Columns = {
            name: spread([getattr(client, name) for client in clients], user_agent.codes) for name in _CLIENT
        }
        pairs = Pairs.of(user_agent, user_id)
        said = [self._signals[text] for text, _ in pairs.combinations]
        columns["bot_signals"] = pairs.spread([text or None for text in said])
        flags = [bool(text) and user is None for text, (_, user) in zip(said, pairs.combinations, strict=True)]
        columns["is_bot"] = spread_flags(flags, pairs.codes)
        return columns

    def _referrer_columns(self, referrer: Distinct, host: Distinct, target: Distinct, targets: list[Target]) -> Columns:
        paid = ["paid" if found.is_paid else None for found in targets]
        clicks = Distinct.of(spread(paid, target.codes))
        triples = Pairs.of(referrer, host, clicks)
        origins = [self._origins[triple] for triple in triples.combinations]
        return {
            "referrer_medium": triples.spread([medium for medium, _ in origins]),
            "referrer_name": triples.spread([name for _, name in origins]),
        }

    def _origin(self, triple: Values) -> Origin:
        referrer, host, paid = triple
        own = (*self._own_hosts, host.removeprefix("www.")) if host else self._own_hosts
        medium, name = referrer_origin(referrer, own)
        return ("paid" if paid and medium != "internal" else medium), name


def _host(host: str) -> str:
    bare = host.lower()
    if bare.startswith("["):
        return bare.partition("]")[0] + "]"
    return bare.partition(":")[0]


def _visitor_id(cookie: str | None, ip: str | None, user_agent: str | None, *, key: bytes) -> str:
    if cookie:
        if len(cookie) <= _LONGEST_COOKIE:
            return f"c-{cookie}"
        return f"c-{hashlib.blake2b(cookie.encode(), key=key, digest_size=16).hexdigest()}"
    told = f"{ip or ''}\0{user_agent or ''}".encode()
    return f"h-{hashlib.blake2b(told, key=key, digest_size=8).hexdigest()}"
