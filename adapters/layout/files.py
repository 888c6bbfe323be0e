"""What a layout is kept in: the contract that the directory and the archive fulfil."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Protocol

from adapters.layout.index import LayoutIndex
from adapters.layout.upload import BlobFileUpload
from protocol.descriptor import Descriptor
from protocol.digest import Digest


class StoredBlob:
    """A blob's bytes: a stretch of an open file. Closed when it is no longer referred to."""

    def __init__(self, descriptor: int, *, start: int, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._descriptor = descriptor
        self._start = start
        self._finalizer = weakref.finalize(self, os.close, descriptor)

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Return up to `length_bytes` from an offset; empty at its end."""
        wanted = min(length_bytes, self.size_bytes - offset_bytes)
        return os.pread(self._descriptor, wanted, self._start + offset_bytes) if wanted > 0 else b""

    def close(self) -> None:
        """Close the file."""
        self._finalizer()


class LayoutFiles(Protocol):
    """One layout. Everything here blocks on the disk and raises OSError."""

    @property
    def where(self) -> str:
        """Where it is, for messages."""
        ...

    def read_index(self) -> LayoutIndex:
        """Return what it lists; raise FileNotFoundError where there is no layout yet."""
        ...

    def change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        """Replace the index as a whole, one writer at a time; makes the layout if need be."""
        ...

    def open_blob(self, digest: Digest) -> StoredBlob:
        """Open a blob."""
        ...

    def begin_upload(self, blob: Descriptor) -> BlobFileUpload:
        """Open an upload; it goes on where an interrupted one of the same blob stopped."""
        ...

    def adopt_blob(self, blob: Descriptor, other: LayoutFiles) -> bool:
        """Take a blob over from another layout without copying; say whether that was possible."""
        ...

    def remove_blob(self, digest: Digest) -> None:
        """Remove a blob's file."""
        ...
