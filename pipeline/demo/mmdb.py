"""Writes a small MaxMind database (format 2.0): a tree of address bits, and the records it leads to.

Only what the demo needs: networks that do not overlap, maps, lists, texts and numbers. Format:
maxmind.github.io/MaxMind-DB.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_METADATA = b"\xab\xcd\xefMaxMind.com"
_ARRAY = 11
_NUMBERS = {"uint16": 5, "uint32": 6, "uint64": 9}
_V4_PREFIX_BITS = 96


def write_mmdb(path: Path, networks: Sequence[tuple[str, dict[str, Any]]], kind: str, built_at: int) -> None:
    """Write a database.

    Args:
        path: its file.
        networks: networks, none inside another, with the record of each.
        kind: the database type, such as GeoLite2-City.
        built_at: seconds since 1970.
    """
    data = bytearray()
    nodes: list[list[int | None]] = [[None, None]]
    leaves: dict[tuple[int, int], int] = {}
    for text, record in networks:
        place = len(data)
        data += _encode(record)
        _plant(nodes, leaves, _bits(text), place)
    tree = bytearray()
    for number, node in enumerate(nodes):
        for side in (0, 1):
            if (number, side) in leaves:
                value = len(nodes) + 16 + leaves[number, side]
            else:
                child = node[side]
                value = len(nodes) if child is None else child
            tree += value.to_bytes(3, "big")
    metadata = {
        "binary_format_major_version": ("uint16", 2),
        "binary_format_minor_version": ("uint16", 0),
        "build_epoch": ("uint64", built_at),
        "database_type": kind,
        "description": {"en": "networks of a made-up service"},
        "ip_version": ("uint16", 6),
        "languages": ["en"],
        "node_count": ("uint32", len(nodes)),
        "record_size": ("uint16", 24),
    }
    path.write_bytes(bytes(tree) + bytes(16) + bytes(data) + _METADATA + _encode(metadata))


def _bits(text: str) -> str:
    network = ipaddress.ip_network(text)
    if network.version == 4:
        return "0" * _V4_PREFIX_BITS + f"{int(network.network_address):032b}"[: network.prefixlen]
    return f"{int(network.network_address):0128b}"[: network.prefixlen]


def _plant(nodes: list[list[int | None]], leaves: dict[tuple[int, int], int], bits: str, place: int) -> None:
    node = 0
    for bit in bits[:-1]:
        child = nodes[node][int(bit)]
        if child is None:
            child = len(nodes)
            nodes.append([None, None])
            nodes[node][int(bit)] = child
        node = child
    leaves[node, int(bits[-1])] = place


def _encode(value: Any) -> bytes:
    if isinstance(value, str):
        return _head(2, len(value.encode())) + value.encode()
    if isinstance(value, dict):
        return _head(7, len(value)) + b"".join(_encode(key) + _encode(item) for key, item in value.items())
    if isinstance(value, list):
        return _head(_ARRAY, len(value)) + b"".join(_encode(item) for item in value)
    if isinstance(value, tuple):
        kind, number = value
        digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return _head(_NUMBERS[kind], len(digits)) + digits
    raise TypeError(f"{type(value).__name__} is not written")


def _head(kind: int, size: int) -> bytes:
    """A control byte: kinds above 7 take a byte of their own, sizes above 28 too."""
    more = bytes([kind - 7]) if kind > 7 else b""
    top = (kind if kind <= 7 else 0) << 5
    if size < 29:
        return bytes([top | size]) + more
    if size < 285:
        return bytes([top | 29]) + more + bytes([size - 29])
    return bytes([top | 30]) + more + (size - 285).to_bytes(2, "big")
