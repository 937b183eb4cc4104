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
        `rank`, by which the lowest that matches wins; `channel`; the medium of `referrer`; and a pattern each for
        `source`, `medium` and `campaign`. Null where anything will do; all that are there must match.
    """
    told = tomllib.loads(Path(__file__).with_name("channels.toml").read_text(encoding="utf-8"))
    ranks = count(1)
    rows = [
        {"rank": next(ranks), "channel": channel, **_anchored(patterns)}
        for channel, lines in told["channels"].items()
        for line in lines
        for patterns in _alternatives(line, told["sites"], told["paid_medium"])
    ]
    schema = pa.schema([("rank", pa.int64()), *((name, pa.string()) for name in ("channel", *CONDITIONS))])
    return pa.Table.from_pylist(rows, schema=schema)


def _anchored(patterns: Mapping[str, str]) -> dict[str, str]:
    return {name: text if name == "referrer" else f"^(?s:{text})$" for name, text in patterns.items()}


def _alternatives(
    line: Mapping[str, Any], sites: Mapping[str, list[str]], paid_medium: str
) -> Iterator[dict[str, str]]:
    """Write a line as patterns alone; of which any will do."""
    bare = {name: text for name, text in line.items() if name in CONDITIONS}
    by_site: list[dict[str, str]] = [{}]
    if "site" in line:
        names = "|".join(sites[line["site"]])
        named = rf"{names}|(?:www\.|m\.|l\.|lm\.|old\.)?(?:{names})\.(?:com|net|org|ai|(?:com?\.)?[a-z]{{2}})"
        by_site = [{"source": named}]
        by_site += [{"source": "", "referrer": line["site"]}] if line["site"] in _MEDIA else []
    by_payment = [{"referrer": "paid"}, {"medium": paid_medium}] if line.get("paid") else [{}]
    for parts in product([bare], by_site, by_payment):
        names_told = [name for part in parts for name in part]
        doubled = {name for name in names_told if names_told.count(name) > 1}
        if doubled - {"referrer"}:
            raise ValueError(f"channels.toml: {doubled} told twice in {dict(line)}")
        if not doubled:  # a referrer cannot be of two media
            yield {name: text for part in parts for name, text in part.items()}
