"""Manifests that are small to send and meant to be dear to read."""

from __future__ import annotations

from protocol.content import MANIFEST_LIMIT_BYTES

_HEAD, _TAIL = b'{"schemaVersion":2,"x":', b"}"


def _filled(item: bytes, opening: bytes, closing: bytes) -> bytes:
    room = MANIFEST_LIMIT_BYTES - len(_HEAD + opening + closing + _TAIL)
    count = room // (len(item) + 1)
    return _HEAD + opening + b",".join([item] * count) + closing + _TAIL


def _many_keys(count: int, *, last: str) -> bytes:
    keys = ",".join(f'"{number:x}":0' for number in range(count))
    return _HEAD + b"{" + keys.encode() + f',"{last}":0,"{last}":0'.encode() + b"}" + _TAIL


BOMBS = {
    "objects": _filled(b"{}", b"[", b"]"),
    "lists": _filled(b"[]", b"[", b"]"),
    "numbers": _filled(b"1.5", b"[", b"]"),
    "keys": _filled(b'"k":0', b"{", b"}"),
    "a key twice among many": _many_keys(95_000, last="twice"),
    "a number of many digits": _HEAD + b"1" * 4_000_000 + _TAIL,
    "nesting": b"[" * 90_000,
    "nesting of objects": b'{"a":' * 90_000,
    "nesting within bounds of the parser": _HEAD + b"[" * 900 + b"]" * 900 + _TAIL,
    "an endless string": _HEAD + b'"' + b"x" * 8_000_000,
    "nothing": b"\0" * 8_000_000,
}
