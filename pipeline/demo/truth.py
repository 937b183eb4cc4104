"""The truth beside the logs, by a plain reading of the definitions over the whole history at once.

Independent of the pipeline's SQL, so that tests can hold one against the other. `truth/requests.parquet` has a row for
each request with who made it and whom the rules may name; `truth/visits.parquet` a row for each visit of a known user;
`truth/files.parquet` a row for each delivered file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.demo.events import Event
from pipeline.demo.people import Business

GAP_MS, DAY_MS, SHARED_USERS = 1_800_000, 86_400_000, 5


@dataclass
class Act:
    """An event that counts as an act, with what is known of it."""

    event: Event
    at_ms: int
    visitor: str
    kind: str
    user: str | None
    business: str | None


@dataclass
class Visit:
    """A visit of a known user, as defined."""

    user_id: str
    business_id: str | None
    acts: list[Act]


def logged_ms(event: Event) -> int:
    """Return when an event was as its log says it: combined knows seconds only."""
    return event.at_ms // 1000 * 1000 if event.source == "site" else event.at_ms


def kind_of(event: Event) -> str | None:
    """Tell the kind of an act; None for what is no act."""
    path = event.target.partition("?")[0]
    if path.startswith("/static/") or path in ("/healthz", "/robots.txt", "/sitemap.xml") or event.method == "HEAD":
        return None
    if path.startswith("/api/"):
        return "api"
    return "download" if path.endswith(".pdf") else "page"


def cut(acts: Sequence[Act]) -> list[list[Act]]:
    """Cut acts in order where a gap is over half an hour, and at a midnight after a day that was active throughout."""
    pieces: list[list[Act]] = []
    by_day: dict[int, list[int]] = defaultdict(list)
    for act in acts:
        by_day[act.at_ms // DAY_MS].append(act.at_ms)
    for place, act in enumerate(acts):
        before = acts[place - 1] if place else None
        day_before = before.at_ms // DAY_MS if before else 0
        is_cut = (
            before is None
            or act.at_ms - before.at_ms > GAP_MS
            or (act.at_ms // DAY_MS != day_before and _is_full(day_before, by_day[day_before]))
        )
        if is_cut:
            pieces.append([])
        pieces[-1].append(act)
    return pieces


def _is_full(day: int, times: list[int]) -> bool:
    start, end = day * DAY_MS, (day + 1) * DAY_MS
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return times[0] - start <= GAP_MS and end - times[-1] <= GAP_MS and max(gaps, default=0) <= GAP_MS


def _order(act: Act) -> tuple[int, int]:
    rank = {"page": 0, "api": 2, "event": 4, "download": 6}[act.kind]
    return act.at_ms, rank + (0 if act.event.method in ("POST", "PUT", "PATCH", "DELETE") else 1)


def know(events: Iterable[Event], businesses: Sequence[Business]) -> list[Act]:
    """Say of every act whose it is, as far as the rules allow."""
    mailboxes = {user.email.lower(): user.user_id for business in businesses for user in business.users}
    acts = []
    for event in events:
        kind = kind_of(event)
        if kind is not None:
            visitor = f"c-{event.cookie}" if event.cookie else f"h-{event.ip} {event.user_agent}"
            user = event.user_id or mailboxes.get(event.login.lower())
            acts.append(Act(event, logged_ms(event), visitor, kind, user, event.business_id))
    by_visitor: dict[str, list[Act]] = defaultdict(list)
    for act in sorted(acts, key=_order):
        by_visitor[act.visitor].append(act)
    for visitor, mine in by_visitor.items():
        known = {(act.user, act.business) for act in mine if act.user}
        is_shared = len({user for user, _ in known}) > (SHARED_USERS if visitor.startswith("c-") else 1)
        for piece in cut(mine):
            here = {(act.user, act.business) for act in piece if act.user}
            source = here if here else (known if visitor.startswith("c-") else set())
            users = set() if is_shared else {user for user, _ in source}
            owned = {business for _, business in source if business}
            if len(users) == 1:
                for act in piece:
                    if act.user is None:
                        (act.user,) = users
                        act.business = next(iter(owned)) if len(owned) == 1 else None
    return acts


def visits_of(acts: Iterable[Act]) -> list[Visit]:
    """Cut each known user's acts, by Business and device, into visits."""
    by_actor: dict[tuple[str, str | None, str], list[Act]] = defaultdict(list)
    for act in sorted(acts, key=_order):
        if act.user:
            device = act.visitor if act.visitor.startswith("c-") else act.event.user_agent
            by_actor[act.user, act.business, device].append(act)
    return [Visit(user, business, piece) for (user, business, _), mine in by_actor.items() for piece in cut(mine)]


def write_truth(folder: Path, events: Sequence[Event], businesses: Sequence[Business], files: pa.Table) -> None:
    """Write the three tables of truth."""
    folder.mkdir(parents=True, exist_ok=True)
    acts = know(events, businesses)
    visits = visits_of(acts)
    known = {id(act.event): act for act in acts}
    numbers = {id(act.event): number for number, visit in enumerate(visits) for act in visit.acts}
    instant = pa.timestamp("ms", tz="UTC")
    pq.write_table(
        pa.table(
            {
                "source": [event.source for event in events],
                "occurred_at": pa.array([logged_ms(event) for event in events], instant),
                "ip": [event.ip for event in events],
                "user_agent": [event.user_agent for event in events],
                "method": [event.method for event in events],
                "target": [event.target for event in events],
                "status": [event.status for event in events],
                "visitor_cookie": [event.cookie or None for event in events],
                "true_user": [event.true_user for event in events],
                "known_user": [known[id(event)].user if id(event) in known else event.user_id for event in events],
                "known_business": [
                    known[id(event)].business if id(event) in known else event.business_id for event in events
                ],
                "is_act": [id(event) in known for event in events],
                "visit": pa.array([numbers.get(id(event)) for event in events], pa.int64()),
                "scenario": [event.scenario for event in events],
                "is_bot": [event.is_bot for event in events],
            }
        ),
        folder / "requests.parquet",
    )
    pq.write_table(
        pa.table(
            {
                "user_id": [visit.user_id for visit in visits],
                "business_id": pa.array([visit.business_id for visit in visits], pa.string()),
                "started_at": pa.array([visit.acts[0].at_ms for visit in visits], instant),
                "ended_at": pa.array([visit.acts[-1].at_ms for visit in visits], instant),
                "requests": [len(visit.acts) for visit in visits],
                "page_views": [
                    sum(act.kind == "page" and act.event.status < 400 for act in visit.acts) for visit in visits
                ],
                "errors": [sum(400 <= act.event.status < 500 for act in visit.acts) for visit in visits],
                "server_errors": [sum(act.event.status >= 500 for act in visit.acts) for visit in visits],
            }
        ),
        folder / "visits.parquet",
    )
    pq.write_table(files, folder / "files.parquet")
