"""Keys and keyed hashes of the log of who looked; what is hashed with them does not belong here."""

from __future__ import annotations

import hmac

_USER_LENGTH = 32


def access_key(settings_secret: str) -> bytes:
    """Return the key of the log of who looked.

    Args:
        settings_secret: the setting `secret`.
    """
    return hmac.digest(settings_secret.encode(), b"trail access log", "sha256")


def keyed(key: bytes, purpose: str, data: bytes) -> str:
    """Hash data under a key of its own for each purpose, so that a hash made for one says nothing for another.

    Args:
        key: the log's key.
        purpose: what the hash is for.
        data: what is hashed.

    Returns:
        An HMAC-SHA256 in hexadecimal digits.
    """
    return hmac.new(hmac.digest(key, purpose.encode(), "sha256"), data, "sha256").hexdigest()


def user_hash(key: bytes, user_id: str) -> str:
    """Return what stands for a user in the log.

    Args:
        key: the log's key.
        user_id: the service's own id.
    """
    return keyed(key, "user", user_id.encode("utf-8", "surrogatepass"))[:_USER_LENGTH]
