"""How far a file is read: what the settings allow of what compression may hide.

Reading itself does not belong here, nor how much is held at a time: that is bounded whatever a file holds.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.settings import Settings, size_in_bytes

FREE_BYTES = 64 << 20  # so much is read whatever the ratio: it takes a second, and small logs may be very repetitive
STOPPED = "stopped at "


@dataclass(frozen=True)
class Limit:
    """Where reading of a file stops.

    Attributes:
        bytes: of the file, decompressed.
        problem: what is said of a file that goes on there.
    """

    bytes: int
    problem: str


def limit_of(size: int, settings: Settings) -> Limit:
    """Say where reading of a file stops.

    Args:
        size: bytes of the file as it lies on the disk.
        settings: the limits.
    """
    by_ratio = max(FREE_BYTES, size * settings.ratio_limit)
    by_size = size_in_bytes(settings.file_limit)
    if by_size <= by_ratio:
        return Limit(by_size, _problem(by_size, f"file_limit is {settings.file_limit}"))
    times = f"{by_ratio // max(size, 1):,} times the file's size: ratio_limit is {settings.ratio_limit:,}"
    return Limit(by_ratio, _problem(by_ratio, times))


def _problem(stopped_at: int, why: str) -> str:
    return f"{STOPPED}{stopped_at:,} decompressed bytes, {why}; raise it if this is a log"
