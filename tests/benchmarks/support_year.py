"""A year of a large service, made up: `requests`, `clickstream` and `visits` in the layout in which Trail writes them.

Some users are there every day and most on a few; a tenth of the visits is nobody's, a third of the requests no act. The
tables above are made by Trail's own models. What is asked of them is in `support_questions.py`.
"""

from __future__ import annotations

import json
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.build import build_days, build_whole
from pipeline.dictionaries import from_codes
from pipeline.enrich.visitors import hex_texts
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.warehouse import Run, connect, open_run
from pipeline.warehouse.files import ROW_GROUP_ROWS
from tests.lookup.misspellings import misspelt, people

Numbers = npt.NDArray[Any]
_FIRST = date(2025, 3, 1)
_ACTS, _VISIT = 0.65, 12  # share of requests that are acts, and acts of a visit on average
THINGS = ("clients", "notes", "invoices", "bookings", "messages", "files", "tasks", "teams", "forms", "plans", "rooms")
_ROUTES = [f"/{thing}{rest}" for thing in THINGS for rest in ("", "/{id}", "/{id}/edit")]
_ROUTES += [f"/api/{thing}/{{id}}" for thing in THINGS]
_IDS = 500
_PATHS = pa.array([route.replace("{id}", str(number)) for route in _ROUTES for number in range(_IDS)])
_REFERRERS = pa.array([f"https://app.example.com{path}" for path in _PATHS.to_pylist()])
_ASSETS = pa.array([f"/assets/{number:03x}.js" for number in range(300)])
_AGENTS = list(product(("Chrome", "Firefox", "Safari"), ("Windows", "Mac OS X", "Android", "iOS"), range(120, 140)))
_WHOLE = ("identifier_links", "user_links", "user_businesses", "user_lookup", "search_terms")


def settings_of(folder: Path) -> Settings:
    """Settings as they are by default."""
    return Settings(landing=folder, warehouse=folder / "warehouse")


