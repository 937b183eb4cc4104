"""The clocks that logs write, read exactly: distinct texts to microseconds since 1970, UTC.

What a missing zone means is a setting and is decided by the caller.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MICROS = 1_000_000
_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_MONTH_CODES = {int.from_bytes(name, "big"): number for name, number in _MONTHS.items()}
_CLF_WIDTH = len("17/May/2015:10:05:03")
_DIGIT_PLACES = (0, 1, 7, 8, 9, 10, 12, 13, 15, 16, 18, 19)
_PUNCTUATION = {2: b"/", 6: b"/", 11: b":", 14: b":", 17: b":"}
_CLF = re.compile(r"(\d\d)/([A-Z][a-z][a-z])/(\d{4}):(\d\d):(\d\d):(\d\d)", re.ASCII)
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_ZONE = re.compile(r"([+-])([01]\d|2[0-3])([0-5]\d)")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
_MILLENNIUM, _MILLENNIUM_MICROS = "2000-01-01T00:00:00", 946_684_800 * MICROS
_SECOND_WIDTH = len(_MILLENNIUM)
_EPOCH = re.compile(r"\d{9,11}(?:\.\d{1,9})?", re.ASCII)
_FINE_EPOCHS = {13: (1000, 1), 16: (1, 1), 19: (1, 1000)}  # digits: factor and divisor to microseconds
_EARLIEST = 788_918_400 * MICROS  # 1995: no web server logged before
_LATEST = 4_102_444_800 * MICROS  # 2100

Micros = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def read_clf_clocks(values: pa.Array, prefix: int = 0) -> tuple[Micros, Mask]:
    """Read distinct common-log clocks such as `17/May/2015:10:05:03`.

    Args:
        values: the texts, a string array without nulls.
        prefix: bytes to skip before each clock (1 for a leading bracket).

    Returns:
        Microseconds since 1970 as if the clock were UTC, and which of the texts are clocks. A leap second (`:60`) is
        the second after `:59`.
    """
    width = _CLF_WIDTH + prefix
    fixed = np.asarray(values.cast(pa.binary()).to_numpy(zero_copy_only=False), dtype=object)
    lengths = np.fromiter((len(text) for text in fixed), dtype=np.int64, count=len(fixed))
    valid = lengths == width
    chars = np.zeros((len(fixed), width), dtype=np.uint8)
    if valid.any():
        joined = b"".join(fixed[valid].tolist())
        chars[valid] = np.frombuffer(joined, dtype=np.uint8).reshape(-1, width)
    chars = chars[:, prefix:]
    for place, mark in _PUNCTUATION.items():
        valid &= chars[:, place] == mark[0]
    digits = chars[:, _DIGIT_PLACES].astype(np.int64) - ord("0")
    valid &= ((digits >= 0) & (digits <= 9)).all(axis=1)
    month_codes = chars[:, 3:6].astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    months = np.zeros(len(fixed), dtype=np.int64)
    for code, number in _MONTH_CODES.items():
        months[month_codes == code] = number
    day = digits[:, 0] * 10 + digits[:, 1]
    year = digits[:, 2] * 1000 + digits[:, 3] * 100 + digits[:, 4] * 10 + digits[:, 5]
    hour, minute, second = (digits[:, place] * 10 + digits[:, place + 1] for place in (6, 8, 10))
    valid &= (months > 0) & (day >= 1) & (hour <= 23) & (minute <= 59) & (second <= 60) & (year >= 1995)
    month_start = ((year - 1970) * 12 + np.maximum(months, 1) - 1).astype("datetime64[M]")
    date = month_start.astype("datetime64[D]") + (day - 1)
    valid &= date.astype("datetime64[M]") == month_start
    seconds = date.astype(np.int64) * 86_400 + hour * 3_600 + minute * 60 + second
    return np.where(valid, seconds * MICROS, 0), valid


@lru_cache(maxsize=4096)
def read_clf_clock(text: str) -> int | None:
    """Read one common-log clock, as `read_clf_clocks` does many; None where it is none."""
    found = _CLF.fullmatch(text)
    month = _MONTHS.get(found[2].encode()) if found else None
    if found is None or month is None:
        return None
    day, year, hour, minute, second = (int(found[place]) for place in (1, 3, 4, 5, 6))
    if hour > 23 or minute > 59 or second > 60 or year < 1995:
        return None
    try:
        days = date(year, month, day).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        return None
    return (days * 86_400 + hour * 3_600 + minute * 60 + second) * MICROS


def write_clf_clock(micros: int, zone: str) -> str | None:
    """Write an instant, in microseconds, as the common log does; None where the zone is not such as `+0330`."""
    ahead = read_zone(zone)
    if ahead is None:
        return None
    local = _EPOCH_START + timedelta(microseconds=micros + ahead)
    month = list(_MONTHS)[local.month - 1].decode()
    return f"{local:%d}/{month}/{local.year:04}:{local:%H:%M:%S} {zone}"


def write_instant(micros: int, zone: str) -> str | None:
    """Write an instant, in microseconds, in ISO 8601 with a zone such as `Z`, `+0330` or `+03:30`, else None.

    Digits of the second are none, three or six, as few as hold the instant.
    """
    ahead = 0 if zone == "Z" else read_zone(zone.replace(":", ""))
    if ahead is None:
        return None
    local = _EPOCH_START + timedelta(microseconds=micros + ahead)
    unit = "seconds" if micros % MICROS == 0 else "milliseconds" if micros % 1000 == 0 else "microseconds"
    return f"{local.replace(tzinfo=None).isoformat(timespec=unit)}{zone}"


def read_local_clock(text: str) -> int | None:
    """Read a common-log clock with a fraction and no zone, such as HAProxy's `25/Feb/2019:16:19:48.143`, as if UTC."""
    bare, _, fraction = text.partition(".")
    clock = read_clf_clock(bare)
    if clock is None or not (text.isascii() and (fraction or "0").isdigit()):
        return None
    return clock + int((fraction + "000000")[:6])


