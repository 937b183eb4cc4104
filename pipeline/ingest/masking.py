"""Values that are not to be kept are masked before anything is written: an x for each byte, so that all else stays put.

Which values a log holds is told by `privacy/found.py`; what a line means does not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipeline.ingest.blocks import Block, Overlong, Tail

_ESCAPED = rb"\\x(?!26)[0-9A-Fa-f]{2}|\\u(?!0026)[0-9A-Fa-f]{4}|\\[^xu/?#&\s]"
_VALUE = re.compile(rb'(?:[^&#\s"\\]|' + _ESCAPED + rb"|\\/)*")
# Where a whole address stands in a parameter of another one, its own are written with escapes.
_VALUE_WITHIN = re.compile(rb'(?:[^&#\s"\\%]|%(?!26)[0-9A-Fa-f]{2})*')
_SEGMENT = re.compile(rb'(?:[^/?#&\s"\\]|' + _ESCAPED + rb")*")
_BEFORE_NAME = (*(bytes([char]) for char in b'?&;"\t '), b"\\u0026", b"\\x26", b"%26", b"%3f")
Item = Block | Overlong | Tail


def _spans(
    data: bytes, lowered: bytes, needle: bytes, value: re.Pattern[bytes], is_name: bool
) -> Iterator[tuple[int, int]]:
    """Where values begin and end that follow a name or a path."""
    place = lowered.find(needle)
    while place >= 0:
        begin = place + len(needle)
        if not is_name or place == 0 or lowered[max(place - 6, 0) : place].endswith(_BEFORE_NAME):
            found = value.match(data, begin)
            if found and found.end() > begin:
                yield begin, found.end()
        place = lowered.find(needle, begin)


class Masks:
    """Replaces the values of some query parameters, and the segments after some paths."""

    def __init__(self, rules: Sequence[str]) -> None:
        """Read the rules.

        Args:
            rules: the setting `mask`: `?name` is a query parameter, `/a/path/` what stands in a path after it; letter
                case does not matter.
        """
        self._needles = []
        for rule in rules:
            said = rule.lower().encode()
            if said.startswith(b"?"):
                self._needles += [(said[1:] + b"=", _VALUE, True), (said[1:] + b"%3d", _VALUE_WITHIN, True)]
            else:
                self._needles += [(text, _SEGMENT, False) for text in (said, said.replace(b"/", b"\\/"))]

    def apply(self, data: bytes) -> tuple[bytes, int]:
        """Mask the values in some lines.

        Args:
            data: bytes of a log.

        Returns:
            As many bytes, and how many values were masked.
        """
        lowered = data.lower() if self._needles else b""
        spans = sorted(span for needle in self._needles for span in _spans(data, lowered, *needle))
        masked, count, last = bytearray(data if spans else b""), 0, 0
        for begin, end in spans:
            count += begin >= last  # a value within another's is no value of its own
            last = max(last, end)
            masked[begin:end] = b"x" * (end - begin)
        return (bytes(masked), count) if count else (data, 0)

    def count(self, data: bytes) -> int:
        """How many values there are to be masked, masked ones among them."""
        return self.apply(data)[1]

    def of_items(self, items: Iterator[Item]) -> Iterator[tuple[Item, int]]:
        """Mask what a file is cut into; with each, how many values there were in whole lines."""
        for item in items:
            if isinstance(item, Block):
                data, count = self.apply(item.data)
                yield (replace(item, data=data) if count else item), count
            elif isinstance(item, Overlong):
                head, count = self.apply(item.head)
                yield replace(item, head=head), count
            else:
                # What is not a line yet is counted once it is one.
                yield replace(item, text=self.apply(item.text)[0]), 0
