"""What a line looks like: one entry a format, found per file by its first lines.

Bytes, blocks and files do not belong here; a format sees one line or the distinct values of a column.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.formats.json_lines import MAPPED_NAME, JsonFormat, MappingError, json_formats, mapped_format
from pipeline.formats.layout import LayoutError, LayoutFormat
from pipeline.formats.layouts import named_layouts
from pipeline.formats.pasted import compile_pasted, is_pasted
from pipeline.formats.reasons import REASONS, Rejected
from pipeline.formats.w3c import W3cFormat, is_header
from pipeline.formats.wrappers import WRAPPERS, WrappedFormat
from pipeline.settings import SettingError, Settings

Format = LayoutFormat | JsonFormat | W3cFormat | WrappedFormat

__all__ = [
    "REASONS",
    "Format",
    "JsonFormat",
    "LayoutFormat",
    "Rejected",
    "W3cFormat",
    "WrappedFormat",
    "check_formats",
    "find_format",
    "format_as_read",
    "format_named",
    "has_place_for",
    "known_formats",
    "pasted_name",
]


def known_formats(settings: Settings) -> list[LayoutFormat | JsonFormat]:
    """Every format that is found by trying, in that order."""
    return [*named_layouts(), *json_formats(settings.visitor_field, settings.user_field, settings.business_field)]


def format_named(name: str | None, source: str, settings: Settings, state: str | None = None) -> Format | None:
    """Return a format by the name that the ledger has, or that the settings have for a source.

    Args:
        name: of a format, also wrapped (`syslog:haproxy`); or a pasted format.
        source: whose settings count.
        settings: the settings.
        state: what the ledger noted of the file's format: what earlier lines said of later ones, or the layout of a
            pasted format, which counts where the settings no longer have one.

    Raises:
        SettingError: the source's pasted format cannot be read.
    """
    if name is None:
        return None
    pasted = settings.source(source).format
    if name == pasted_name(source) and pasted is not None and is_pasted(pasted):
        return _compiled(pasted, source, settings)
    if name == pasted_name(source):
        return LayoutFormat(name, state) if state else None
    if is_pasted(name):
        return _compiled(name, source, settings)
    if name == W3cFormat.name:
        return W3cFormat.from_state(state)
    around, mark, within = name.rpartition(":")
    inner: LayoutFormat | JsonFormat | None
    if within == MAPPED_NAME:
        inner = _mapped(source, settings)
    else:
        inner = next((known for known in known_formats(settings) if known.name == within), None)
    wrapper = next((known for known in WRAPPERS if known.name == around), None)
    if inner is None or (mark and wrapper is None):
        return None
    return WrappedFormat(wrapper, inner) if wrapper else inner


def format_as_read(name: str | None, source: str, settings: Settings, state: str | None) -> Format | None:
    """Return the format by which a file's lines were first read, whatever the settings say now.

    Args:
        name: of the format, as the ledger has it.
        source: the file's.
        settings: the settings.
        state: as in `format_named`.
    """
    if name == pasted_name(source) and state:
        return LayoutFormat(name, state)
    return format_named(name, source, settings, state)


def has_place_for(known: Format, field: str) -> bool:
    """Whether lines of a format have a place for a field, so that one without it says that there was none.

    Args:
        known: the format.
        field: a name of `formats.fields`.
    """
    if isinstance(known, WrappedFormat):
        return has_place_for(known.inner, field)
    if isinstance(known, JsonFormat):
        return field in known.keys.values()
    return field in (known.known if isinstance(known, W3cFormat) else known.names)


def find_format(lines: Sequence[str], settings: Settings, source: str = "") -> Format | None:
    """Find the format that most of a file's first lines are of.

    Args:
        lines: some first lines, without their newline; blank ones do not count.
        settings: names of the JSON fields, and the source's own format, which is taken without looking.
        source: whose file it is.

    Returns:
        The format that parses most of them (the first listed where several do), or None where none parses any.

    Raises:
        SettingError: the source's format is unknown or cannot be read.
    """
    if settings.source(source).format is not None or settings.source(source).fields:
        return _configured(source, settings)
    written = [line for line in lines if line.strip()]
    found: Format | None
    found, best = _best(written, settings)
    has_header = any(line.startswith("#Fields:") for line in written) or is_header(written)
    if has_header and 2 * best < len(written):  # one line that looks like a header makes no W3C log of others
        return W3cFormat()
    for wrapper in WRAPPERS:
        bare = [wrapper.unwrap(line) for line in written]
        if bare != written:
            inner, score = _best(bare, settings)
            if inner is not None and score > best:
                found, best = WrappedFormat(wrapper, inner), score
    return found


def check_formats(settings: Settings) -> None:
    """Look whether the formats that the settings name for sources can be read.

    Raises:
        SettingError: it names the source.
    """
    for source, own in settings.sources.items():
        if own.format is not None or own.fields:
            _configured(source, settings)


def _configured(source: str, settings: Settings) -> Format:
    configured = settings.source(source).format or MAPPED_NAME
    if settings.source(source).fields and configured.rpartition(":")[2] != MAPPED_NAME:
        raise SettingError(f"sources.{source}.fields are for the format json, not {configured!r}")
    named = format_named(configured, source, settings)
    if named is None:
        known = ", ".join((*(known.name for known in known_formats(settings)), MAPPED_NAME, W3cFormat.name))
        raise SettingError(f"sources.{source}.format is {configured!r}; it must be a pasted format or one of {known}")
    return named


def _mapped(source: str, settings: Settings) -> JsonFormat | None:
    """The format that a source's `fields` make; None where a file was read by ones that are there no more."""
    fields = settings.source(source).fields
    if not fields and settings.source(source).format is None:
        return None
    try:
        return mapped_format(fields, _who(settings))
    except MappingError as error:
        raise SettingError(f"sources.{source}.fields: {error}") from error


def _best(lines: Sequence[str], settings: Settings) -> tuple[LayoutFormat | JsonFormat | None, int]:
    found: LayoutFormat | JsonFormat | None = None
    best = 0
    for known in known_formats(settings):
        score = sum(_parses(known, line) for line in lines)
        if score > best:
            found, best = known, score
        if best == len(lines):
            break
    return found, best


def _parses(known: LayoutFormat | JsonFormat, line: str) -> bool:
    try:
        known.parse_line(line)
    except Rejected:
        return False
    return True


def pasted_name(source: str) -> str:
    """Return the name under which the ledger has a source's pasted format."""
    return f"pasted for {source}"


def _who(settings: Settings) -> dict[str, str]:
    """Fields that say who asked, by the names that the settings have for them."""
    return {
        settings.visitor_field: "visitor_cookie",
        settings.user_field: "user_id",
        settings.business_field: "business_id",
    }


def _compiled(text: str, source: str, settings: Settings) -> LayoutFormat:
    try:
        return compile_pasted(text, pasted_name(source), _who(settings))
    except LayoutError as error:
        raise SettingError(f"sources.{source}.format: {error}") from error