def read_zone(text: str) -> int | None:
    """Return the microseconds that a zone such as `+0330` is ahead of UTC, or None where it is no zone."""
    found = _ZONE.fullmatch(text)
    if not found:
        return None
    sign = 1 if found[1] == "+" else -1
    return sign * (int(found[2]) * 60 + int(found[3])) * 60 * MICROS


def read_instant(text: str) -> tuple[int, str | None] | None:
    """Read an ISO 8601 instant or a time since 1970: seconds (`1457212800.123`), or finer, known by its digits.

    Returns:
        Microseconds since 1970 (digits beyond are cut), as if UTC where the text has no zone, and the zone as written
        (`Z` for UTC; None where the text has none). None where the text is no instant from 1995 to 2099.
    """
    if _EPOCH.fullmatch(text):
        whole, _, fraction = text.partition(".")
        return _within(int(whole) * MICROS + int((fraction + "000000")[:6]), "Z")
    if len(text) in _FINE_EPOCHS and text.isascii() and text.isdigit():
        factor, divisor = _FINE_EPOCHS[len(text)]
        return _within(int(text) * factor // divisor, "Z")
    if not _ISO.fullmatch(text):
        return None
    zone_at = max(text.rfind("+"), text.rfind("-", 11), text.rfind("Z"))
    zone = text[zone_at:] if zone_at > 10 else None
    bare = (text[:zone_at] if zone else text).replace(",", ".")
    whole, _, fraction = bare.partition(".")
    try:
        moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    except ValueError:
        return None
    micros = int(moment.timestamp()) * MICROS + int((fraction + "000000")[:6])
    if zone and zone != "Z":
        ahead = read_zone(zone.replace(":", ""))
        if ahead is None:
            return None
        micros -= ahead
    return _within(micros, zone)


def read_instants(values: pa.Array) -> tuple[Micros, pa.Array, Mask]:
    """Read distinct instants, as `read_instant` does one; seconds and what follows them each once.

    Args:
        values: the texts, a string array without nulls.

    Returns:
        Microseconds since 1970, the zones as written, and which of the texts are instants.
    """
    seconds = pc.utf8_slice_codeunits(values, 0, _SECOND_WIDTH).dictionary_encode()
    rests = pc.utf8_slice_codeunits(values, _SECOND_WIDTH).dictionary_encode()
    whole = [text if len(text) == _SECOND_WIDTH else "" for text in seconds.dictionary.to_pylist()]
    starts = [read_instant(f"{text}Z") for text in whole]
    offsets = [read_instant(f"{_MILLENNIUM}{text}") for text in rests.dictionary.to_pylist()]
    second, rest = (part.indices.to_numpy(zero_copy_only=False) for part in (seconds, rests))
    micros = np.array([found[0] if found else 0 for found in starts], dtype=np.int64)[second]
    micros += np.array([found[0] - _MILLENNIUM_MICROS if found else 0 for found in offsets], dtype=np.int64)[rest]
    is_instant = np.array([found is not None for found in starts], dtype=np.bool_)[second]
    is_instant &= np.array([found is not None for found in offsets], dtype=np.bool_)[rest]
    is_instant &= (micros >= _EARLIEST) & (micros < _LATEST)
    zones = pa.array([found[1] if found else None for found in offsets], pa.string()).take(rests.indices)
    others = np.flatnonzero(~is_instant)  # since 1970, or near the first or last instant
    if len(others):
        found = [read_instant(text) for text in values.take(pa.array(others)).to_pylist()]
        micros[others] = [entry[0] if entry else 0 for entry in found]
        is_instant[others] = [entry is not None for entry in found]
        written = pa.array([entry[1] if entry else None for entry in found], pa.string())
        is_other = np.zeros(len(values), dtype=np.bool_)
        is_other[others] = True
        zones = pc.replace_with_mask(zones, pa.array(is_other), written)
    return micros, zones, is_instant


def _within(micros: int, zone: str | None) -> tuple[int, str | None] | None:
    return (micros, zone) if _EARLIEST <= micros < _LATEST else None
