"""Raw rows to requests: every derived column, each computed once per distinct value.

Ids and files are made where days are built; this room sees a chunk of rows and gives as many back.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa

from pipeline.enrich.addresses import NOWHERE, GeoDatabase, client_address
from pipeline.enrich.bots import bot_signals
from pipeline.enrich.distinct import Distinct, Pairs, spread, spread_flags
from pipeline.enrich.referrers import is_paid, referrer_origin
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

Columns = dict[str, pa.Array]


def enrichment_version(geo: GeoDatabase | None) -> str:
    """Name the rules and databases that derived columns come from."""
    places = geo.version if geo else "no geo"
    return f"rules {RULES_VERSION}.{ROUTE_RULES_VERSION}; {parser_version()}; {places}"


def enrich_requests(
    raw: pa.Table, settings: Settings, geo: GeoDatabase | None, user_agents: UserAgentCache
) -> pa.Table:
    """Derive the columns of `requests`.

    Args:
        raw: rows of `raw_requests`; text columns dictionary-encoded or plain, `date` not needed.
        settings: own hosts, proxies, API and event paths, route rules, the key for pseudonyms.
        geo: the database of places; None leaves them null.
        user_agents: meanings of user agents seen before.

    Returns:
        As many rows in the same order, with every column of `requests` but `date` and `request_id`.
    """
    columns: Columns = {name: raw[name].combine_chunks() for name in _PASSED_ON}
    taken = {name: Distinct.of(raw[name]) for name in _TAKEN_APART}
    columns |= {name: taken[name].column() for name in ("method", "protocol", "user_agent", "referrer", "extra")}
    columns |= {"user_id": taken["user_id"].column(), "business_id": taken["business_id"].column()}
    columns["identifier"] = taken["remote_user"].column()
    hosts = taken["host"].map(_host)
    client_ips = _client_ips(taken["ip"], taken["forwarded_for"], settings)
    targets = [read_target(value, settings) for value in taken["target"].values]
    columns |= {"host": hosts, "ip": client_ips}
    columns |= _target_columns(taken["method"], taken["target"], targets, settings)
    columns |= _place_columns(Distinct.of(pa.chunked_array([client_ips])), geo)
    columns |= _client_columns(taken["user_agent"], taken["user_id"], user_agents)
    columns |= _referrer_columns(taken, Distinct.of(pa.chunked_array([hosts])), targets, settings)
    columns["visitor_id"] = _visitor_ids(
        taken["visitor_cookie"], Distinct.of(pa.chunked_array([client_ips])), taken["user_agent"], settings
    )
    version = pa.array([0] * raw.num_rows, pa.int32())
    columns["enrichment_version"] = pa.DictionaryArray.from_arrays(version, pa.array([enrichment_version(geo)]))
    return pa.table(columns)


def _host(host: str) -> str:
    bare = host.lower()
    if bare.startswith("["):
        return bare.partition("]")[0] + "]"
    return bare.partition(":")[0]


def _client_ips(ip: Distinct, forwarded: Distinct, settings: Settings) -> pa.DictionaryArray:
    if not settings.trusted_proxies or not forwarded.values:
        return ip.column()
    pairs = Pairs.of(ip, forwarded)
    clients = [
        client_address(address, chain, settings.trusted_proxies) if address is not None else None
        for address, chain in pairs.combinations
    ]
    return pairs.spread(clients)


def _target_columns(method: Distinct, target: Distinct, targets: list[Target], settings: Settings) -> Columns:
    columns: Columns = {
        "path": spread([found.path for found in targets], target.codes),
        "query": spread([found.query for found in targets], target.codes),
        "route": spread([found.route for found in targets], target.codes),
    }
    for place, name in enumerate(UTM):
        columns[name] = spread([found.campaign[place] for found in targets], target.codes)
    pairs = Pairs.of(method, Distinct.of(pa.chunked_array([columns["path"]])))
    columns["kind"] = pairs.spread([read_kind(verb, path, settings) for verb, path in pairs.combinations])
    return columns


def _place_columns(ip: Distinct, geo: GeoDatabase | None) -> Columns:
    places = geo.places(ip.values) if geo else [NOWHERE] * len(ip.values)
    names = ("country", "region", "city")
    return {name: spread([place[number] for place in places], ip.codes) for number, name in enumerate(names)}


def _client_columns(user_agent: Distinct, user_id: Distinct, user_agents: UserAgentCache) -> Columns:
    clients = user_agents.clients(user_agent.values)
    columns: Columns = {
        name: spread([getattr(client, name) for client in clients], user_agent.codes)
        for name in ("browser", "browser_version", "os", "os_version", "device", "device_type")
    }
    known: dict[str, Client] = dict(zip(user_agent.values, clients, strict=True))
    signals = {text: ",".join(bot_signals(text, client)) for text, client in known.items()}
    without = ",".join(bot_signals(None, None))
    pairs = Pairs.of(user_agent, user_id)
    said = [signals[text] if text is not None else without for text, _ in pairs.combinations]
    columns["bot_signals"] = pairs.spread([text or None for text in said])
    flags = [bool(text) and user is None for text, (_, user) in zip(said, pairs.combinations, strict=True)]
    columns["is_bot"] = spread_flags(flags, pairs.codes)
    return columns


def _referrer_columns(taken: dict[str, Distinct], host: Distinct, targets: list[Target], settings: Settings) -> Columns:
    own = tuple(name.lower().removeprefix("www.") for name in settings.own_hosts)
    by_target = dict(zip(taken["target"].values, targets, strict=True))
    paid_targets = {text: is_paid(found.campaign[1], found.query) for text, found in by_target.items()}
    paid = Distinct(
        spread(["paid" if flag else None for flag in paid_targets.values()], taken["target"].codes)
        .indices.fill_null(-1)
        .to_numpy(zero_copy_only=False),
        ["paid"],
    )
    triples = Pairs.of(taken["referrer"], host, paid)
    mediums, names = [], []
    for referrer, own_host, is_paid_click in triples.combinations:
        mine = (*own, own_host.removeprefix("www.")) if own_host else own
        medium, name = referrer_origin(referrer, mine)
        mediums.append("paid" if is_paid_click and medium != "internal" else medium)
        names.append(name)
    return {"referrer_medium": triples.spread(mediums), "referrer_name": triples.spread(names)}


def _visitor_ids(cookie: Distinct, ip: Distinct, user_agent: Distinct, settings: Settings) -> pa.DictionaryArray:
    key = settings.secret.encode()[:64]
    triples = Pairs.of(cookie, ip, user_agent)
    return triples.spread([_visitor_id(*who, key=key) for who in triples.combinations])


def _visitor_id(cookie: str | None, ip: str | None, user_agent: str | None, *, key: bytes) -> str:
    if cookie:
        if len(cookie) <= _LONGEST_COOKIE:
            return f"c-{cookie}"
        return f"c-{hashlib.blake2b(cookie.encode(), key=key, digest_size=16).hexdigest()}"
    told = f"{ip or ''}\0{user_agent or ''}".encode()
    return f"h-{hashlib.blake2b(told, key=key, digest_size=8).hexdigest()}"
