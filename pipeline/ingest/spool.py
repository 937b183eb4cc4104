"""Bytes that can be had only once, kept so that they can be read as often as a file can.

Where they come from does not belong here.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, Literal, cast

_HELD_BYTES = 4 << 20


class Spool:
    """Bytes in memory while they are few, else in a file without a name, which ends with the process however that ends.

    One reader at a time.

    Attributes:
        size: how many bytes.
    """

    def __init__(self, folder: Path, held_bytes: int = _HELD_BYTES) -> None:
        """Begin an empty one.

        Args:
            folder: for the file; made where it is absent.
            held_bytes: how many bytes stay in memory.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.size = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=held_bytes, dir=str(folder))  # noqa: SIM115 closed by close

    def write(self, data: bytes) -> None:
        """Add bytes at the end."""
        self._file.seek(self.size)
        self._file.write(data)
        self.size += len(data)

    def open(self, mode: Literal["rb"], /) -> BinaryIO:  # noqa: ARG002 as a path is opened
        """Open it for reading from its start; closing what is returned keeps the bytes."""
        return cast("BinaryIO", io.BufferedReader(_View(self._file)))

    def close(self) -> None:
        """Let the bytes go."""
        self._file.close()


class _View(io.RawIOBase):
    """A place of its own in a file that others have open too."""

    def __init__(self, file: tempfile.SpooledTemporaryFile[bytes]) -> None:
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def seekable(self) -> bool:
        """Any place can be gone to."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, counted from the start or the end."""
        if whence not in (os.SEEK_SET, os.SEEK_END):
            raise io.UnsupportedOperation("only from the start or the end")
        if whence == os.SEEK_END:
            self._file.seek(offset, os.SEEK_END)
            offset = self._file.tell()
        self._position = offset
        return offset

    def tell(self) -> int:
        """Where the next byte is."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed names it Buffer
        """Read into a buffer; 0 at the end."""
        self._file.seek(self._position)
        count = self._file.readinto(buffer)
        self._position += count
        return count
