"""The channels of visits: the rules of `channels.toml` as a relation that models join.

What a referrer's medium is does not belong here; that is `enrich.referrers`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import count, product
from pathlib import Path
from typing import Any

import pyarrow as pa

_MEDIA = ("search", "social", "ai")  # lists of sites that are media of referrers too
CONDITIONS = ("referrer", "source", "medium", "campaign")


@cache
def channel_rules() -> pa.Table:
    """The rules as rows.

    Returns:
        `rank`, by which the lowest that matches wins; `channel`; and a pattern each for `referrer`, `source`, `medium`
        and `campaign`, null where anything will do. All that are there must match.
    """
    told = tomllib.loads(Path(__file__).with_name("channels.toml").read_text(encoding="utf-8"))
    ranks = count(1)
    rows = [
        {"rank": next(ranks), "channel": channel, **{name: f"^(?:{text})$" for name, text in patterns.items()}}
        for channel, lines in told["channels"].items()
        for line in lines
        for patterns in _alternatives(line, told["sites"], told["paid_medium"])
    ]
    schema = pa.schema([("rank", pa.int64()), *((name, pa.string()) for name in ("channel", *CONDITIONS))])
    return pa.Table.from_pylist(rows, schema=schema)


def _alternatives(
    line: Mapping[str, Any], sites: Mapping[str, list[str]], paid_medium: str
) -> Iterator[dict[str, str]]:
    """Write a line as patterns alone; of which any will do."""
    bare = {name: text for name, text in line.items() if name in CONDITIONS}
    by_site: list[dict[str, str]] = [{}]
    if "site" in line:
        named = rf"(?:[\w-]+\.)*(?:{'|'.join(sites[line['site']])})(?:\.[a-z]{{2,6}}){{0,2}}"  # also m.facebook.com
        by_site = [{"source": named}]
        by_site += [{"source": "", "referrer": line["site"]}] if line["site"] in _MEDIA else []
    by_payment = [{"referrer": "paid"}, {"medium": paid_medium}] if line.get("paid") else [{}]
    for parts in product([bare], by_site, by_payment):
        names = [name for part in parts for name in part]
        if len(names) == len(set(names)):  # a referrer cannot be of two media
            yield {name: text for part in parts for name, text in part.items()}
