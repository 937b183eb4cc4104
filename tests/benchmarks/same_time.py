"""Does an answer's time tell what is in another Business from what does not exist? Both are asked, many times, mixed.

`python -m tests.benchmarks.same_time` prints it. That the same is answered, by the same statements, is tested in
`tests/web/test_same_time.py`.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import quote

import duckdb
import numpy as np
import numpy.typing as npt

from assets.launch import run_everything
from pipeline.demo import make_demo
from pipeline.lookup import find_users, open_scope, request_story, user_story, visit_story
from pipeline.lookup.rows import Row, rows
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import connect
from pipeline.web.app import make_app
from tests.web import Answer, Browser, served

BUSINESS = "b01"  # whose support asks
WHO = "ann@example.net"
_ACCESS = f'[people."{WHO}"]\nrole = "support"\nbusinesses = ["{BUSINESS}"]\n'
_RESAMPLES = 2_000
Clock = Callable[[], float]
Times = npt.NDArray[np.float64]
# Somebody whom the Business of who asks does not know, with an act, its visit, and what they left in the log.
_ELSEWHERE = """
select user_lookup.user_id, name, email, visit_id, clickstream.request_id, requests.ip, requests.identifier,
    requests.visitor_id, requests.extra
from user_lookup
inner join clickstream on clickstream.user_id = user_lookup.user_id
inner join requests on requests.date = clickstream.date and requests.request_id = clickstream.request_id
where not list_contains(business_ids, $business) and clickstream.business_id is not null
    and clickstream.business_id <> $business and name is not null and email is not null
