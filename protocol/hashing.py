"""A hasher whose state can be put away and taken up again, by another process too.

hashlib keeps its state to itself, so libcrypto's own SHA-2 functions are called with a context that
we hold. Where Python carries no such libcrypto, hashing works all the same through hashlib and only
`save` and `restore` raise HashStateUnavailable: re-read the bytes that are stored already instead.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import struct
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Self

from protocol.digest import Algorithm, Digest
from protocol.errors import HashStateUnavailable

if TYPE_CHECKING:
    from _hashlib import HASH


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where an OpenSSL context keeps what we check before trusting a saved one."""

    prefix: str
    context_bytes: int
    block_bytes: int
    digest_bytes: int
    tail: str  # bit count (low, high), the block under way, its fill, the digest's length
    tail_offset: int


_LAYOUTS: Final = {
    Algorithm.SHA256: _Layout(
        prefix="SHA256",
        context_bytes=112,
        block_bytes=64,
        digest_bytes=32,
        tail="=II64xII",
        tail_offset=32,
    ),
    Algorithm.SHA512: _Layout(
        prefix="SHA512",
        context_bytes=216,
        block_bytes=128,
        digest_bytes=64,
        tail="=QQ128xII",
        tail_offset=64,
    ),
}
_PROBE: Final = b"transship " * 20  # longer than a block of either algorithm
_PROBE_HALF: Final = 77


@dataclass(frozen=True, slots=True, kw_only=True)
class HashState:
    """A hash under way, as bytes to store; only machines of one byte order exchange it."""

    algorithm: Algorithm
    bytes_hashed: int
    context: bytes
    byte_order: str = sys.byteorder

    def to_bytes(self) -> bytes:
        """Return the stored form."""
        head = f"1 {self.algorithm} {self.byte_order} {self.bytes_hashed}\n"
        return head.encode() + self.context

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """Read what `to_bytes` wrote; raise HashStateUnavailable for anything else."""
        head, _, context = stored.partition(b"\n")
        try:
            version, algorithm, byte_order, count = head.decode().split(" ")
            if version != "1":
                raise HashStateUnavailable(f"hash state of unknown version {version[:20]!r}")
            return cls(
                algorithm=Algorithm(algorithm),
                bytes_hashed=int(count),
                context=context,
                byte_order=byte_order,
            )
        except ValueError:
            raise HashStateUnavailable("these bytes are no hash state") from None


class Hasher:
    """Hashes bytes as they come; `save` and `restore` carry it over a pause."""

    def __init__(self, algorithm: Algorithm, *, native: bool = True) -> None:
        self.algorithm = algorithm
        self.bytes_hashed = 0
        library = _library() if native else None
        self._hash: _NativeHash | HASH = (
            _NativeHash(library, algorithm) if library else hashlib.new(algorithm)
        )

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes."""
        self._hash.update(chunk)
        self.bytes_hashed += len(chunk)

    def digest(self) -> Digest:
        """Return the digest of everything so far; more may follow."""
        return Digest(algorithm=self.algorithm, encoded=self._hash.hexdigest())

    def save(self) -> HashState:
        """Return the state; raise HashStateUnavailable where this Python cannot give it."""
        if not isinstance(self._hash, _NativeHash):
            raise HashStateUnavailable("this Python has no libcrypto that saves a hash's state")
        return HashState(
            algorithm=self.algorithm,
            bytes_hashed=self.bytes_hashed,
            context=self._hash.context(),
        )

    @classmethod
    def restore(cls, state: HashState, *, native: bool = True) -> Self:
        """Go on from a saved state; raise HashStateUnavailable if it is not ours to take up."""
        hasher = cls(state.algorithm, native=native)
        if not isinstance(hasher._hash, _NativeHash):
            raise HashStateUnavailable("this Python has no libcrypto that restores a hash's state")
        _check(state)
        hasher._hash.load(state.context)
        hasher.bytes_hashed = state.bytes_hashed
        return hasher


class _NativeHash:
    """One libcrypto context and the three functions that work on it."""

    def __init__(self, library: ctypes.CDLL, algorithm: Algorithm) -> None:
        self._layout = _LAYOUTS[algorithm]
        self._context = ctypes.create_string_buffer(self._layout.context_bytes)
        self._update = getattr(library, f"{self._layout.prefix}_Update")
        self._final = getattr(library, f"{self._layout.prefix}_Final")
        getattr(library, f"{self._layout.prefix}_Init")(self._context)

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        data = chunk if isinstance(chunk, bytes) else bytes(chunk)
        self._update(self._context, data, ctypes.c_size_t(len(data)))

    def hexdigest(self) -> str:
        finished = ctypes.create_string_buffer(self.context(), self._layout.context_bytes)
        result = ctypes.create_string_buffer(self._layout.digest_bytes)
        self._final(result, finished)
        return result.raw.hex()

    def context(self) -> bytes:
        return self._context.raw

    def load(self, context: bytes) -> None:
        ctypes.memmove(self._context, context, self._layout.context_bytes)


def _check(state: HashState) -> None:
    """Refuse a context that libcrypto would write beyond, or that belongs to other bytes."""
    layout = _LAYOUTS[state.algorithm]
    if state.byte_order != sys.byteorder or len(state.context) != layout.context_bytes:
        raise HashStateUnavailable(f"this {state.algorithm} state was saved by another platform")
    low, high, fill, length = struct.unpack_from(layout.tail, state.context, layout.tail_offset)
    bits = low + (high << (layout.block_bytes // 2))
    expected = (state.bytes_hashed * 8, state.bytes_hashed % layout.block_bytes)
    if (bits, fill) != expected or length != layout.digest_bytes:
        raise HashStateUnavailable(f"this {state.algorithm} state is damaged")


@cache
def _library() -> ctypes.CDLL | None:
    """Find a libcrypto that works as we expect: the one in use by hashlib, else the system's."""
    extension = importlib.util.find_spec("_hashlib")
    # Symbols are looked up in whatever that module is linked with.
    linked = (extension.origin,) if extension and extension.origin else ()
    names = (*linked, "libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.dylib")
    return next((found for name in names if (found := usable_library(name))), None)


def usable_library(name: str) -> ctypes.CDLL | None:
    """Return the library of that name or path if its SHA-2 can be saved and restored."""
    try:
        library = ctypes.CDLL(name)
        works = all(_works(library, algorithm) for algorithm in Algorithm)
    except (OSError, AttributeError):
        return None
    return library if works else None


def _works(library: ctypes.CDLL, algorithm: Algorithm) -> bool:
    """Hash a known text in two halves with a save between them, and compare with hashlib."""
    first = _NativeHash(library, algorithm)
    first.update(_PROBE[:_PROBE_HALF])
    context = first.context()
    count = struct.unpack_from(_LAYOUTS[algorithm].tail, context, _LAYOUTS[algorithm].tail_offset)
    second = _NativeHash(library, algorithm)
    second.load(context)
    second.update(_PROBE[_PROBE_HALF:])
    expected = hashlib.new(algorithm, _PROBE).hexdigest()
    return count[0] == _PROBE_HALF * 8 and second.hexdigest() == expected
