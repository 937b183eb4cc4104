"""Passwords of local accounts: how one is hashed, and whether one fits a hash. Whose it is does not belong here."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode

SHORTEST = 12
_LOG2_N, _R, _P = 15, 8, 1
_MEMORY = 64 * 1024 * 1024  # scrypt takes 128 * n * r = 32 MiB, which OpenSSL's default refuses by a hair
# One set of costs only: an unknown name is compared with a hash of no password, which has to cost as much as any.
_HASH = re.compile(rf"scrypt\${_LOG2_N}\${_R}\${_P}\$([\w-]{{22}}==)\$([\w-]{{43}}=)", re.ASCII)


def hash_password(password: str) -> str:
    """Return the hash of a password under a new salt, as the `access` file keeps it."""
    salt = secrets.token_bytes(16)
    return _written(salt, _key(password, salt))


def is_hash(text: str) -> bool:
    """Whether a text is a hash as `hash_password` writes it."""
    return _HASH.fullmatch(text) is not None


def matches(password: str, hashed: str) -> bool:
    """Whether a password is the hashed one; takes as long for every wrong one.

    Args:
        password: as typed.
        hashed: what `hash_password` wrote.
    """
    parts = _HASH.fullmatch(hashed)
    assert parts is not None
    salt, key = (urlsafe_b64decode(part) for part in parts.groups())
    return hmac.compare_digest(_key(password, salt), key)


def _key(password: str, salt: bytes) -> bytes:
    # Keyboards differ in how they write an accented letter.
    typed = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(typed, salt=salt, n=2**_LOG2_N, r=_R, p=_P, maxmem=_MEMORY, dklen=32)


def _written(salt: bytes, key: bytes) -> str:
    parts = (urlsafe_b64encode(part).decode("ascii") for part in (salt, key))
    return "$".join(("scrypt", str(_LOG2_N), str(_R), str(_P), *parts))


NOBODYS = _written(secrets.token_bytes(16), secrets.token_bytes(32))