class Service:
    """A made-up service: who its users are, and what they do on a day."""

    def __init__(self, users: int, businesses: int) -> None:
        chance = np.random.default_rng(7)
        self.people = sorted(people(Random(20), users), key=lambda who: who.user_id)
        self.users = pa.array([who.user_id for who in self.people])
        self.businesses = pa.array(sorted(f"b{number}" for number in range(businesses)))
        count = len(self.people)
        sizes = chance.lognormal(0, 1, businesses)
        self.home = chance.choice(businesses, count, p=sizes / sizes.sum())
        self.second = np.where(chance.uniform(size=count) < 0.05, chance.integers(0, businesses, count), self.home)
        activity = np.cumsum(chance.lognormal(0, 1.5, count))
        self.activity = activity / activity[-1]

    def write_directory(self, run: Run) -> None:
        """Write users, what they were called before, memberships and Businesses."""
        who, both = self.people, np.flatnonzero(self.second != self.home)
        former = [(one.user_id, "name", f"{one.first} {one.former_last}") for one in who if one.former_last]
        former += [(one.user_id, "email", one.former_email) for one in who if one.former_email]
        of_former = zip(("user_id", "field", "value"), map(pa.array, zip(*former, strict=True)), strict=True)
        members = np.concatenate([np.arange(len(who)), both])
        places = np.concatenate([self.home, self.second[both]])
        names = pa.array([f"{one.first} {one.last}" for one in who])
        columns: dict[str, dict[str, Any]] = {
            "users": {"user_id": self.users, "name": names, "email": pa.array([one.email for one in who])},
            "former_names": dict(of_former),
            "memberships": {"user_id": self.users.take(members), "business_id": self.businesses.take(places)},
            "businesses": {"business_id": self.businesses, "name": self.businesses},
        }
        for name, given in columns.items():
            run.replace(name, {None: [run.write(name, None, _table(name, given))]})

    def write_day(self, run: Run, day: date, requests: int) -> dict[str, list[Path]]:
        """Write a day of `requests`, `clickstream` and `visits`; return the files of each."""
        chance = np.random.default_rng(day.toordinal())
        visits = self._visits(chance, day, round(requests * _ACTS / _VISIT))
        acts = _acts(chance, day, visits)
        clickstream, count = _table("clickstream", acts), len(acts["visit"])
        # An answer to a reader of DuckDB comes in batches of this size.
        batches = [clickstream.slice(start, 100_000) for start in range(0, count, 100_000)]
        asked = _requests(chance, day, visits, acts, requests - count)
        halves = np.array_split(np.arange(len(asked)), 2 if len(asked) > ROW_GROUP_ROWS else 1)
        return {
            "clickstream": [run.write_parts("clickstream", day, batches)[0]],
            "visits": [run.write("visits", day, _table("visits", _summed(visits, acts)))],
            "requests": [run.write("requests", day, asked.slice(half[0], len(half))) for half in halves],
        }

    def _visits(self, chance: np.random.Generator, day: date, count: int) -> dict[str, Any]:
        """Draw a day's visits in the order of their table; a user's begin two hours apart."""
        nobody = len(self.users)
        user = np.searchsorted(self.activity, chance.uniform(size=count))
        user = np.sort(np.where(chance.uniform(size=count) < 0.9, user, nobody))
        is_known = user < nobody
        nth = np.arange(count) - np.searchsorted(user, user)
        begin = (_mixed(user) % 79_200 + nth * 7200 + chance.uniform(0, 4000, count)) % 79_200
        begin = np.where(is_known, begin, chance.uniform(0, 79_200, count))
        device = (chance.uniform(size=count) ** 2 * 3).astype(np.int64)
        visitor = np.where(is_known, _mixed(user * 3 + device), chance.integers(0, 2**63, count, dtype=np.uint64))
        order = np.lexsort((begin, visitor, user))
        user, visitor, begin = user[order], visitor[order], begin[order]
        known = np.minimum(user, nobody - 1)
        business = np.where(chance.uniform(size=count) < 0.3, self.second[known], self.home[known])
        agent = (visitor % len(_AGENTS)).astype(np.int32)
        return {
            "size": np.minimum(chance.geometric(1 / _VISIT, count), 300),
            "begin": begin,
            "visitor": visitor,
            "visit_id": hex_texts(f"{day:%Y%m%d}-", chance.integers(0, 2**63, count, dtype=np.uint64)),
            "visitor_id": hex_texts("c-", visitor),
            "user_id": _words(self.users, np.where(user < nobody, user, -1)),
            "business_id": _words(self.businesses, np.where(user < nobody, business, -1)),
            "user_agent": from_codes(
                agent, pa.array([f"Mozilla/5.0 ({os}) {name}/{version}" for name, os, version in _AGENTS])
            ),
            "browser": from_codes(agent, pa.array([name for name, _, _ in _AGENTS])),
            "os": from_codes(agent, pa.array([os for _, os, _ in _AGENTS])),
            "country": from_codes((visitor % 5).astype(np.int32), pa.array(["US", "CA", "GB", "DE", "AU"])),
        }


_OF_VISITOR = ("visitor_id", "user_agent", "browser", "os", "country")
_OF_VISIT = (*_OF_VISITOR, "visit_id", "user_id", "business_id")


