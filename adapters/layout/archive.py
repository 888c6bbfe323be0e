"""A layout in an uncompressed tar file (`oci-archive`).

Reading seeks by an index of offsets. What is written gathers in a directory beside the file;
`publish` then writes a whole new tar beside it and renames it: the file is never half written.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tarfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from adapters.layout.directory import INDEX_LIMIT_BYTES, DirectoryFiles
from adapters.layout.files import LayoutFiles, StoredBlob
from adapters.layout.folder import Folder, Opener
from adapters.layout.index import LayoutIndex
from adapters.layout.upload import BlobFileUpload
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import InvalidManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    start: int
    size_bytes: int


class ArchiveFiles:
    """A tar file; `staging` is where writes go, None for reading only.

    `names` lead from what `base` opens to the file.
    """

    def __init__(
        self, base: Opener, path: Path, *names: str, staging: Staging | None = None
    ) -> None:
        self._base = base
        self._path = path.joinpath(*names)
        *self._folders, self._name = names
        self._staging = staging
        self._members: dict[str, _Member] | None = None

    @property
    def where(self) -> str:
        """Where it is."""
        return f"oci-archive:{self._path}"

    def read_index(self) -> LayoutIndex:
        """Return what it lists, writes included; raise FileNotFoundError where there is no file."""
        if self._staging is not None:
            with suppress(FileNotFoundError):
                return self._staging.files.read_index()
        blob = self._open("index.json")
        if blob.size_bytes > INDEX_LIMIT_BYTES:
            raise InvalidManifest(f"{self.where}: index.json is over {INDEX_LIMIT_BYTES} bytes")
        return LayoutIndex.parse(blob.read(0, blob.size_bytes))

    def change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        """Change the index of what will be published."""
        try:
            before = self.read_index()
        except FileNotFoundError:
            before = LayoutIndex()
        self._writable().files.change_index(
            lambda staged: change(staged if staged.entries else before)
        )

    def open_blob(self, digest: Digest) -> StoredBlob:
        """Open a blob: one that was written since, or the tar's."""
        if self._staging is not None:
            with suppress(FileNotFoundError):
                return self._staging.files.open_blob(digest)
        return self._open(f"blobs/{digest.algorithm}/{digest.encoded}")

    def begin_upload(self, blob: Descriptor) -> BlobFileUpload:
        """Open an upload into what will be published."""
        return self._writable().files.begin_upload(blob)

    def adopt_blob(self, blob: Descriptor, other: LayoutFiles) -> bool:
        """Never: a tar shares nothing."""
        del blob, other
        return False

    def remove_blob(self, digest: Digest) -> None:
        """Leave a blob out of what will be published."""
        self._writable().files.remove_blob(digest)
        self._writable().removed.add(f"blobs/{digest.algorithm}/{digest.encoded}")

    def publish(self) -> None:
        """Write a new tar of everything and give it the file's name, if anything was written."""
        staging = self._writable()
        if not staging.is_used:
            return
        folder = self._folder()
        beside = f".{self._name}.{secrets.token_hex(8)}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        try:
            with open(folder.open_file(beside, flags), "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                self._write(file, staging)
                file.flush()
                os.fsync(file.fileno())
            folder.rename(beside, self._name)
        finally:
            folder.remove(beside)

    def _write(self, file: IO[bytes], staging: Staging) -> None:
        staged = staging.blob_names()
        kept = sorted(self._blob_members() - set(staged) - staging.removed)
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
            staging.add(tar, "oci-layout")
            staging.add(tar, "index.json")
            for name in _folders_of([*staged, *kept]):
                tar.addfile(_folder_member(name))
            for name in staged:
                staging.add(tar, name)
            for name in kept:
                self._copy(tar, name)

    def _copy(self, tar: tarfile.TarFile, name: str) -> None:
        blob = self._open(name)
        entry = _member(name, blob.size_bytes)
        tar.addfile(entry, _Reader(blob))

    def _blob_members(self) -> set[str]:
        try:
            return {name for name in self._table() if name.startswith("blobs/")}
        except FileNotFoundError:
            return set()

    def _open(self, name: str) -> StoredBlob:
        member = self._table().get(name)
        if member is None:
            raise FileNotFoundError(f"{name} is not in the archive")
        descriptor = self._folder().open_file(self._name)
        return StoredBlob(descriptor, start=member.start, size_bytes=member.size_bytes)

    def _table(self) -> dict[str, _Member]:
        if self._members is None:
            self._members = _scan(self._folder().open_file(self._name), self.where)
        return self._members

    def _folder(self) -> Folder:
        return self._base().enter(*self._folders)

    def _writable(self) -> Staging:
        if self._staging is None:
            raise PermissionError("the archive is open for reading only")
        return self._staging


class Staging:
    """A directory beside an archive that holds what will be in it; one writer at a time.

    Blobs that a killed writer left there are taken up again.
    """

    def __init__(self, archive: Path) -> None:
        self._path = archive.parent / f".{archive.name}.staging"
        self._folder = Folder.open(self._path, follows_links=False, create=True)
        try:
            fcntl.flock(self._folder.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = f"{archive} is being written by somebody else"
            raise BlockingIOError(error.errno, text) from None
        self._folder.remove("index.json")
        self.files = DirectoryFiles(self._open, self._path)
        self.removed: set[str] = set()

    @property
    def is_used(self) -> bool:
        """Whether anything was written."""
        return (self._path / "index.json").exists()

    def _open(self, *, create: bool = False) -> Folder:
        return Folder.open(self._path, follows_links=False, create=create)

    def blob_names(self) -> list[str]:
        """Return the finished blobs as members' names."""
        found = (path for path in self._path.glob("blobs/*/*") if not path.name.startswith("."))
        return sorted(str(path.relative_to(self._path)) for path in found)

    def add(self, tar: tarfile.TarFile, name: str) -> None:
        """Add a file to a tar, without times: the same content gives the same bytes."""
        entry = _member(name, (self._path / name).stat().st_size)
        with (self._path / name).open("rb") as file:
            tar.addfile(entry, file)

    def discard(self) -> None:
        """Remove it."""
        shutil.rmtree(self._path)


def _member(name: str, size_bytes: int) -> tarfile.TarInfo:
    """Return a member that is ours: skopeo 1.9 gives what it unpacks to the owner that is named."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size_bytes, 0o644
    entry.uid, entry.gid = os.geteuid(), os.getegid()
    return entry


def _folder_member(name: str) -> tarfile.TarInfo:
    """Return a folder's member: skopeo 1.9 gives folders without one to root, and fails at that."""
    entry = _member(name, 0)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    return entry


def _folders_of(names: Iterable[str]) -> list[str]:
    """Return the folders that names lie in, each before what it holds."""
    parents = {parent for name in names for parent in PurePosixPath(name).parents}
    return sorted(map(str, parents - {PurePosixPath()}))


class _Reader:
    """A blob as the file object that tarfile wants."""

    def __init__(self, blob: StoredBlob) -> None:
        self._blob = blob
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        piece = self._blob.read(self._position, size if size >= 0 else self._blob.size_bytes)
        self._position += len(piece)
        return piece


def _scan(descriptor: int, where: str) -> dict[str, _Member]:
    try:
        with (
            open(descriptor, "rb") as file,
            tarfile.open(fileobj=file, mode="r:") as tar,
        ):
            return {
                os.path.normpath(member.name): _Member(
                    start=member.offset_data, size_bytes=member.size
                )
                for member in tar
                if member.isreg() and not member.issparse()
            }
    except tarfile.TarError as error:
        raise InvalidManifest(
            f"{where} is no uncompressed tar file ({error}); decompress it first"
        ) from None
