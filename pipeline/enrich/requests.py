"""Raw rows to requests: every derived column, each computed once per distinct value.

Ids and files are made where days are built; this room sees a chunk of rows and gives as many back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from pipeline.enrich.addresses import NOWHERE, GeoDatabase, client_address
from pipeline.enrich.bots import bot_signals
from pipeline.enrich.distinct import Codes, Meanings, Pairs, Rows, Texts, each
from pipeline.enrich.referrers import referrer_origin
from pipeline.enrich.targets import ROUTE_RULES_VERSION, UTM, read_kind, read_target, split_target
from pipeline.enrich.user_agents import UserAgentCache, parser_version
from pipeline.formats.text import codes_and_values
from pipeline.settings import Settings

RULES_VERSION = "1"
_LONGEST_COOKIE = 256
_MOST_REMEMBERED = 1_000_000

_NUMBERS = ("occurred_at", "status", "bytes_sent", "duration_ms")
_PASSED_ON = {
    "source": "source",
    "method": "method",
    "protocol": "protocol",
    "referrer": "referrer",
    "user_agent": "user_agent",
    "remote_user": "identifier",
    "user_id": "user_id",
    "business_id": "business_id",
    "extra": "extra",
}
_TEXTS = (*_PASSED_ON, "ip", "forwarded_for", "host", "target", "visitor_cookie")
_CLIENT = ("browser", "browser_version", "os", "os_version", "device", "device_type")

RAW_COLUMNS = (*_NUMBERS, *_TEXTS)

Value = str | None


def enrichment_version(geo: GeoDatabase | None) -> str:
    """Name the rules and databases that derived columns come from."""
    places = geo.version if geo else "no geo"
    return f"rules {RULES_VERSION}.{ROUTE_RULES_VERSION}; {parser_version()}; {places}"


class Enricher:
    """Derives columns of `requests`, chunk by chunk, and remembers what values mean from one chunk to the next."""

    def __init__(self, settings: Settings, geo: GeoDatabase | None, user_agents: UserAgentCache) -> None:
        """Prepare.

        Args:
            settings: own hosts, proxies, API and event paths, route rules, the key for pseudonyms.
            geo: the database of places; None leaves them null.
            user_agents: meanings of user agents seen before.
        """
        self.version = enrichment_version(geo)
        self._has_proxies = bool(settings.trusted_proxies)
        self._rules = _Rules(settings, geo, user_agents)
        self._known = _Known(self._rules)

    def enrich(self, raw: pa.Table) -> Rows:
        """Derive the columns of `requests`.

        Args:
            raw: rows of `raw_requests` with the columns of `RAW_COLUMNS`; texts dictionary-encoded or plain.

        Returns:
            As many rows in the same order, with every column of `requests` but `date` and `request_id`.
        """
        if self._known.size > _MOST_REMEMBERED:
            self._known = _Known(self._rules)
        known = self._known
        taken = {name: _taken_apart(raw[name]) for name in _TEXTS}
        rows = Rows({name: raw[name].combine_chunks() for name in _NUMBERS})
        for name, column in _PASSED_ON.items():
            rows.add_texts(column, *taken[name])
        ips = self._client_ips(taken)
        rows.add_texts("ip", *ips)
        addresses = rows.add(known.addresses.numbers(*ips), known.addresses.columns())
        hosts = rows.add(known.hosts.numbers(*taken["host"]), known.hosts.columns())
        clients = rows.add(known.clients.numbers(*taken["user_agent"]), known.clients.columns())
        targets = known.targets.numbers(*taken["target"])
        of_targets = known.targets.columns()
        paid, paid_texts = of_targets.pop("paid")
        rows.add(targets, of_targets)
        rows.add(known.acts.numbers(known.methods.numbers(*taken["method"]), targets), known.acts.columns())
        referrals = known.referrals.numbers(known.referrers.numbers(*taken["referrer"]), hosts)
        clicks = known.clicks.numbers(referrals, known.paid.numbers(paid[targets], paid_texts))
        rows.add(clicks, known.clicks.columns())
        browsers = known.browsers.numbers(addresses, clients)
        cookies = known.cookies.numbers(*taken["visitor_cookie"])
        rows.add(known.visitors.numbers(browsers, cookies), known.visitors.columns())
        rows.plain["is_bot"] = pa.array((rows.codes("bot_signals") >= 0) & (rows.codes("user_id") < 0))
        rows.add_texts("enrichment_version", np.zeros(raw.num_rows, dtype=np.int32), pa.array([self.version]))
        return rows

    def _client_ips(self, taken: dict[str, tuple[Codes, pa.Array]]) -> tuple[Codes, pa.Array]:
        """The clients' addresses: those that connect, but behind trusted proxies those that were forwarded."""
        forwarded, chains = taken["forwarded_for"]
        if not self._has_proxies or not len(chains):
            return taken["ip"]
        known = self._known
        connecting = known.ips.numbers(*taken["ip"])
        numbers = known.forwards.numbers(connecting, known.chains.numbers(forwarded, chains))
        by_number, ips = known.forwards.columns()["ip"]
        return by_number[numbers], ips


