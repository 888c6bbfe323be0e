"""A layout in a directory: `oci-layout`, `index.json` and `blobs/<algorithm>/<hex>`."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.layout import index
from adapters.layout.files import LayoutFiles, StoredBlob
from adapters.layout.folder import Folder, Opener
from adapters.layout.index import LayoutIndex
from adapters.layout.upload import BlobFileUpload
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import InvalidManifest

INDEX_LIMIT_BYTES = 64 * 1024 * 1024
_LOCK = ".index.lock"


class DirectoryFiles:
    """A layout in a folder, made when something is first written.

    `names` lead from what `base` opens to the layout's own folder.
    """

    def __init__(self, base: Opener, path: Path, *names: str) -> None:
        self._base = base
        self._path = path.joinpath(*names)
        self._names = names

    @property
    def where(self) -> str:
        """Where it is."""
        return f"oci:{self._path}"

    def read_index(self) -> LayoutIndex:
        """Return what it lists; raise FileNotFoundError where there is no layout."""
        return _read_index(self.folder())

    def change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        """Replace index.json under a lock: written beside, made durable, renamed."""
        folder = self.folder(create=True)
        with _locked(folder):
            try:
                before = _read_index(folder)
            except FileNotFoundError:
                _write(folder, "oci-layout", index.LAYOUT_FILE)
                before = LayoutIndex()
            after = change(before)
            if after != before or not before.entries:
                _write(folder, "index.json", after.render())

    def open_blob(self, digest: Digest) -> StoredBlob:
        """Open a blob's file."""
        folder = self.folder().enter("blobs", digest.algorithm)
        descriptor = folder.open_file(digest.encoded)
        return StoredBlob(descriptor, start=0, size_bytes=os.fstat(descriptor).st_size)

    def begin_upload(self, blob: Descriptor) -> BlobFileUpload:
        """Open an upload beside the blob's final name."""
        return BlobFileUpload(self._blobs(blob.digest), blob)

    def adopt_blob(self, blob: Descriptor, other: LayoutFiles) -> bool:
        """Link a blob of another directory into this one."""
        if not isinstance(other, DirectoryFiles):
            return False
        try:
            source = other.folder().enter("blobs", blob.digest.algorithm)
            found = os.stat(blob.digest.encoded, dir_fd=source.descriptor, follow_symlinks=False)
            if found.st_size != blob.size_bytes:
                return False
            _link(source, self._blobs(blob.digest), blob.digest.encoded)
        except OSError:  # other disk, other owner, not there: the bytes are copied instead
            return False
        return True

    def remove_blob(self, digest: Digest) -> None:
        """Remove a blob's file."""
        self._blobs(digest).remove(digest.encoded)

    def folder(self, *, create: bool = False) -> Folder:
        """Open the layout's own folder. Raises OSError."""
        return self._base(create=create).enter(*self._names, create=create)

    def _blobs(self, digest: Digest) -> Folder:
        return self.folder(create=True).enter("blobs", digest.algorithm, create=True)


def is_layout(folder: Folder) -> bool:
    """Say whether a folder holds a layout."""
    try:
        os.close(folder.open_file("oci-layout"))
    except OSError:
        return False
    return True


def _read_index(folder: Folder) -> LayoutIndex:
    with open(folder.open_file("index.json"), "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        raw = file.read(INDEX_LIMIT_BYTES + 1)
    if len(raw) > INDEX_LIMIT_BYTES:
        raise InvalidManifest(f"{folder.path}/index.json is larger than {INDEX_LIMIT_BYTES} bytes")
    return LayoutIndex.parse(raw)


def _write(folder: Folder, name: str, content: bytes) -> None:
    beside = f".{name}.{secrets.token_hex(8)}"
    try:
        with open(folder.open_file(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        folder.rename(beside, name)
    finally:
        folder.remove(beside)


def _link(source: Folder, destination: Folder, name: str) -> None:
    beside = f".{name}.{secrets.token_hex(8)}.part"
    try:
        os.link(
            name,
            beside,
            src_dir_fd=source.descriptor,
            dst_dir_fd=destination.descriptor,
            follow_symlinks=False,
        )
        destination.rename(beside, name)
    finally:
        destination.remove(beside)


@contextmanager
def _locked(folder: Folder) -> Iterator[None]:
    descriptor = folder.open_file(_LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
