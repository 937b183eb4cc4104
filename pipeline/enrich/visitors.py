"""Who asked: the browser or app, by the log's own cookie, else by a keyed hash of address and user agent.

Which user that is does not belong here; a visitor never depends on the day.
"""

from __future__ import annotations

import binascii
import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dictionaries import Codes
from pipeline.enrich.distinct import NONE, Pairs, Texts

_LONGEST_COOKIE = 256
_HASHED_AT_ONCE = 1 << 15  # texts of addresses and user agents that are Python's at a time


class Visitors:
    """Visitors met, each named once."""

    def __init__(self, ips: Texts, user_agents: Texts, cookies: Texts, secret: str) -> None:
        """Prepare.

        Args:
            ips: addresses of clients.
            user_agents: as written.
            cookies: as written.
            secret: key of the hashes, so that nobody without it can tell who a visitor is by trying addresses.
        """
        self._ips, self._user_agents, self._cookies = ips, user_agents, cookies
        self._browsers = Pairs(ips, user_agents)
        self._key = secret.encode()[:64]
        self._of_cookies = pa.array([], pa.string())
        self._of_browsers = pa.array([], pa.string())

    @property
    def nbytes(self) -> int:
        """About how much memory they take."""
        return int(self._of_cookies.nbytes + self._of_browsers.nbytes) + self._browsers.nbytes

    def browsers(self, ip: Codes, user_agent: Codes, cookie: Codes) -> Codes:
        """Number the browsers of rows that have no cookie; -1 for the others."""
        browsers = np.full(len(cookie), NONE)
        is_bare = cookie < 0
        if is_bare.any():
            browsers[is_bare] = self._browsers.numbers(ip[is_bare], user_agent[is_bare])
        return browsers

    def column(self, cookie: Codes, browser: Codes) -> tuple[Codes, pa.Array]:
        """Give the visitor of each row as code and texts, of the numbers of its cookie and its browser."""
        new_cookies = self._cookies.known[len(self._of_cookies) :]
        self._of_cookies = pa.concat_arrays([self._of_cookies, self._named_by_cookie(new_cookies)])
        new_browsers = np.arange(len(self._of_browsers), len(self._browsers))
        named = [
            self._named_by_browser(new_browsers[start : start + _HASHED_AT_ONCE])
            for start in range(0, len(new_browsers), _HASHED_AT_ONCE)
        ]
        self._of_browsers = pa.concat_arrays([self._of_browsers, *named])
        codes = np.where(browser >= 0, browser + np.int32(len(self._of_cookies)), cookie)
        return codes, pa.concat_arrays([self._of_cookies, self._of_browsers])

    def _named_by_cookie(self, cookies: pa.Array) -> pa.Array:
        return pa.array([f"c-{self._shortened(cookie)}" for cookie in cookies.to_pylist()], pa.string())

    def _shortened(self, cookie: str) -> str:
        if len(cookie) <= _LONGEST_COOKIE:
            return cookie
        return hashlib.blake2b(cookie.encode(), key=self._key, digest_size=16).hexdigest()

    def _named_by_browser(self, numbers: npt.NDArray[np.int64]) -> pa.Array:
        """Hash address and user agent by SipHash-2-4 under a key made of the secret."""
        left, right = self._browsers.sides(numbers)
        ips, agents = (
            pc.fill_null(side.known.take(pa.array(rows, mask=rows < 0)), "")
            for side, rows in ((self._ips, left), (self._user_agents, right))
        )
        told = pc.binary_join_element_wise(ips, agents, "\0").to_numpy(zero_copy_only=False)
        key = hashlib.blake2b(b"visitor", key=self._key, digest_size=8).hexdigest()  # SipHash takes 16 bytes
        return hex_texts("h-", pd.util.hash_array(told, hash_key=key, categorize=False))


def hex_texts(prefix: str, numbers: npt.NDArray[np.uint64]) -> pa.StringArray:
    """Write numbers as 16 hex digits each, after a prefix."""
    start = np.frombuffer(prefix.encode(), dtype=np.uint8)
    width = len(start) + 16
    chars = np.empty((len(numbers), width), dtype=np.uint8)
    chars[:, : len(start)] = start
    digits = binascii.hexlify(numbers.astype(">u8").tobytes())
    chars[:, len(start) :] = np.frombuffer(digits, dtype=np.uint8).reshape(len(numbers), 16)
    offsets = np.arange(0, (len(numbers) + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(chars))