def _acts(chance: np.random.Generator, day: date, visits: dict[str, Any]) -> dict[str, Any]:
    """Draw the acts of visits, in the order of `clickstream`."""
    size = visits["size"]
    count, visit = int(size.sum()), np.repeat(np.arange(len(size)), size)
    first = np.cumsum(size) - size
    passed = np.cumsum(np.minimum(chance.lognormal(2.5, 1.3, count), 600))
    seconds = np.minimum(visits["begin"][visit] + passed - passed[first][visit], 86_399.9)
    seconds = np.round(seconds, 3)
    to_next = np.append(np.diff(seconds), 0)
    is_last = np.append(np.diff(visit) > 0, True)
    route = np.minimum(chance.zipf(1.3, count) - 1, 10**6) % len(_ROUTES)
    places = (route * _IDS + chance.integers(0, _IDS, count)).astype(np.int32)
    is_api = route >= 3 * len(THINGS)
    drawn = chance.uniform(size=count)
    kind = np.where(is_api, 1, np.where(chance.uniform(size=count) < 0.03, 2, 0)).astype(np.int32)
    is_change, status = is_api & (drawn > 0.5), np.where(drawn < 0.005, 500, np.where(drawn < 0.02, 404, 200))
    return {name: visits[name].take(pa.array(visit)) for name in _OF_VISIT} | {
        "visit": visit,
        "first": first,
        "seconds": seconds,
        "kinds": kind,
        "places": places,
        "is_change": is_change,
        "statuses": status,
        "request_id": hex_texts(f"{day:%Y%m%d}-", chance.integers(0, 2**63, count, dtype=np.uint64)),
        "visit_seq": pa.array(np.arange(count) - first[visit] + 1, pa.int32()),
        "occurred_at": _instants(day, seconds),
        "seconds_to_next": pa.array(to_next, mask=is_last),
        "linked_by": "on_line",
        "source": "web",
        "kind": from_codes(kind, pa.array(["page", "api", "download"])),
        "method": from_codes(is_change.astype(np.int32), pa.array(["GET", "POST"])),
        "host": "app.example.com",
        "path": from_codes(places, _PATHS),
        "route": from_codes(route.astype(np.int32), pa.array(_ROUTES)),
        "status": pa.array(status, pa.int16()),
        "duration_ms": pa.array(np.round(chance.lognormal(4, 1, count))),
        "device_type": "desktop",
        "is_bot": pa.array(np.zeros(count, dtype=np.bool_)),
    }


def _summed(visits: dict[str, Any], acts: dict[str, Any]) -> dict[str, Any]:
    """Sum acts up to rows of `visits`."""
    first, seconds, status = acts["first"], acts["seconds"], acts["statuses"]
    last = first + visits["size"] - 1
    counts = {
        "requests": np.ones(len(status)),
        "page_views": (acts["kinds"] == 0) & (status < 400),
        "acts": acts["is_change"] | (acts["kinds"] == 2),
        "errors": status == 404,
        "server_errors": status == 500,
    }
    length = pa.array(seconds[last] - seconds[first], mask=visits["size"] == 1)
    return visits | {name: pa.array(np.add.reduceat(of.astype(np.int64), first)) for name, of in counts.items()} | {
        "started_at": acts["occurred_at"].take(pa.array(first)),
        "ended_at": acts["occurred_at"].take(pa.array(last)),
        "observed_s": pa.array(seconds[last] - seconds[first]),
        "length_s": length,
        "length_basis": from_codes((visits["size"] == 1).astype(np.int32), pa.array(["observed", "unknown"])),
        "entry_path": acts["path"].take(pa.array(first)),
        "exit_path": acts["path"].take(pa.array(last)),
        "channel": "Direct",
        "referrer_medium": "direct",
        "device_type": "desktop",
        "is_bot": pa.array(np.zeros(len(first), dtype=np.bool_)),
    }  # fmt: skip


def _requests(
    chance: np.random.Generator, day: date, visits: dict[str, Any], acts: dict[str, Any], assets: int
) -> pa.Table:
    """Put assets that pages loaded, which name no user, between the acts: by user (unknown last), visitor and time."""
    page = chance.choice(np.flatnonzero(acts["kinds"] == 0), assets)
    seconds = np.minimum(acts["seconds"][page] + chance.uniform(0.05, 2.5, assets), 86_399.99)
    loads = {name: acts[name].take(pa.array(page)) for name in _OF_VISITOR} | {
        "request_id": hex_texts(f"{day:%Y%m%d}-", chance.integers(0, 2**63, assets, dtype=np.uint64)),
        "source": "web",
        "occurred_at": _instants(day, seconds),
        "method": "GET",
        "host": "app.example.com",
        "path": _words(_ASSETS, chance.integers(0, len(_ASSETS), assets)),
        "status": pa.array(np.full(assets, 200), pa.int16()),
        "duration_ms": pa.array(np.round(chance.lognormal(1, 1, assets))),
        "bytes_sent": pa.array(chance.integers(200, 90_000, assets)),
        "referrer": from_codes(acts["places"][page], _REFERRERS),
        "kind": "asset",
        "device_type": "desktop",
        "is_bot": pa.array(np.zeros(assets, dtype=np.bool_)),
    }
    made = acts | {"bytes_sent": pa.array(chance.integers(500, 90_000, len(acts["visit"])))}
    table = pa.concat_tables([_table("requests", made), _table("requests", loads)]).unify_dictionaries()
    visit = np.concatenate([acts["visit"], acts["visit"][page]])
    is_unknown = np.append(np.array(acts["user_id"].is_null()), np.ones(assets, dtype=np.bool_))
    rank = np.where(is_unknown, len(visits["size"]), visit)  # visits are in the order of their users
    both = np.append(acts["seconds"], seconds)
    visitor = visits["visitor"][visit]
    return table.take(pa.array(np.lexsort((both, np.where(is_unknown, visitor, 0), rank))))


