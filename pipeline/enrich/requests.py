"""Raw rows to requests: every derived column, each computed once per distinct value.

Ids and files are made where days are built; this room sees a chunk of rows and gives as many back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dictionaries import Codes, codes_and_values
from pipeline.enrich.addresses import NOWHERE, GeoDatabase, client_address
from pipeline.enrich.bots import bot_signals
from pipeline.enrich.client_hints import find_hints, hinted_client
from pipeline.enrich.distinct import NONE, Coded, Meanings, Pairs, Rows, Texts, each
from pipeline.enrich.opt_out import find_opt_outs
from pipeline.enrich.referrers import referrer_origin
from pipeline.enrich.targets import UTM, read_kind, read_target
from pipeline.enrich.user_agents import UserAgentCache
from pipeline.enrich.version import enrichment_version
from pipeline.enrich.visitors import Visitors
from pipeline.settings import Settings

_MOST_REMEMBERED_BYTES = 256 << 20
CHUNK_ROWS = 650_000

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

# What a target says that is no column: it makes columns together with other values.
_ASKED, _PAID = "asked for", "paid"

RAW_COLUMNS = ("file_id", *_NUMBERS, *_TEXTS)

Value = str | None


class Enricher:
    """Derives the columns of `requests`; what a value means is worked out once, however many rows have it.

    Rows are added in pieces and taken in chunks; of a row added only the numbers of its values are held.

    Attributes:
        version: what `enrichment_version` is.
        held: how many rows were added and not taken yet.
    """

    def __init__(
        self,
        settings: Settings,
        geo: GeoDatabase | None,
        user_agents: UserAgentCache,
        silent_files: Set[str] = frozenset(),
    ) -> None:
        """Prepare.

        Args:
            settings: own hosts, proxies, API and event paths, route rules, the key for pseudonyms.
            geo: the database of places; None leaves them null.
            user_agents: meanings of user agents seen before.
            silent_files: log files whose lines have no place for a user agent: none on a line is no sign of a bot.
        """
        self.version = enrichment_version(settings, geo)
        self.held = 0
        self._rules = _Rules(settings, geo, user_agents)
        self._known = _Known(self._rules)
        self._plain: list[dict[str, pa.ChunkedArray]] = []
        self._numbers: list[dict[str, Codes]] = []
        self._untold: list[npt.NDArray[np.bool_]] = []
        self._silent_files = pa.array(sorted(silent_files), pa.string())

    @property
    def is_full(self) -> bool:
        """Whether so much is held and remembered that the rows should be taken."""
        return self.held >= CHUNK_ROWS or self._known.nbytes > _MOST_REMEMBERED_BYTES

    def add(self, raw: pa.Table) -> None:
        """Take rows in.

        Args:
            raw: rows of `raw_requests` with the columns of `RAW_COLUMNS`; texts dictionary-encoded or plain.
        """
        self._plain.append({name: raw[name] for name in _NUMBERS})
        self._numbers.append(self._known.numbers({name: codes_and_values(raw[name]) for name in _TEXTS}))
        self._untold.append(self._of_silent_files(raw) & (self._numbers[-1]["user_agent"] < 0))
        self.held += raw.num_rows

    def _of_silent_files(self, raw: pa.Table) -> npt.NDArray[np.bool_]:
        files, values = codes_and_values(raw["file_id"])
        return pc.is_in(values, self._silent_files).to_numpy(zero_copy_only=False)[files]

    def take(self) -> Rows:
        """Hand out the rows held, at least one, in the order in which they came; none are held any more.

        Returns:
            Every column of `requests` but `date` and `request_id`.
        """
        rows = Rows({name: _one_array([part.pop(name) for part in self._plain]) for name in _NUMBERS})
        user_agents = np.concatenate([part["user_agent"] for part in self._numbers])
        for what, columns in self._known.columns().items():
            rows.add(np.concatenate([part.pop(what) for part in self._numbers]), columns)
        cookie, browser = (np.concatenate([part[what] for part in self._numbers]) for what in ("cookie", "browser"))
        visitor, visitors = self._known.visitors.column(cookie, browser)
        rows.add(visitor, {"visitor_id": (None, visitors)})
        signals = self._known.signals.codes("bot_signals", user_agents)
        signals[np.concatenate(self._untold)] = NONE
        rows.add(signals, {"bot_signals": (None, self._known.signals.texts("bot_signals").known)})
        rows.plain["is_bot"] = pa.array((rows.codes("bot_signals") >= 0) & (rows.codes("user_id") < 0))
        rows.add(np.zeros(self.held, dtype=np.int32), {"enrichment_version": (None, pa.array([self.version]))})
        self._plain, self._numbers, self._untold, self.held = [], [], [], 0
        if self._known.nbytes > _MOST_REMEMBERED_BYTES:
            self._known = _Known(self._rules)
        return rows


class _Rules:
    """What single values mean under the settings and databases of a run."""

    def __init__(self, settings: Settings, geo: GeoDatabase | None, user_agents: UserAgentCache) -> None:
        self._settings = settings
        self._geo = geo
        self._user_agents = user_agents
        self._own_hosts = tuple(name.lower().removeprefix("www.") for name in settings.own_hosts)
        self.has_proxies = bool(settings.trusted_proxies)
        self.secret = settings.secret

    def host(self, host: Value) -> Sequence[Value]:
        """Host as compared: lower case, without port."""
        if host is None:
            return (None,)
        bare = host.lower()
        return (bare.partition("]")[0] + "]" if bare.startswith("[") else bare.partition(":")[0],)

    def target(self, target: Value) -> Sequence[Value]:
        """Path, query, route, what it asks for, whether its click was paid for, and the campaign."""
        if target is None:
            return (None,) * (5 + len(UTM))
        found = read_target(target, self._settings)
        return found.path, found.query, found.route, found.kind, "paid" if found.is_paid else None, *found.campaign

    def kind(self, act: tuple[Value, Value]) -> Sequence[Value]:
        """Kind of request, of its method and what its path asks for."""
        return (read_kind(*act),)

    def place(self, ip: Value) -> Sequence[Value]:
        """Country, region and city."""
        return self._geo.place(ip) if self._geo and ip is not None else NOWHERE

    def client_ip(self, forward: tuple[Value, Value]) -> Sequence[Value]:
        """The client's address, of the connecting one and the forwarded chain."""
        ip, chain = forward
        return (client_address(ip, chain, self._settings.trusted_proxies) if ip is not None else None,)

    def client(self, said: tuple[Value, Value]) -> Sequence[Value]:
        """Browser, system and device, of the user agent and the client hints beside it."""
        text, hints = said
        if text is None:
            return (None,) * len(_CLIENT)
        known = self._user_agents
        client = known.client(text) if hints is None else hinted_client(text, hints, known)
        return [getattr(client, name) for name in _CLIENT]

    def signals(self, user_agents: Sequence[Value]) -> Iterator[Sequence[Value]]:
        """The signals of a bot."""
        clients = [self._user_agents.client(text) if text is not None else None for text in user_agents]
        for signals in bot_signals(user_agents, clients):
            yield (",".join(signals) or None,)

    def origin(self, click: tuple[tuple[Value, Value], Value]) -> Sequence[Value]:
        """Medium and name of where a request came from, of referrer, host and whether the click was paid for."""
        (referrer, host), paid = click
        (compared,) = self.host(host)
        own = (*self._own_hosts, compared.removeprefix("www.")) if compared else self._own_hosts
        medium, name = referrer_origin(referrer, own)
        return "paid" if paid and medium != "internal" else medium, name


