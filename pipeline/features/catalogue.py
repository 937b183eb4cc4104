"""The feature catalogue: the file in which a team says what its features and funnels are, read and checked.

Here belongs what a feature is and which features an act is a use of. How much features are used is `coverage`; what one
could be is `suggest`; what a funnel may be is `funnels`.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.features.funnels import FUNNEL_KEYS, Funnel, FunnelError, read_funnel, step_rows
from pipeline.features.patterns import PATTERN_KEYS, RULE, Pattern, PatternError, read_pattern
from pipeline.settings import SettingError, Settings

_NAME = re.compile("[a-z][a-z0-9_-]{0,59}")
_FEATURE_KEYS = ("title", "description", "owner", "patterns", "effort", "strategy")
_TEXTS = ("title", "description", "owner", "strategy")
_NUMBERS = {"status_from", "status_to"}
_SCHEMA = pa.schema([(name, pa.int64() if name in _NUMBERS else pa.string()) for name in ("feature", *RULE)])
_MOST_KEYS = 1 << 16
_MOST_WEEKS = 10_000


TOLD_BY = (
    "method",
    "host",
    "route",
    "event",
    "event_label",
    "status",
)  # columns of `clickstream` that patterns look at


class CatalogueError(SettingError):
    """The catalogue cannot be used; the message names the file, the feature or funnel, the pattern and the key."""


@dataclass(frozen=True)
class Feature:
    """A feature, as the team says it is.

    Attributes:
        name: what tables and commands call it.
        title: what pages call it; the name where nothing else is said.
        description: what somebody does with it.
        owner: who looks after it.
        patterns: its acts are those that any of them takes.
        effort: person-weeks to improve it, as the team reckons; None where nothing is said.
        strategy: what it is for, in the team's words; None where nothing is said.
    """

    name: str
    title: str
    description: str
    owner: str
    patterns: tuple[Pattern, ...]
    effort: float | None = None
    strategy: str | None = None


class Catalogue:
    """All features, which of them an act is a use of, and the funnels made of them.

    Attributes:
        features: in the order of the file.
        funnels: in the order of the file.
        titles: what pages call each feature, by name.
        rules: the relation `feature_rules`, which SQL models join: a row for each feature and way to meet it, sorted.
        version: another one whenever some feature claims other acts, and only then.
    """

    def __init__(self, features: Sequence[Feature], funnels: Sequence[Funnel] = ()) -> None:
        self.features = tuple(features)
        self.funnels = tuple(funnels)
        self.titles = {feature.name: feature.title for feature in self.features}
        rows = {(feature.name, *row) for feature in features for pattern in feature.patterns for row in pattern.rows()}
        ordered = sorted(rows, key=lambda row: [repr(value) for value in row])
        named = [dict(zip(_SCHEMA.names, row, strict=True)) for row in ordered]
        self.rules = pa.Table.from_pylist(named, schema=_SCHEMA)
        self.version = hashlib.sha256(repr(ordered).encode()).hexdigest()[:8]
        self._met = lru_cache(maxsize=_MOST_KEYS)(self._meets)

    def features_of(
        self,
        method: str | None,
        host: str | None,
        route: str | None,
        event: str | None = None,
        event_label: str | None = None,
        status: int | None = None,
    ) -> tuple[str, ...]:
        """Name the features that an act is a use of, in the order of the file; an act may be a use of several.

        Args are columns of `clickstream`. Acts that are alike in them are looked at once.
        """
        return self._met(method, host, route, event, event_label, status)

    def titles_of(self, act: Mapping[str, Any]) -> list[str]:
        """Title the features that an act is a use of, told by its row of `clickstream`."""
        return [self.titles[name] for name in self.features_of(*(act[column] for column in TOLD_BY))]

    def _meets(self, *key: Any) -> tuple[str, ...]:
        return tuple(
            feature.name for feature in self.features if any(pattern.takes(*key) for pattern in feature.patterns)
        )


NO_FEATURES = Catalogue(())


def catalogue_of(settings: Settings) -> Catalogue:
    """Read the catalogue that the settings name; one without features where they name none.

    Raises:
        CatalogueError: see `read_catalogue`.
    """
    return NO_FEATURES if settings.features is None else read_catalogue(settings.features)


def feature_rules(settings: Settings) -> pa.Table:
    """Give the catalogue's rules as a relation that models join: the columns `feature` and those of `RULE`."""
    return catalogue_of(settings).rules