def _table(name: str, columns: dict[str, Any]) -> pa.Table:
    """Put a table together: a text stands in each row, and a column that is not given is null."""
    schema = list(TABLES[name].row_schema)
    count = len(next(columns[field.name] for field in schema if isinstance(columns.get(field.name), pa.Array)))
    constant = {text: from_codes(np.zeros(count, dtype=np.int32), pa.array([text])) for text in columns.values()
                if isinstance(text, str)}  # fmt: skip
    found = [columns.get(field.name, pa.nulls(count, field.type)) for field in schema]
    arrays = [constant[column] if isinstance(column, str) else column for column in found]
    return pa.table(arrays, names=[field.name for field in schema])


def _words(values: pa.Array, codes: Numbers) -> pa.DictionaryArray:
    """A dictionary column of the values that are used; a code of -1 is null."""
    used, places = np.unique(codes, return_inverse=True)
    missing = int(used[0] < 0)
    return from_codes((places - missing).astype(np.int32), values.take(pa.array(used[missing:])))


def _instants(day: date, seconds: Numbers) -> pa.Array:
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    return pa.array(((seconds + midnight) * 1e6).astype(np.int64)).cast(pa.timestamp("us", tz="UTC"))


def _mixed(numbers: Numbers) -> Numbers:
    """Scatter numbers over 64 bits (SplitMix64)."""
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def make(folder: Path, users: int, requests: int, days: int, questions: int) -> None:
    """Make the tables and what will be asked; print how long each part took."""
    last = time.perf_counter()

    def tell(what: str) -> None:
        nonlocal last
        print(f"  {what}: {time.perf_counter() - last:.1f} s, peak so far {peak_mb():,.0f} MB", flush=True)
        last = time.perf_counter()

    service = Service(users, max(20, users // 500))
    with open_run(settings_of(folder)) as run:
        service.write_directory(run)
        tell("users")
        dates = [_FIRST + timedelta(days=number) for number in range(days)]
        weights = np.array([0.4 if day.weekday() > 4 else 1.0 for day in dates])
        counts = np.round(weights / weights.sum() * requests).astype(int)
        with ThreadPoolExecutor(2) as pool:
            written = list(pool.map(partial(service.write_day, run), dates, counts.tolist()))
        for name in ("requests", "clickstream", "visits"):
            run.append(name, {day: files[name] for day, files in zip(dates, written, strict=True)})
        run.publish()
        tell("requests, clickstream, visits")
        random = Random(21)
        search = [(who.user_id, *misspelt(random, who)) for who in random.choices(service.people, k=questions)]
        del service  # whose people take more memory than the models may
        for name in ("identifier_days", "user_days"):
            build_days(run, name, dates)
            run.publish()
            tell(name)
        for name in _WHOLE:
            build_whole(run, name)
            run.publish()
            tell(name)
    with connect(settings_of(folder)) as connection:
        drawn = connection.execute(_DRAWN, {"half": questions // 2}).fetchall()
    said = {"search": search, "user": [user for user, _ in drawn], "visit": [visit for _, visit in drawn]}
    (folder / "questions.json").write_text(json.dumps(said), encoding="utf-8")


# Half of the users by number, half by how often they visit.
_DRAWN = """
with known as (select user_id, visit_id from visits where user_id is not null),
by_user as (select user_id, arg_max(visit_id, hash(visit_id)) from known group by user_id)
(from by_user order by hash(user_id) limit $half) union all
(from known order by hash(visit_id, 1) limit $half)
"""


def peak_mb() -> float:
    """The most memory that this process had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
