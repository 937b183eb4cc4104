"""Many lines quickly, for measuring: realistic variety, in time order, over a day or more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from pipeline.demo.agents import BOTS, DESKTOPS, PHONES, REFERRERS

_BLOCK = 100_000
_START = datetime(2026, 3, 2, tzinfo=UTC)
_SECTIONS = ("clients", "notes", "reports", "calendar", "static", "api/v1/items", "invoices", "blog")
_ENDINGS = ("", "", "", "", ".js", "?page=2", "", "?q=needle&sort=asc")


def write_log(
    path: Path,
    lines: int,
    seed: int = 1,
    user_agents: int = 1000,
    addresses: int = 20_000,
    paths: int = 20_000,
    days: int = 1,
    exact_share: float = 0.0,
    is_json: bool = False,
) -> None:
    """Write a combined log, or the same as the documented JSON lines.

    Args:
        path: the file.
        lines: how many.
        seed: the same seed writes the same bytes.
        user_agents: distinct ones.
        addresses: distinct ones.
        paths: distinct ones; as with visits, few are asked for often.
        days: over how many days.
        exact_share: the share of lines whose user agent holds an escaped quote.
        is_json: whether to write JSON lines.
    """
    random = np.random.default_rng(seed)
    base = [*DESKTOPS, *PHONES, *(agent for agent in BOTS if agent)]
    agents = [f"{base[n % len(base)]} Build/{n}" if n >= len(base) else base[n] for n in range(user_agents)]
    ips = [f"{11 + n % 180}.{n // 180 % 250}.{n // 45000 % 250}.{n * 7 % 250 + 1}" for n in range(addresses)]
    targets = [f"/{_SECTIONS[n % 8]}/{n}{_ENDINGS[n // 8 % 8]}" for n in range(paths)]
    referrers = [*(referrer or "-" for referrer in REFERRERS), *(f"https://example.org/{n}" for n in range(200))]
    seconds = np.sort(random.integers(0, 86_400 * days, lines))
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for start in range(0, lines, _BLOCK):
            count = min(_BLOCK, lines - start)
            who = _skewed(random, addresses, count)
            agent = (who * 31 + random.integers(0, 2, count)) % user_agents
            what = _skewed(random, paths, count)
            origin = random.integers(0, len(referrers), count)
            status = random.choice([200, 200, 200, 200, 304, 302, 404, 500], count)
            size = random.integers(200, 90_000, count)
            exact = random.random(count) < exact_share
            clocks = {
                second: (_START + timedelta(seconds=second)).strftime(_JSON_CLOCK if is_json else _CLOCK)
                for second in np.unique(seconds[start : start + count]).tolist()
            }
            rows = zip(
                who.tolist(),
                seconds[start : start + count].tolist(),
                what.tolist(),
                status.tolist(),
                size.tolist(),
                origin.tolist(),
                agent.tolist(),
                exact.tolist(),
                strict=True,
            )
            written = _JSON if is_json else _COMBINED
            file.write(
                "".join(
                    written(
                        ips[w], clocks[s], targets[t], code, sent, referrers[o], agents[a] + (_ESCAPED if x else "")
                    )
                    for w, s, t, code, sent, o, a, x in rows
                )
            )


_ESCAPED = ' \\"x\\"'
_CLOCK, _JSON_CLOCK = "%d/%b/%Y:%H:%M:%S +0000", "%Y-%m-%dT%H:%M:%S+00:00"
_COMBINED = '{} - - [{}] "GET {} HTTP/1.1" {} {} "{}" "{}"\n'.format
_JSON = (
    '{{"remote_addr":"{}","time":"{}","method":"GET","target":"{}","protocol":"HTTP/1.1","status":{},"bytes_sent":{},'
    '"referrer":"{}","user_agent":"{}"}}\n'
).format


def _skewed(random: np.random.Generator, values: int, count: int) -> np.ndarray:
    """Draw numbers below `values`, small ones more often."""
    return (random.random(count) ** 2.5 * values).astype(np.int64)
