"""How long support's questions take on a year of a large service, beside SQLite and ClickHouse on the same tables.

Asked are a search by a name or email misspelt or in part, a user's page and a visit: by `pipeline.lookup`, and the same
of SQLite with indexes for each, and of ClickHouse in this process (`chdb`, left out where it is not installed). Each
tool runs in a process of its own, opens once and is asked one question after another; files are in the page cache. With
`--folder` the tables, which `support_year.py` makes, stay and are used again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.lookup import find_users, open_scope, user_story, visit_story
from pipeline.warehouse import connect
from tests.benchmarks.lines_to_requests import measure
from tests.benchmarks.support_year import peak_mb, settings_of
from tests.lookup.misspellings import folded

_LAST, _MOST_S, _ALL = 50, 120, 10_000  # visits and errors of a user; seconds for a kind of question; days
Ask = Callable[[str], list[Any]]


def by_trail(folder: Path) -> None:
    """Open a scope as the page does, and ask."""
    started = time.perf_counter()
    connection = open_scope(settings_of(folder), None, in_memory=True)
    opened = time.perf_counter() - started

    def asked(find: Callable[[Any], Any]) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("set schema = 'in_scope'")
            return find(cursor)

    def search(words: str) -> list[Any]:
        return [found["user_id"] for found in asked(lambda cursor: find_users(cursor, words))]

    def user(user_id: str) -> list[Any]:
        story = asked(lambda cursor: user_story(cursor, user_id, visits=_LAST))
        return [*story["days"], *story["visits_last"], *story["errors_last"]]

    def visit(visit_id: str) -> list[Any]:
        acts = asked(lambda cursor: visit_story(cursor, visit_id))["acts_in_order"]
        return [row for act in acts for row in (act, *act["loads"])]

    _ask_all(folder, opened, search, user, visit)


def _ask_all(folder: Path, opened: float, search: Ask, user: Ask, visit: Ask, since: str = "") -> None:
    """Ask one question after another, each kind for no longer than `_MOST_S`; print what was measured as JSON."""
    questions = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    questions["visit"] = [visit_id for visit_id in questions["visit"] if visit_id >= since]
    told: dict[str, Any] = {"opened_s": opened, "opened_mb": peak_mb()}
    for name, ask in (("search", search), ("user", user), ("visit", visit)):
        taken: list[tuple[float, float]] = []
        rows, found, begun = 0, 0, time.perf_counter()
        for question in questions[name]:
            text, who = (question[2], question[0]) if name == "search" else (question, None)
            before, worked = time.perf_counter(), time.process_time()
            answer = ask(text)
            taken.append((time.perf_counter() - before, time.process_time() - worked))
            rows += len(answer)
            found += who in answer[:5]
            if time.perf_counter() - begun > _MOST_S:
                break
        told[name] = {"taken": taken, "rows": rows, "found": found}
    print("\n" + json.dumps(told | {"peak_mb": peak_mb()}))


# What the others are given, from the live tables: columns that are told, instants as microseconds.
_WORDS = "search_terms where kind in ('name', 'local', 'email', 'id')"
_GIVEN = {
    "users": "select user_id, name, email, visits, epoch_us(last_seen_at) as last_seen_at from user_lookup",
    "terms": f"select distinct term, user_id from {_WORDS}",
    "parts": f"select user_id, string_agg(distinct term, ' ') as words from {_WORDS} group by user_id",
    "user_days": "select user_id, business_id, date::varchar as date, requests, visits, errors from user_days {since}",
    "visits": """select visit_id, visitor_id, user_id, epoch_us(started_at) as started_at,
        epoch_us(ended_at) as ended_at, business_id, length_s, length_basis, page_views, acts, errors, server_errors,
        entry_path, exit_path, browser, os, country, city from visits {since}""",
    "acts": """select visit_id, visit_seq, user_id, epoch_us(occurred_at) as occurred_at, kind, method, status,
        duration_ms, host, path, route, referrer, linked_by, seconds_to_next, request_id, visitor_id, business_id
        from clickstream {since}""",
    "loads": """select visitor_id, epoch_us(occurred_at) as occurred_at, kind, method, status, duration_ms, path,
        referrer, request_id from requests {since} and kind = 'asset'""",
}
_INDEXES = """
create index a on users (user_id); create index b on terms (term); create index c on user_days (user_id, date);
create index d on visits (user_id, started_at); create index e on visits (visit_id);
create index f on acts (visit_id, visit_seq); create index g on acts (user_id, occurred_at) where status >= 400;
create index h on acts (route, method, occurred_at, duration_ms); create index i on loads (visitor_id, occurred_at);
create virtual table trigrams using fts5(user_id unindexed, words, tokenize = 'trigram');
insert into trigrams select user_id, words from parts; drop table parts; analyze;
create view visits_of as select * from visits; create view errors_of as select * from acts;
"""
_ORDERS = {
    "users": "user_id", "terms": "term", "user_days": "user_id, date", "visits": "visit_id",
    "acts": "visit_id, visit_seq", "loads": "visitor_id, occurred_at",
    "visits_of": "user_id, started_at", "errors_of": "user_id, occurred_at",
}  # fmt: skip
_USER = (
    "select * from users where user_id = '{user}'",
    "select * from user_days where user_id = '{user}' order by date desc, business_id",
    "select * from visits_of where user_id = '{user}' order by started_at desc limit {last}",
    "select * from errors_of where user_id = '{user}' and status >= 400 order by occurred_at desc limit {last}",
)
_VISIT_ASKED = (
    "select * from acts where visit_id = '{visit}' order by visit_seq",
    "select * from loads where visitor_id = '{visitor}' and occurred_at between {begin} and {end} + 60000000",
    "select max(started_at) from visits_of where user_id = '{user}' and started_at < {begin}",
    "select min(started_at) from visits_of where user_id = '{user}' and started_at > {begin}",
)
_USUAL = {
    "sqlite": """select route, method, avg(duration_ms), count(*)
        from (select distinct route, method from acts where visit_id = '{visit}') cross join acts using (route, method)
        where occurred_at >= {begin} / 86400000000 * 86400000000
            and occurred_at < ({begin} / 86400000000 + 2) * 86400000000 group by route, method""",
    "chdb": """select route, method, quantileExact(0.5)(duration_ms), count(*) from acts
        where visit_id >= '{day}' and visit_id < '{day_after}a'
            and (route, method) in (select route, method from acts where visit_id = '{visit}')
        group by route, method""",
}


def _given(connection: Any, days: int) -> Iterator[tuple[str, str]]:
    """The name and the SELECT of each table that the others are given; those by day have the last days only."""
    (last,) = connection.execute("select max(date) from user_days").fetchone()
    for name, query in _GIVEN.items():
        yield name, query.format(since=f"where date > '{last - timedelta(days=days)}'")


def load_sqlite(folder: Path, days: int) -> None:
    """Fill SQLite, and index it for each question."""
    target = sqlite3.connect(_peer(folder, "sqlite") / "tables.db")
    target.executescript("pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -1000000;")
    with connect(settings_of(folder)) as source:
        for name, query in _given(source, days):
            found = source.execute(query)
            names = [column[0] for column in found.description or ()]
            target.execute(f"create table {name} ({', '.join(names)})")
            while rows := found.fetchmany(50_000):
                target.executemany(f"insert into {name} values ({', '.join('?' * len(names))})", rows)
    target.executescript(_INDEXES)
    target.commit()


def by_sqlite(folder: Path) -> None:
    """Ask SQLite. A search is for users with all parts, else for those with the most trigrams, by bm25."""
    started = time.perf_counter()
    connection = sqlite3.connect(_peer(folder, "sqlite") / "tables.db")

    def run(query: str, *given: object) -> list[Any]:
        return connection.execute(query, given).fetchall()

    def search(text: str) -> list[Any]:
        whole, words = _sought(text)
        grams = dict.fromkeys(word[at : at + 3] for word in words for at in range(len(word) - 2))
        match = "select user_id from trigrams where trigrams match ? order by rank limit 20"
        found = run("select user_id from terms where term = ? limit 20", whole)
        found = found or run(match, " ".join(f'"{word}"' for word in words if len(word) > 2))
        return [user for (user,) in found or run(match, " OR ".join(f'"{gram}"' for gram in grams))]

    _ask_peer(folder, "sqlite", time.perf_counter() - started, search, run)


def load_chdb(folder: Path, days: int) -> None:
    """Fill ClickHouse: a table ordered for each question."""
    from chdb import session  # type: ignore[import-not-found, unused-ignore] # not among what Trail needs

    target, file = session.Session(str(_peer(folder, "chdb") / "tables")), _peer(folder, "chdb") / "given.parquet"
    create = (
        "create table {} engine = MergeTree order by ({})"
        " settings allow_nullable_key = 1, index_granularity = 1024 as select * from {}"
    )
    target.query("create database trail")
    with connect(settings_of(folder)) as source:
        for name, query in _given(source, days):
            if name in _ORDERS:
                source.execute(f"copy ({query}) to '{file}'")
                target.query(create.format(f"trail.{name}", _ORDERS[name], f"file('{file}')"))
    for name, of in (("visits_of", "trail.visits"), ("errors_of", "trail.acts where status >= 400")):
        target.query(create.format(f"trail.{name}", _ORDERS[name], of))
    file.unlink()


def by_chdb(folder: Path) -> None:
    """Ask ClickHouse. A search scores each word by its edit distance from all terms."""
    started = time.perf_counter()
    from chdb import session

    connection = session.Session(str(_peer(folder, "chdb") / "tables"))
    connection.query("use trail")

    def run(query: str) -> list[Any]:
        return list(json.loads(str(connection.query(query, "JSONCompact")))["data"])

    def search(text: str) -> list[Any]:
        whole, words = _sought(text)
        asked = dict.fromkeys([whole, *words])
        found = " union all ".join(_CHDB_WORD.format(word=word, wrong=1 if len(word) < 7 else 2) for word in asked)
        best = run(f"select user_id, sum(s) as s from ({found}) group by user_id order by s desc limit 20")
        return [user for user, _ in best]

    _ask_peer(folder, "chdb", time.perf_counter() - started, search, run)


_CHDB_WORD = """
select user_id, max(multiIf(term = '{word}', 1, startsWith(term, '{word}'), 0.9, position(term, '{word}') > 0, 0.75,
    0.9 - 0.1 * damerauLevenshteinDistance(term, '{word}'))) * length('{word}') as s
