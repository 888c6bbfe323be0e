"""A CNCF distribution registry's storage in a folder: its files get a second name in ours."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

from protocol.content import MANIFEST_LIMIT_BYTES
from protocol.digest import Algorithm, Digest
from protocol.errors import InvalidDigest
from registry.care import linking
from registry.care.errors import NotAStorage
from registry.care.old_repository import OldRepository, Skipped
from registry.care.old_storage import ROOT, data_path
from registry.errors import ObjectMissing
from registry.metadata.adoptions import Original
from registry.storage.filesystem import FilesystemStorage

_LINK_LIMIT_BYTES: Final = 256


class DistributionFolder:
    """A storage in a folder, adopted by one in another: by hard links, or symbolic ones."""

    def __init__(self, folder: Path, storage: FilesystemStorage) -> None:
        """Raise NotAStorage with what was expected."""
        self._root = folder.absolute() / ROOT
        self._storage = storage
        self._folder = folder.absolute()
        if not (self._root / "repositories").is_dir():
            raise NotAStorage(
                f"{folder} holds no {ROOT}/repositories: name the `rootdirectory` of the other "
                "registry's configuration"
            )

    @property
    def location(self) -> str:
        """The folder."""
        return str(self._folder)

    async def repositories(self) -> AsyncIterator[OldRepository]:
        """Yield every folder that has manifests, one inside another too."""
        waiting = [""]
        while waiting:
            name = waiting.pop()
            folder = self._root / "repositories" / name
            inside = await asyncio.to_thread(_folders, folder)
            if "_manifests" in inside:
                yield await asyncio.to_thread(_repository, name, folder / "_manifests")
            names = [one for one in inside if not one.startswith("_")]
            waiting += [f"{name}/{one}" if name else one for one in reversed(names)]

    async def has_repository(self, name: str) -> bool:
        """Look for its manifests."""
        manifests = self._root / "repositories" / name / "_manifests"
        return await asyncio.to_thread(manifests.is_dir)

    def _data(self, digest: Digest) -> Path:
        return self._root / data_path(digest)

    async def size_bytes(self, digest: Digest) -> int | None:
        """Return the size of the file."""
        try:
            return (await asyncio.to_thread(self._data(digest).stat)).st_size
        except FileNotFoundError:
            return None

    async def manifest(self, digest: Digest) -> bytes:
        """Read the file."""
        try:
            return await asyncio.to_thread(_read, self._data(digest), MANIFEST_LIMIT_BYTES + 1)
        except FileNotFoundError:
            raise ObjectMissing(f"{digest} is not in {self._root}") from None

    def adopted_path(self, digest: Digest) -> None:
        """Nothing: files get a name in the other folder."""

    async def adopt(self, digest: Digest, key: UUID) -> bool:
        """Link the file; symbolically where it cannot be otherwise."""
        return await asyncio.to_thread(_adopt, self._data(digest), self._storage.path(key))

    async def blobs(self) -> AsyncIterator[Sequence[tuple[Digest, int]]]:
        """Yield the files shard by shard."""
        for algorithm in Algorithm:
            folder = self._root / "blobs" / algorithm
            for shard in await asyncio.to_thread(_folders, folder):
                yield await asyncio.to_thread(lambda at=folder / shard: list(_data_files(at)))  # type: ignore[misc]

    async def release(self, original: Original) -> bool:
        """Remove the file, unless a symbolic link of ours leads to it, or ours is not whole."""
        ours = self._storage.path(original.ours.key) if original.ours else None
        return await asyncio.to_thread(_release, self._data(original.digest), ours, original)


def _release(path: Path, ours: Path | None, original: Original) -> bool:
    if ours is not None and not (
        ours.is_file() and not ours.is_symlink() and ours.stat().st_size == original.size_bytes
    ):
        return False
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty, or gone
        path.parent.rmdir()
    return True


def _adopt(original: Path, ours: Path) -> bool:
    is_ours = linking.hard(original, ours)
    if not is_ours:
        linking.symbolic(original, ours)
    linking.fsync_folder(ours.parent)
    return is_ours


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def _data_files(shard: Path) -> Iterator[tuple[Digest, int]]:
    for name in _folders(shard):
        try:
            digest = Digest.parse(f"{shard.parent.name}:{name}")
            yield digest, (shard / name / "data").stat().st_size
        except (InvalidDigest, FileNotFoundError):
            continue


def _repository(name: str, manifests: Path) -> OldRepository:
    links = _Links()
    revisions = [
        digest
        for algorithm in _folders(manifests / "revisions")
        for encoded in _folders(manifests / "revisions" / algorithm)
        for digest in links.read(
            f"{name}@{algorithm}:{encoded}", manifests / "revisions" / algorithm / encoded / "link"
        )
    ]
    tags = {
        tag: digest
        for tag in _folders(manifests / "tags")
        for digest in links.read(f"{name}:{tag}", manifests / "tags" / tag / "current" / "link")
    }
    return OldRepository(
        name=name, revisions=tuple(revisions), tags=tags, skipped=tuple(links.skipped)
    )


class _Links:
    """Reads link files, and remembers which lead nowhere."""

    def __init__(self) -> None:
        self.skipped: list[Skipped] = []

    def read(self, where: str, link: Path) -> Iterator[Digest]:
        """Yield where a link leads."""
        try:
            text = _read(link, _LINK_LIMIT_BYTES).decode(errors="replace").strip()
        except FileNotFoundError:
            if "@" not in where:  # a deleted manifest leaves its folder, and is no loss
                self.skipped.append(Skipped(where=where, reason="the tag has no current/link"))
            return
        try:
            yield Digest.parse(text)
        except InvalidDigest as error:
            self.skipped.append(Skipped(where=where, reason=f"its link is broken: {error}"))


def _read(path: Path, limit_bytes: int) -> bytes:
    with path.open("rb") as file:
        return file.read(limit_bytes)
