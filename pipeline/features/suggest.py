"""A first catalogue, proposed from what people did: routes are grouped by their words and by being used together.

It is a beginning for a team to rename, join and split; nothing reads it until it is named in the settings.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from pipeline.features.catalogue import Catalogue, Feature
from pipeline.features.coverage import Period, feature_use
from pipeline.features.patterns import Pattern

_MOST = 300  # patterns; a team reads no more
_TOGETHER = 0.9  # of the visits with either group, how many have both, to make one feature of them
_FEWEST_VISITS = 5  # with either, below which being together says nothing
_VERSION = re.compile(r"v\d{1,3}", re.ASCII)
_PLAIN_EVENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,59}", re.ASCII)
_SCHEMA = pa.schema([(name, pa.string()) for name in ("item", "family")])

# What people did that went well at least once: addresses that were only guessed are no features. Of what pages report,
# a word of their own; `click` and the like are of all pages.
_SEEN = """
    select
        kind = 'event' as is_event,
        case when kind = 'event' then event else route end as item,
        count(distinct user_id) as users,
        count(*) as uses
    from clickstream
    where not is_bot
        and date between $first and $last
        and (kind <> 'event' or event not in ('hide', 'show', 'still', 'view', 'click'))
    group by is_event, item
    having count(*) filter (where coalesce(status, 200) < 400) > 0
    order by users desc, uses desc, item
"""
_VISITS_WITH_BOTH = """
    with met as (
        select distinct acts.visit_id, families.family
        from clickstream as acts
        inner join suggested_families as families
            on families.item = case when acts.kind = 'event' then acts.event else acts.route end
        where not acts.is_bot and acts.date between $first and $last
    )
    select one.family, other.family, count(*)
    from met as one
    inner join met as other on other.visit_id = one.visit_id and other.family >= one.family
    group by one.family, other.family
    order by one.family, other.family