def funnel_steps(settings: Settings) -> pa.Table:
    """Give the catalogue's funnels as a relation that models join; see `step_rows`."""
    return step_rows(catalogue_of(settings).funnels)


def read_catalogue(path: Path) -> Catalogue:
    """Read a catalogue; as long as the file says the same, the same one is returned.

    Raises:
        CatalogueError: it cannot be read, or something in it is wrong; with its place and what it may be.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read: {error.strerror}") from error
    return _read(content, str(path))


@lru_cache(maxsize=4)
def _read(content: bytes, source: str) -> Catalogue:
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{source}: not valid TOML: {error}") from error
    _check_keys(document, ("features", "funnels"), source)
    features = document.get("features")
    if not isinstance(features, dict) or not features:
        raise CatalogueError(f"{source}: names no feature; it must have a table for each, such as [features.notes]")
    funnels = document.get("funnels", {})
    if not isinstance(funnels, dict):
        raise CatalogueError(f"{source}: funnels must be a table for each funnel, such as [funnels.onboarding]")
    return Catalogue(
        [_feature(name, said, source) for name, said in features.items()],
        [_funnel(name, said, tuple(features), source) for name, said in funnels.items()],
    )


def _funnel(name: str, said: Any, features: Sequence[str], source: str) -> Funnel:
    where = f"{source}: funnel {name!r}"
    _check_table(name, said, FUNNEL_KEYS, where)
    if "description" not in said:
        raise CatalogueError(f"{where}: description is absent; every funnel has one")
    try:
        return read_funnel(name, said, features)
    except FunnelError as error:
        raise CatalogueError(f"{where}: {error}") from error


def _check_table(name: str, said: Any, known: Sequence[str], where: str) -> None:
    """Check what features and funnels have alike: a name, keys that are known, and texts."""
    if not _NAME.fullmatch(name):
        raise CatalogueError(
            f"{where}: a name must be lower case letters, digits, - and _, begin with a letter and have at most 60; "
            "`title` may be any text"
        )
    if not isinstance(said, dict):
        raise CatalogueError(f"{where} must be a table of {', '.join(known)}")
    _check_keys(said, known, where)
    for key in _TEXTS:
        if key in said and not (isinstance(said[key], str) and said[key].strip()):
            raise CatalogueError(f"{where}: {key} is {said[key]!r}; it must be a text")


def _feature(name: str, said: Any, source: str) -> Feature:
    where = f"{source}: feature {name!r}"
    _check_table(name, said, _FEATURE_KEYS, where)
    for key in ("description", "owner", "patterns"):
        if key not in said:
            raise CatalogueError(f"{where}: {key} is absent; every feature has one")
    effort = said.get("effort")
    if effort is not None and not (type(effort) in (int, float) and 0 < effort <= _MOST_WEEKS):
        raise CatalogueError(
            f"{where}: effort is {effort!r}; it must be a number of person-weeks above 0, at most {_MOST_WEEKS:,}"
        )
    return Feature(
        name,
        said.get("title", name),
        said["description"],
        said["owner"],
        tuple(_patterns(said["patterns"], where)),
        None if effort is None else float(effort),
        said.get("strategy"),
    )


def _patterns(said: Any, where: str) -> Iterable[Pattern]:
    if not isinstance(said, list) or not said:
        raise CatalogueError(
            f'{where}: patterns is {said!r}; it must be a list of tables, such as [{{ route = "/notes/**" }}]'
        )
    for number, one in enumerate(said, 1):
        place = f"{where}, pattern {number}"
        if isinstance(one, dict):
            _check_keys(one, PATTERN_KEYS, place)
        try:
            yield read_pattern(one)
        except PatternError as error:
            raise CatalogueError(f"{place}: {error}") from error


def _check_keys(said: Iterable[str], known: Sequence[str], where: str) -> None:
    for key in said:
        if key not in known:
            near = get_close_matches(key, known, 1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise CatalogueError(f"{where}: unknown key {key!r}; {meant}known: {', '.join(known)}")