qualify row_number() over (partition by user_lookup.user_id order by hash(clickstream.request_id)) = 1
order by hash(user_lookup.user_id)
limit 200
"""


@dataclass(frozen=True)
class Pair:
    """Two of one kind and shape, of which nothing is in scope.

    Attributes:
        kind: user, visit, request, or what is searched for.
        elsewhere: what is in another Business.
        absent: what does not exist.
    """

    kind: str
    elsewhere: str
    absent: str

    @property
    def paths(self) -> tuple[str, str]:
        """The addresses of the pages that are asked for."""
        begin = f"/{self.kind}/" if self.kind in _BY_ID else "/?q="
        return begin + quote(self.elsewhere, safe=""), begin + quote(self.absent, safe="")


_BY_ID = ("user", "visit", "request")


def support_settings(settings: Settings, folder: Path) -> Settings:
    """Let a proxy on the loopback name who asks: support of one Business."""
    access = folder / "access.toml"
    access.write_text(_ACCESS, encoding="utf-8")
    networks = (ip_network("127.0.0.0/8"),)
    return replace(settings, sign_in="proxy", sign_in_proxies=networks, access=access, access_log=folder / "access_log")


def pairs(settings: Settings, seed: int = 7, most: int = 40) -> list[Pair]:
    """Find what is in other Businesses, and make up what is nowhere.

    Args:
        settings: where the warehouse is.
        seed: of what is made up.
        most: how many of each kind.
    """
    made_up = random.Random(seed)
    with connect(settings) as connection:
        found = rows(connection, _ELSEWHERE, {"business": BUSINESS})
        addresses = rows(connection, "select ip, list(distinct business_id) as businesses from requests group by ip")
        people = rows(connection, "select unnest([user_id, name, email]) as known from user_lookup")
    seen = {row["ip"]: row["businesses"] for row in addresses} | {row["known"]: [] for row in people}
    kept: dict[str, list[Pair]] = {}
    with open_scope(settings, [BUSINESS], in_memory=True) as scope:
        for pair in (pair for row in found for pair in _pairs_of(row, made_up)):
            of_kind = kept.setdefault(pair.kind, [])
            if len(of_kind) == most or pair.absent in seen or BUSINESS in seen.get(pair.elsewhere, ()):
                continue
            if not any(find_users(scope, text) for text in (pair.elsewhere, pair.absent)):
                of_kind.append(pair)
    return [pair for of_kind in kept.values() for pair in of_kind]


def _pairs_of(row: Row, made_up: random.Random) -> Iterator[Pair]:
    for kind in ("visit", "request"):
        name = row[f"{kind}_id"]
        yield Pair(kind, name, f"{name[:9]}{made_up.getrandbits(64):016x}")
        yield Pair(f"search for a {kind}", name, f"{name[:9]}{made_up.getrandbits(64):016x}")
    nobody = re.sub(r"\d", lambda _: made_up.choice("0123456789"), row["user_id"])
    yield Pair("user", row["user_id"], nobody)
    yield Pair("search for a user id", row["user_id"], nobody)
    yield Pair("search for a name", row["name"], _alike(row["name"]))
    local, at, host = row["email"].partition("@")
    yield Pair("search for an email", row["email"], f"{_alike(local)}{at}{host}")
    if row["ip"] and "." in row["ip"]:
        network, dot, last = row["ip"].rpartition(".")
        other = made_up.randrange(10 ** (len(last) - 1), min(10 ** len(last), 256))
        yield Pair("search for an address", row["ip"], f"{network}{dot}{other}")
    for reference in _texts(row["extra"])[:1]:
        yield Pair("search for a reference", reference, _alike(reference))


def _texts(extra: str | None) -> list[str]:
    values = json.loads(extra).values() if extra else ()
    return [value for value in values if isinstance(value, str) and re.fullmatch("[0-9a-f-]{8,}", value)]


def _alike(text: str) -> str:
    """Make up a text whose words begin alike and have the same letters: how long a search takes follows from both."""
    return re.sub(r"\w{3,}", lambda word: word[0][:-2] + word[0][:-3:-1], text)


@dataclass(frozen=True)
class Measured:
    """How long answers took.

    Attributes:
        kind: of what was asked for.
        elsewhere: the median of what is in another Business, in seconds.
        absent: the median of what does not exist.
        low: the lower end of the interval of 99 % of their difference.
        high: the upper end.
    """

    kind: str
    elsewhere: float
    absent: float
    low: float
    high: float

    @property
    def is_noise(self) -> bool:
        """Whether no difference is as likely as the one that was found."""
        return self.low <= 0 <= self.high


def measure(
    asked: Sequence[Pair],
    ask: Callable[[Pair, int], object],
    repeat: int,
    clock: Clock = time.perf_counter,
    seed: int = 7,
) -> list[Measured]:
    """Ask for both of each pair, again and again, all mixed.

    Args:
        asked: the pairs.
        ask: asks for what is elsewhere, 0, or absent, 1.
        repeat: how often for each.
        clock: of the time that passes, or of the processor's.
        seed: of the order, and of the samples.
    """
    order = [(pair, side) for pair in asked for side in (0, 1)] * repeat
    random.Random(seed).shuffle(order)
    taken: dict[str, tuple[list[float], list[float]]] = {pair.kind: ([], []) for pair in asked}
    for pair, side in order:
        begun = clock()
        ask(pair, side)
        taken[pair.kind][side].append(clock() - begun)
    samples = np.random.default_rng(seed)
    return [_compared(kind, np.array(here), np.array(there), samples) for kind, (here, there) in taken.items()]


def _compared(kind: str, elsewhere: Times, absent: Times, samples: np.random.Generator) -> Measured:
    drawn = [np.median(samples.choice(times, (_RESAMPLES, len(times))), axis=1) for times in (elsewhere, absent)]
    low, high = np.percentile(drawn[0] - drawn[1], (0.5, 99.5))
    return Measured(kind, float(np.median(elsewhere)), float(np.median(absent)), float(low), float(high))


def table(found: Sequence[Measured]) -> str:
    """What was measured, in milliseconds, a kind a line."""
    lines = [f"{'asked for':<24}{'elsewhere':>10}{'absent':>10}{'difference, 99 %':>24}"]
    for row in found:
        between = f"{1000 * row.low:+.2f} to {1000 * row.high:+.2f}"
        said = "within noise" if row.is_noise else "DIFFERS"
        lines.append(f"{row.kind:<24}{1000 * row.elsewhere:>10.2f}{1000 * row.absent:>10.2f}{between:>24}  {said}")
    return "\n".join(lines)


def main() -> None:
    """Make the demo, run everything on it, and ask: by the clock at the server, by the processor's time of look-ups."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.2, help="of the demo")
    parser.add_argument("--repeat", type=int, default=10, help="how often each of 40 pairs of a kind is asked for")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = make_demo(Path(folder), scale=said.scale)
        settings = load_settings(paths.config, {})
        run_everything(settings, paths.config)
        asked = pairs(settings)
        settings = support_settings(settings, Path(folder))
        with served(make_app(settings)) as browser:
            _ask_server(browser, asked[0], 0)
            print("through the server\n" + table(measure(asked, partial(_ask_server, browser), said.repeat)))
        with open_scope(settings, [BUSINESS], in_memory=True) as scope:
            ask = partial(_ask_lookup, scope, settings)
            print("\nthe look-up alone, processor\n" + table(measure(asked, ask, said.repeat, time.process_time)))


def _ask_server(browser: Browser, pair: Pair, side: int) -> Answer:
    return browser.ask("GET", pair.paths[side], [("X-Forwarded-Email", WHO)])


def _ask_lookup(scope: duckdb.DuckDBPyConnection, settings: Settings, pair: Pair, side: int) -> object:
    text = (pair.elsewhere, pair.absent)[side]
    if pair.kind == "user":
        return user_story(scope, text)
    if pair.kind == "visit":
        return visit_story(scope, text)
    return request_story(scope, settings, text) if pair.kind == "request" else find_users(scope, text)


if __name__ == "__main__":
    main()