"""


@dataclass(frozen=True)
class Use:
    """How much a pattern or a feature was used in the period."""

    users: int
    uses: int

    def __str__(self) -> str:
        return f"{self.users:,} users, {self.uses:,} uses"


@dataclass(frozen=True)
class Suggestion:
    """A proposed catalogue.

    Attributes:
        features: those of most users first.
        used: how much each feature was used, by name.
        met: how much each pattern was used.
        left_out: how many routes and events are in no feature: beyond the most used, or such that no pattern is theirs
            alone, since `*` stands in them.
        period: the days that it was made of.
    """

    features: Sequence[Feature]
    used: Mapping[str, Use]
    met: Mapping[Pattern, Use]
    left_out: int
    period: Period


def suggest(connection: duckdb.DuckDBPyConnection, api_prefixes: Sequence[str], period: Period) -> Suggestion:
    """Propose a catalogue.

    Args:
        connection: with `clickstream` as a view.
        api_prefixes: how paths of the API begin, which is no part of what a route is about.
        period: the days to look at.
    """
    seen = connection.execute(_SEEN, {"first": period.first, "last": period.last}).fetchall()
    met = {
        Pattern(event=item) if is_event else Pattern(route=item): Use(users, uses)
        for is_event, item, users, uses in seen
    }
    named = [pattern for pattern in met if _is_nameable(pattern)][:_MOST]
    families: dict[str, list[Pattern]] = defaultdict(list)
    for pattern in named:
        families[_family(pattern, api_prefixes)].append(pattern)
    features: list[Feature] = []
    for joined in _joined(families, _visits_with_both(connection, families, period)):
        patterns = sorted((one for family in joined for one in families[family]), key=lambda one: -met[one].uses)
        most_used = max(sorted(joined), key=lambda family: sum(met[one].uses for one in families[family]))
        name = _name(most_used, {feature.name for feature in features})
        features.append(Feature(name, name, "to be described", "nobody yet", tuple(patterns)))
    found = feature_use(connection, Catalogue(features), period)
    used = {row["feature"]: Use(row["users"], row["uses"]) for row in found}
    features.sort(key=lambda feature: (-used[feature.name].users, -used[feature.name].uses, feature.name))
    return Suggestion(features, used, met, len(met) - len(named), period)


def _is_nameable(pattern: Pattern) -> bool:
    """Whether a pattern takes nothing but what it was made of."""
    if pattern.route is None:
        return _PLAIN_EVENT.fullmatch(pattern.event or "") is not None
    return pattern.route.startswith("/") and "*" not in pattern.route


def _family(pattern: Pattern, api_prefixes: Sequence[str]) -> str:
    """Tell what a route is about: its first word, and the first after a variable part; `clients/notes`, say."""
    if pattern.route is None:
        return str(pattern.event)
    route = pattern.route
    for prefix in api_prefixes:
        if route.startswith(prefix):
            route = route[len(prefix) :] or prefix
            break
    words: list[str] = []
    is_wanted = True
    for segment in route.split("/"):
        if "{" in segment:
            is_wanted = True
        elif is_wanted and segment and not _VERSION.fullmatch(segment):
            words.append(segment)
            is_wanted = False
    return "/".join(words[:2]) or "home"


def _visits_with_both(
    connection: duckdb.DuckDBPyConnection, families: Mapping[str, Sequence[Pattern]], period: Period
) -> dict[tuple[str, str], int]:
    """Count the visits of each pair of families, a family with itself included."""
    said = [{"item": one.route or one.event, "family": family} for family, of in families.items() for one in of]
    connection.register("suggested_families", pa.Table.from_pylist(said, schema=_SCHEMA))
    days = {"first": period.first, "last": period.last}
    return {(one, other): visits for one, other, visits in connection.execute(_VISITS_WITH_BOTH, days).fetchall()}


def _joined(families: Iterable[str], visits: Mapping[tuple[str, str], int]) -> list[set[str]]:
    """Join families that are nearly always used in the same visits."""
    group = {family: {family} for family in families}
    for (one, other), both in visits.items():
        either = visits[one, one] + visits[other, other] - both
        if either >= _FEWEST_VISITS and both >= _TOGETHER * either and group[one] is not group[other]:
            group[one] |= group[other]
            group |= dict.fromkeys(group[other], group[one])
    return list({id(joined): joined for joined in group.values()}.values())


def _name(family: str, taken: set[str]) -> str:
    words = re.sub("[^a-z0-9]+", "-", family.lower()).strip("-")[:40].rstrip("-")
    name = words if words[:1].isalpha() else f"feature-{words}".rstrip("-")
    number = 2
    while name in taken:
        name, number = f"{name.removesuffix(f'-{number - 1}')}-{number}", number + 1
    return name


def write_catalogue(suggestion: Suggestion) -> str:
    """Write a proposed catalogue as the file that `read_catalogue` reads."""
    first, last = suggestion.period.first, suggestion.period.last
    lines = [
        f"# A first catalogue, proposed from what people did from {first} to {last}. Rename, join and split features,",
        "# describe them and name owners; `trail features check FILE` tells what is wrong with a file.",
    ]
    if suggestion.left_out:
        lines.append(f"# {suggestion.left_out:,} further routes and events are in `trail features unclaimed`.")
    for feature in suggestion.features:
        lines += ["", f"[features.{feature.name}]  # {suggestion.used[feature.name]}"]
        lines += [f"{key} = {_quoted(getattr(feature, key))}" for key in ("description", "owner")]
        lines += ["patterns = [", *(_line(pattern, suggestion.met[pattern]) for pattern in feature.patterns), "]"]
    return "\n".join(lines) + "\n"


def _line(pattern: Pattern, use: Use) -> str:
    key, value = ("route", pattern.route) if pattern.route is not None else ("event", pattern.event)
    return f"    {{ {key} = {_quoted(str(value))} }},  # {use}"


def _quoted(text: str) -> str:
    """Write a text as TOML does, what does not show as an escape: whoever made a request chose its route."""
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() else f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
