"""A request target to path, query, campaign, route and kind.

A route must not depend on when it was computed: the rules here and in the settings look at one path alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_plus

from pipeline.settings import Settings

ROUTE_RULES_VERSION = "1"
_LONGEST_PATH = 2048
_LONGEST_VALUE = 256
_MOST_PAIRS = 100
_PAID_MEDIUMS = frozenset(
    [
        "cpc",
        "ppc",
        "paid",
        "paidsearch",
        "paid-search",
        "paid_search",
        "paidsocial",
        "paid-social",
        "paid_social",
        "retargeting",
        "cpm",
        "cpv",
        "cpa",
        "cpp",
        "display",
        "banner",
        "interstitial",
    ]
)
_CLICK_ID = re.compile(r"(?:^|&)(?:gclid|gbraid|wbraid|msclkid|dclid|ttclid|yclid|li_fat_id|twclid)=")
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d(?:-\d\d)?", re.ASCII)
_NUMBER = re.compile(r"\d{1,40}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{8,128}", re.IGNORECASE | re.ASCII)
_EMAIL = re.compile(r"[^@/]{1,64}(?:@|%40)[^@/]{1,255}", re.IGNORECASE)
_DIGIT = re.compile(r"\d", re.ASCII)
_MAY_VARY = re.compile(r"[0-9@]|%40|[^/]{20}")
_TOKEN = re.compile(r"[A-Za-z0-9_=-]{20,}", re.ASCII)
_HASHED_NAME = re.compile(r"(.{1,100}?)([.-])([0-9a-f]{8,64})(\.[a-z0-9.]{1,12})", re.IGNORECASE | re.ASCII)

_ASSETS = frozenset(
    [
        "avif",
        "bmp",
        "css",
        "cur",
        "eot",
        "gif",
        "ico",
        "jpeg",
        "jpg",
        "js",
        "jsm",
        "json5",
        "less",
        "map",
        "mjs",
        "mp3",
        "mp4",
        "ogg",
        "otf",
        "png",
        "scss",
        "svg",
        "swf",
        "ts",
        "ttf",
        "wasm",
        "wav",
        "webm",
        "webmanifest",
        "webp",
        "woff",
        "woff2",
    ]
)
_DOWNLOADS = frozenset(
    [
        "7z",
        "apk",
        "bz2",
        "csv",
        "deb",
        "dmg",
        "doc",
        "docx",
        "epub",
        "exe",
        "gz",
        "ics",
        "iso",
        "jar",
        "mobi",
        "msi",
        "odp",
        "ods",
        "odt",
        "pdf",
        "pkg",
        "ppt",
        "pptx",
        "rar",
        "rpm",
        "rtf",
        "tar",
        "tgz",
        "txz",
        "xls",
        "xlsx",
        "xz",
        "zip",
    ]
)
_ACT_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE"))
_MACHINE_PATHS = frozenset(("/robots.txt", "/sitemap.xml", "/ads.txt", "/security.txt", "/crossdomain.xml"))


@dataclass(frozen=True)
class Target:
    """What a target says.

    Attributes:
        path: without query and fragment, as written.
        query: as written; None where there is none.
        route: the path with its variable parts named.
        kind: what the path asks for, whatever the method.
        campaign: the five UTM values in the order of `UTM`, decoded; None where absent.
        is_paid: whether the campaign says that the click was paid for, by its medium or an advertiser's click id.
    """

    path: str
    query: str | None
    route: str
    kind: str
    campaign: tuple[str | None, ...]
    is_paid: bool


def read_target(target: str, settings: Settings) -> Target:
    """Take a target apart: `/path?query`, `http://host/path`, `*` or `host:port`."""
    bare = target.partition("#")[0]
    if bare.startswith(("http://", "https://")):
        after_host = bare.split("/", 3)
        bare = f"/{after_host[3]}" if len(after_host) > 3 else "/"
    path, mark, query = bare.partition("?")
    campaign = read_campaign(query)
    is_paid = bool(query) and _is_paid(campaign[1], query)
    route, kind = read_route(path, settings), read_path_kind(path, settings)
    return Target(path, query if mark else None, route, kind, campaign, is_paid)


def _is_paid(utm_medium: str | None, query: str) -> bool:
    return (utm_medium or "").lower() in _PAID_MEDIUMS or _CLICK_ID.search(query) is not None


def read_route(path: str, settings: Settings) -> str:
    """Name the variable parts of a path: `/clients/812/notes/77` is `/clients/{id}/notes/{id}`."""
    short = path[:_LONGEST_PATH]
    named = "/".join(_segment(segment) for segment in short.split("/")) if _MAY_VARY.search(short) else short
    for rule in settings.route_rules:
        if short.startswith(rule.prefix) and len(short) > len(rule.prefix):
            rest = named[len(_prefix_route(rule.prefix)) :].partition("/")
            named = f"{_prefix_route(rule.prefix)}{{{rule.name}}}{rest[1]}{rest[2]}"
    return named


def _prefix_route(prefix: str) -> str:
    return "/".join(_segment(segment) for segment in prefix.split("/"))


@lru_cache(maxsize=1 << 16)
def _segment(segment: str) -> str:
    if not segment or not _MAY_VARY.search(segment):
        return segment
    if _NUMBER.fullmatch(segment):
        return "{id}"
    stem, dot, ending = segment.rpartition(".")
    if dot and ending.lower() in _DOWNLOADS:
        return f"{_variable(stem) or stem}.{ending}"
    named = _variable(segment)
    if named:
        return named
    hashed = _HASHED_NAME.fullmatch(segment)
    return f"{hashed[1]}{hashed[2]}{{hash}}{hashed[4]}" if hashed and _has_digit(hashed[3]) else segment


def _has_digit(text: str) -> bool:
    return _DIGIT.search(text) is not None


def _variable(text: str) -> str | None:
    if _NUMBER.fullmatch(text):
        return "{id}"
    if _UUID.fullmatch(text):
        return "{uuid}"
    if _DATE.fullmatch(text):
        return "{date}"
    if _HEX.fullmatch(text) and _has_digit(text):
        return "{hex}"
    if _EMAIL.fullmatch(text):
        return "{email}"
    is_token = _TOKEN.fullmatch(text) and _has_digit(text) and any(char.isalpha() for char in text)
    return "{token}" if is_token and not _is_words(text) else None


def _is_words(text: str) -> bool:
    """Whether a long segment reads as words joined by hyphens, such as a title, and not as a token."""
    words = re.split(r"[-_]", text)
    return len(words) > 2 and all(word.isalpha() or word.isdigit() or len(word) < 6 for word in words)


def read_campaign(query: str) -> tuple[str | None, ...]:
    """Read the UTM values of a query, decoded; the first of equal names counts."""
    if "utm_" not in query:
        return (None,) * len(UTM)
    found: dict[str, str] = {}
    for pair in query.split("&")[:_MOST_PAIRS]:
        name, _, value = pair.partition("=")
        if name in UTM and name not in found and value:
            decoded = unquote_plus(value[: 4 * _LONGEST_VALUE], errors="replace")[:_LONGEST_VALUE]
            found[name] = decoded.replace("\0", "\ufffd")
    return tuple(found.get(name) for name in UTM)


def read_path_kind(path: str, settings: Settings) -> str:
    """Tell what a path asks for, whatever the method: page, api, event, asset, download, health or other."""
    if path in settings.health_paths:
        return "health"
    if path in settings.event_paths:
        return "event"
    if not path.startswith("/"):
        return "other"
    ending = path.rpartition("/")[2].rpartition(".")
    suffix = ending[2].lower() if ending[1] else ""
    if suffix in _ASSETS:
        return "asset"
    if path.startswith(settings.api_prefixes):
        return "api"
    if suffix in _DOWNLOADS:
        return "download"
    if path in _MACHINE_PATHS or path.startswith("/.well-known/"):
        return "other"
    return "page"


def read_kind(method: str | None, path_kind: str | None) -> str:
    """Tell what kind of request it is, of its method and what its path asks for."""
    if method is None or path_kind is None:
        return "other"
    return path_kind if path_kind in ("health", "event") or method in _ACT_METHODS else "other"