class _Known:
    """Every value met, numbered, with its meaning."""

    def __init__(self, rules: _Rules) -> None:
        self._rules = rules
        self.texts = {name: Texts() for name in _TEXTS}
        text = self.texts
        self.forwards = Meanings(Pairs(text["ip"], text["forwarded_for"]), ("client_ip",), each(rules.client_ip))
        self.ips = self.forwards.texts("client_ip") if rules.has_proxies else text["ip"]
        self.places = Meanings(self.ips, ("country", "region", "city"), each(rules.place))
        self.hosts = Meanings(text["host"], ("host",), each(rules.host))
        self.signals = Meanings(text["user_agent"], ("bot_signals",), rules.signals)
        self.hints = Texts()
        self.opt_outs = Texts()
        self.clients = Meanings(Pairs(text["user_agent"], self.hints), _CLIENT, each(rules.client))
        self.targets = Meanings(text["target"], ("path", "query", "route", _ASKED, _PAID, *UTM), each(rules.target))
        self.acts = Meanings(Pairs(text["method"], self.targets.texts(_ASKED)), ("kind",), each(rules.kind))
        self.referrals = Pairs(text["referrer"], text["host"])
        clicks = Pairs(self.referrals, self.targets.texts(_PAID))
        self.clicks = Meanings(clicks, ("referrer_medium", "referrer_name"), each(rules.origin))
        self.visitors = Visitors(self.ips, text["user_agent"], text["visitor_cookie"], rules.secret)

    @property
    def nbytes(self) -> int:
        """About how much memory the values and their meanings take."""
        means = [
            self.forwards,
            self.places,
            self.hosts,
            self.signals,
            self.clients,
            self.targets,
            self.acts,
            self.clicks,
        ]
        found = [self.hints, self.opt_outs]
        known: list[Texts | Pairs | Meanings] = [*self.texts.values(), *means, self.referrals, *found]
        return sum(part.nbytes for part in known) + self.visitors.nbytes

    def numbers(self, taken: Mapping[str, tuple[Codes, pa.Array]]) -> dict[str, Codes]:
        """Number the values of rows: what `columns` needs to lay them out."""
        number = {name: self.texts[name].numbers(*column) for name, column in taken.items()}
        ip = number["ip"]
        if self._rules.has_proxies:
            ip = self.forwards.codes("client_ip", self.forwards.numbers(ip, number["forwarded_for"]))
        asked, paid = (self.targets.codes(name, number["target"]) for name in (_ASKED, _PAID))
        return {name: number[name] for name in (*_PASSED_ON, "host", "target")} | {
            "ip": ip,
            "act": self.acts.numbers(number["method"], asked),
            "client": self.clients.numbers(number["user_agent"], _found(find_hints, self.hints, *taken["extra"])),
            "opt_out": _found(find_opt_outs, self.opt_outs, *taken["extra"]),
            "click": self.clicks.numbers(self.referrals.numbers(number["referrer"], number["host"]), paid),
            "cookie": number["visitor_cookie"],
            "browser": self.visitors.browsers(ip, number["user_agent"], number["visitor_cookie"]),
        }

    def columns(self) -> dict[str, dict[str, Coded]]:
        """Name the columns of `requests` that each kind of numbers leads to."""
        columns: dict[str, dict[str, Coded]] = {
            name: {column: (None, self.texts[name].known)} for name, column in _PASSED_ON.items()
        }
        columns["client"] = self.clients.columns()
        columns["ip"] = {"ip": (None, self.ips.known), **self.places.columns()}
        columns["host"] = self.hosts.columns()
        columns["target"] = {
            name: column for name, column in self.targets.columns().items() if name not in (_ASKED, _PAID)
        }
        columns["act"] = self.acts.columns()
        columns["opt_out"] = {"opt_out": (None, self.opt_outs.known)}
        columns["click"] = self.clicks.columns()
        return columns


def _found(find: Callable[[pa.Array], pa.Array], known: Texts, extra: Codes, values: pa.Array) -> Codes:
    """Number what is found in the values of `extra` of rows, -1 for nothing."""
    codes, texts = codes_and_values(find(values))
    return known.numbers(np.append(codes, NONE)[extra], texts)


def _one_array(columns: list[pa.ChunkedArray]) -> pa.Array:
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], columns[0].type).combine_chunks()