from terms
where position(term, '{word}') > 0 or (abs(toInt32(length(term)) - toInt32(length('{word}'))) <= {wrong}
    and damerauLevenshteinDistance(term, '{word}') <= {wrong})
group by user_id
"""


def _sought(text: str) -> tuple[str, list[str]]:
    """A question as a whole, and its words as they stand among the terms: without accents, apostrophes and tags."""
    whole = re.sub(r"\+[^@\s]*", "", folded(text).replace("'", "").replace("\\", ""))
    parts = [[part] if "@" in part else re.findall(r"[^\W_]+", part) for part in whole.split()]
    return whole, [word for part in parts for word in part if len(word) > 1]


def _ask_peer(folder: Path, name: str, opened: float, search: Ask, run: Callable[[str], list[Any]]) -> None:
    def user(user_id: str) -> list[Any]:
        _, *found = (run(query.format(user=user_id, last=_LAST)) for query in _USER)
        return [row for rows in found for row in rows]

    def visit(visit_id: str) -> list[Any]:
        ((_, visitor, who, begin, end, *_),) = run(f"select * from visits where visit_id = '{visit_id}'")
        day = datetime.strptime(visit_id[:8], "%Y%m%d").replace(tzinfo=UTC)
        asked = {"visit": visit_id, "visitor": visitor, "user": who, "begin": begin, "end": end, "day": visit_id[:8]}
        asked["day_after"] = f"{day + timedelta(days=1):%Y%m%d}"
        run(_USUAL[name].format(**asked))
        acts, loads, _, _ = (run(query.format(**asked)) for query in _VISIT_ASKED)
        run(_USER[0].format(user=who))
        return [*acts, *loads]

    ((since,),) = run("select min(visit_id) from visits")
    _ask_all(folder, opened, search, user, visit, since)


def _peer(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir(exist_ok=True)
    return made


_CALL = """
import sys
from pathlib import Path
from tests.benchmarks import support_questions
support_questions.{}(Path(sys.argv[1]), *map(int, sys.argv[2:]))
"""


MAKE = """
import sys
from pathlib import Path
from tests.benchmarks.support_year import make
make(Path(sys.argv[1]), *map(int, sys.argv[2:]))
"""


def main() -> None:
    """Make the tables where they are not there, let each tool answer, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=100_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--questions", type=int, default=200, help="of each kind")
    parser.add_argument("--folder", type=Path, help="keep the tables here, or use those that are here")
    parser.add_argument("--peers", nargs="*", choices=("sqlite", "chdb"), default=["sqlite", "chdb"])
    parser.add_argument("--peer-days", type=int, default=_ALL, help="give the others the last days only")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        if not (folder / "questions.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            sizes = map(str, (asked.users, asked.requests, asked.days, asked.questions))
            subprocess.run([sys.executable, "-c", MAKE, str(folder), *sizes], check=True)
        _print_sizes(folder)
        for tool in ("trail", *asked.peers):
            if tool == "chdb" and importlib.util.find_spec("chdb") is None:
                print("chdb is not installed: left out")
            else:
                _print_measured(folder, tool, asked.peer_days)


def _print_sizes(folder: Path) -> None:
    with connect(settings_of(folder)) as connection:
        found = connection.execute(_SIZES).fetchone() or ()
    stored = sum(path.stat().st_size for path in (folder / "warehouse").rglob("*.parquet"))
    print("{:,} users, {:,} Businesses; {:,} requests over {:,} days, {:,} acts, {:,} visits; ".format(*found), end="")
    print(f"{stored / 1e9:,.2f} GB of Parquet\n{'milliseconds':<24}{'of the clock':>24}{'of processors':>21}")
    print(f"{'':<16}{'asked':>8}{'p50':>8}{'p95':>8}{'max':>8}{'p50':>13}{'p95':>8}{'rows':>10}{'found':>8}")


_SIZES = """
select (select count(*) from users), (select count(*) from businesses), count(*), count(distinct date),
    (select count(*) from clickstream), (select count(*) from visits)
from requests
"""


def _print_measured(folder: Path, tool: str, days: int) -> None:
    """Have a tool answer in a process of its own, and print how long it took."""
    python = [sys.executable, "-c"]
    loaded = ""
    if tool != "trail":
        loading = measure([*python, _CALL.format(f"load_{tool}"), str(folder), str(days)])
        stored = sum(path.stat().st_size for path in (folder / tool).rglob("*") if path.is_file()) / 1e9
        which = "all days" if days == _ALL else f"the last {days} days"
        loaded = f"has {which}, {stored:,.2f} GB, loaded in {loading.seconds:,.0f} s; "
    told = json.loads(measure([*python, _CALL.format(f"by_{tool}"), str(folder)]).printed.splitlines()[-1])
    for name in ("search", "user", "visit"):
        clock, worked = (np.array(part) * 1000 for part in zip(*told[name]["taken"], strict=True))
        numbers = [*np.percentile(clock, (50, 95, 100)), *np.percentile(worked, (50, 95))]
        found = f"{told[name]['found'] / len(clock):>8.3f}" if name == "search" else ""
        line = "".join(f"{number:>{width}.1f}" for number, width in zip(numbers, (8, 8, 8, 13, 8), strict=True))
        print(f"{name:<8}{tool:<8}{len(clock):>8}{line}{told[name]['rows']:>10,}{found}", flush=True)
    memory = f"{told['opened_mb']:,.0f} MB then, {told['peak_mb']:,.0f} MB at most"
    print(f"        {tool} {loaded}opens in {told['opened_s']:.1f} s with {memory}", flush=True)
    if tool != "trail":
        shutil.rmtree(folder / tool)


if __name__ == "__main__":
    main()