class _Rules:
    """What single values mean under the settings and databases of a run."""

    def __init__(self, settings: Settings, geo: GeoDatabase | None, user_agents: UserAgentCache) -> None:
        self._settings = settings
        self._geo = geo
        self._user_agents = user_agents
        self._own_hosts = tuple(name.lower().removeprefix("www.") for name in settings.own_hosts)
        self._key = settings.secret.encode()[:64]

    def host(self, host: Value) -> Sequence[Value]:
        """Host as compared: lower case, without port."""
        if host is None:
            return (None,)
        bare = host.lower()
        return (bare.partition("]")[0] + "]" if bare.startswith("[") else bare.partition(":")[0],)

    def target(self, target: Value) -> Sequence[Value]:
        """Path, query, route, whether its click was paid for, and the campaign."""
        if target is None:
            return (None,) * (4 + len(UTM))
        found = read_target(target, self._settings)
        return found.path, found.query, found.route, "paid" if found.is_paid else None, *found.campaign

    def kind(self, act: tuple[Value, Value]) -> Sequence[Value]:
        """Kind of request, of its method and target."""
        method, target = act
        return (read_kind(method, None if target is None else split_target(target)[0], self._settings),)

    def place(self, ip: Value) -> Sequence[Value]:
        """Country, region and city."""
        return self._geo.place(ip) if self._geo and ip is not None else NOWHERE

    def client_ip(self, forward: tuple[Value, Value]) -> Sequence[Value]:
        """The client's address, of the connecting one and the forwarded chain."""
        ip, chain = forward
        return (client_address(ip, chain, self._settings.trusted_proxies) if ip is not None else None,)

    def clients(self, user_agents: Sequence[Value]) -> Iterator[Sequence[Value]]:
        """Browser, system, device, and the signals of a bot."""
        clients = [self._user_agents.client(text) if text is not None else None for text in user_agents]
        for client, signals in zip(clients, bot_signals(user_agents, clients), strict=True):
            yield *(getattr(client, name) if client else None for name in _CLIENT), ",".join(signals) or None

    def origin(self, click: tuple[tuple[Value, Value], Value]) -> Sequence[Value]:
        """Medium and name of where a request came from, of referrer, host and whether the click was paid for."""
        (referrer, host), paid = click
        (compared,) = self.host(host)
        own = (*self._own_hosts, compared.removeprefix("www.")) if compared else self._own_hosts
        medium, name = referrer_origin(referrer, own)
        return "paid" if paid and medium != "internal" else medium, name

    def visitor(self, who: tuple[tuple[Value, Value], Value]) -> Sequence[Value]:
        """Who asked: by the log's own cookie, else a keyed hash of address and user agent."""
        (ip, user_agent), cookie = who
        if cookie:
            if len(cookie) <= _LONGEST_COOKIE:
                return (f"c-{cookie}",)
            return (f"c-{self._hash(cookie, 16)}",)
        told = f"{ip or ''}\0{user_agent or ''}"
        return (f"h-{self._hash(told, 8)}",)

    def _hash(self, text: str, digest_bytes: int) -> str:
        return hashlib.blake2b(text.encode(), key=self._key, digest_size=digest_bytes).hexdigest()


class _Known:
    """Every value met, with its meaning."""

    def __init__(self, rules: _Rules) -> None:
        self.methods, self.referrers, self.cookies, self.paid = Texts(), Texts(), Texts(), Texts()
        self.ips, self.chains = Texts(), Texts()
        self.forwards = Meanings(Pairs(self.ips, self.chains), ("ip",), each(rules.client_ip))
        self.addresses = Meanings(Texts(), ("country", "region", "city"), each(rules.place))
        self.hosts = Meanings(Texts(), ("host",), each(rules.host))
        self.clients = Meanings(Texts(), (*_CLIENT, "bot_signals"), rules.clients)
        self.targets = Meanings(Texts(), ("path", "query", "route", "paid", *UTM), each(rules.target))
        self.acts = Meanings(Pairs(self.methods, self.targets), ("kind",), each(rules.kind))
        self.referrals = Pairs(self.referrers, self.hosts)
        clicks = Pairs(self.referrals, self.paid)
        self.clicks = Meanings(clicks, ("referrer_medium", "referrer_name"), each(rules.origin))
        self.browsers = Pairs(self.addresses, self.clients)
        self.visitors = Meanings(Pairs(self.browsers, self.cookies), ("visitor_id",), each(rules.visitor))

    @property
    def size(self) -> int:
        """The most values of any kind."""
        return max(map(len, (self.targets, self.acts, self.addresses, self.forwards, self.clicks, self.visitors)))


def _taken_apart(column: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    return codes_and_values(column if pa.types.is_dictionary(column.type) else column.dictionary_encode())
