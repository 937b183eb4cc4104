"""How JSON lines are written: those of one writer differ in their values only, what stands between is the same.

What is between two quotes is by turns a key or a text, and what is outside of them. Lists and objects inside of the
object do not belong here, nor what a value means.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.formats.json_lines import is_unicode

QUOTE = b'"'
_BACKSLASH = b"\\"
_HIDDEN_BACKSLASH, _HIDDEN_QUOTE = b"\x02", b"\x01"  # a text of JSON holds no control characters but escaped ones
ESCAPED = r"[\\\x02]"  # what a text holds with something escaped, hidden or not
_WORD = 8
_MOST_MEMBERS, _LONGEST_PART = 256, 256
_OPENING, _TEXT, _AFTER_TEXT = re.compile(rb"\{ *"), re.compile(rb" *: *"), re.compile(rb" *, *")
_SCALAR = re.compile(rb'( *: *)[^ "{}\[\],:]+( *, *| *\} *)')
_END = re.compile(rb" *\} *")

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


def hide_escapes(lines: bytes) -> bytes:
    """Put other bytes for escaped backslashes and quotes, as many, so that each quote left begins or ends a text.

    Args:
        lines: without control characters but their newlines.
    """
    if _BACKSLASH not in lines:
        return lines
    hidden = lines.replace(_BACKSLASH * 2, _HIDDEN_BACKSLASH * 2)
    return hidden.replace(_BACKSLASH + QUOTE, _HIDDEN_BACKSLASH + _HIDDEN_QUOTE)


def unescape(text: str) -> str | None:
    """Read a text with hidden escapes; None where it is no text of JSON, or could not be stored."""
    shown = text.encode().replace(_HIDDEN_BACKSLASH, _BACKSLASH).replace(_HIDDEN_QUOTE, QUOTE)
    try:
        read: str = json.loads(QUOTE + shown + QUOTE)
    except ValueError:
        return None
    return read if is_unicode(read) and "\0" not in read else None


@dataclass(frozen=True)
class Member:
    """A key of the object.

    Attributes:
        key: as it is written.
        part: which part of the line holds its value, a text; or, with what stands around it, a number or a literal.
        before: what stands before a value that is no text; None for a text.
        after: what stands behind it.
    """

    key: bytes
    part: int
    before: bytes | None = None
    after: bytes = b""


@dataclass(frozen=True)
class Shape:
    """What lines that are written alike have in common.

    Attributes:
        members: keys in their order.
        parts: what stands between quotes; None where that is a value.
    """

    members: tuple[Member, ...]
    parts: tuple[bytes | None, ...]

    def fits(self, chars: bytes, starts: Places, ends: Places, quotes: Places) -> Mask:
        """Tell which lines are of this shape, but for what their values are.

        Args:
            chars: the lines' bytes, and at least seven more.
            starts: where each line begins.
            ends: where each line ends.
            quotes: where its quotes are, a row a line, of which there are as many as the shape has.
        """
        words = np.ndarray(len(chars) - _WORD + 1, "<u8", chars, strides=(1,))
        left = np.arange(len(starts))  # only those are looked at further, so that no byte is read twice
        for number, part in enumerate(self.parts):
            if part is None:
                continue
            first = quotes[left, number - 1] + 1 if number else starts[left]
            last = quotes[left, number] if number < quotes.shape[1] else ends[left]
            is_as_long = last - first == len(part)
            left, first = left[is_as_long], first[is_as_long]
            for place in range(0, len(part), _WORD):
                piece = part[place : place + _WORD]
                mask = np.uint64((1 << 8 * len(piece)) - 1)
                is_same = (words[first + place] & mask) == np.uint64(int.from_bytes(piece, "little"))
                left, first = left[is_same], first[is_same]
        fine = np.zeros(len(starts), dtype=np.bool_)
        fine[left] = True
        return fine


def find_shape(line: bytes) -> Shape | None:
    """Find how a line is written; None where it is not one object of some texts, numbers and literals, each key once.

    Args:
        line: with its escapes hidden.
    """
    parts = line.split(QUOTE)
    shown: list[bytes | None] = list(parts)
    members: list[Member] = []
    if len(parts) % 2 == 0 or len(parts) > 4 * _MOST_MEMBERS or not _OPENING.fullmatch(parts[0]):
        return None
    place = 1
    while place + 1 < len(parts):
        key, between = parts[place], parts[place + 1]
        scalar = _SCALAR.fullmatch(between)
        if scalar:
            members.append(Member(key, place + 1, *scalar.groups()))
            shown[place + 1] = None
            place += 2
            after = scalar[2]
        elif _TEXT.fullmatch(between) and place + 3 < len(parts):
            members.append(Member(key, place + 2))
            shown[place + 2] = None
            after = parts[place + 3]
            place += 4
        else:
            return None
        is_last = place >= len(parts)
        if not (_END if is_last else _AFTER_TEXT).fullmatch(after):
            return None
    keys = {member.key for member in members}
    is_plain = len(keys) == len(members) and not any(re.search(ESCAPED.encode(), key) for key in keys)
    is_plain &= all(len(part) <= _LONGEST_PART for part in shown if part is not None)
    return Shape(tuple(members), tuple(shown)) if members and is_plain else None
