"""Bare numbers of JSON lines put in quotes, so that Arrow's reader hands them on as they are written.

It would make one type of a column, and no text of a number that can be read back: 1.0 and 1.00 would be the same. What
a number means does not belong here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.ingest.blocks import Block

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]
Chars = npt.NDArray[np.uint8]
_QUOTE, _BACKSLASH, _COLON, _COMMA, _CLOSING, _SPACE = b'"\\:,} '
_MINUS, _DOT, _ZERO = b"-.0"
_EXPONENTS, _SIGNS = list(b"eE"), list(b"+-")
_LITERALS = list(b"ntf")  # null, true, false: Arrow looks whether they are spelled so
_MOST_DIGITS = 40


def quote_numbers(data: bytes) -> tuple[bytes, Mask]:
    """Put the bare numbers of lines in quotes.

    Args:
        data: lines that each begin with { and end with }.

    Returns:
        The lines, as many as before, and which of them must not be read so: lines with a value that is a list, an
        object or no plain number, and lines with a quote too few.
    """
    lines = Block(data, 0)
    chars = np.frombuffer(data.replace(b"\\\\", b"  "), dtype=np.uint8)  # what is left escapes the character behind it
    quotes = np.flatnonzero(chars == _QUOTE)
    quotes = quotes[chars[quotes - 1] != _BACKSLASH]
    counts = np.diff(np.append(np.searchsorted(quotes, lines.starts), len(quotes)))
    care = counts % 2 == 1
    if care.any():
        quotes = quotes[~np.repeat(care, counts)]
    closing = quotes[1::2]
    values = closing[chars[closing + 1] == _COLON] + 2
    values += chars[values] == _SPACE
    bare = values[chars[values] != _QUOTE]
    is_number = _is_digit(chars[bare]) | (chars[bare] == _MINUS)
    starts = bare[is_number]
    ends, is_plain = _ends(chars, starts)
    unread = np.concatenate((starts[~is_plain], bare[~is_number & ~np.isin(chars[bare], _LITERALS)]))
    care[np.searchsorted(lines.starts, unread, side="right") - 1] = True
    if not len(starts):
        return data, care
    written = np.frombuffer(data, dtype=np.uint8)
    return np.insert(written, np.concatenate((starts, ends)), _QUOTE).tobytes(), care


def _ends(chars: Chars, starts: Places) -> tuple[Places, Mask]:
    """Find where numbers end, and which are numbers as JSON has them, with a comma or } behind."""
    first = starts + (chars[starts] == _MINUS)
    whole = _digits_end(chars, first)
    has_fraction = chars[whole] == _DOT
    fraction = _digits_end(chars, whole + has_fraction)
    has_exponent = np.isin(chars[fraction], _EXPONENTS)
    power = fraction + has_exponent
    power += has_exponent & np.isin(chars[power], _SIGNS)
    ends = _digits_end(chars, power)
    is_number = (whole > first) & ~((chars[first] == _ZERO) & (whole > first + 1))
    is_number &= (~has_fraction | (fraction > whole + 1)) & (~has_exponent | (ends > power))
    behind = chars[ends + (chars[ends] == _SPACE)]
    return ends, is_number & ((behind == _COMMA) | (behind == _CLOSING))


def _digits_end(chars: Chars, places: Places) -> Places:
    """Move places on behind the digits that stand there, of which there may be some dozens."""
    ends = places.copy()
    inside = np.arange(len(ends))
    for _ in range(_MOST_DIGITS):
        inside = inside[_is_digit(chars[ends[inside]])]
        if not len(inside):
            break
        ends[inside] += 1
    return ends


def _is_digit(chars: Chars) -> Mask:
    return np.logical_and(chars >= _ZERO, chars <= _ZERO + 9)
