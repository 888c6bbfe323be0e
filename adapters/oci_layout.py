"""Kind `oci-layout`: OCI layouts on disk (image-spec, image-layout.md).

On a server an endpoint `oci:///srv/mirror` is a folder of directories: repository `library/alpine`
is the layout `/srv/mirror/library/alpine`. `oci-archive:///srv/mirror` is a folder of tar files to
read from, `library/alpine.tar`. One-shot commands open exactly one layout: `open_directory` and
`open_archive`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from adapters.base import Adapter, AdapterContext, AdapterInfo, Page
from adapters.layout import faults, roots, threads, tree
from adapters.layout.archive import ArchiveFiles, Staging
from adapters.layout.directory import DirectoryFiles
from adapters.layout.files import LayoutFiles
from adapters.layout.folder import Folder, Opener
from adapters.layout.store import LayoutStore
from protocol import reference
from protocol.content import ListedArtifact
from protocol.errors import InvalidReference, Unsupported

_PAGE_SIZE = 1000
_ARCHIVE_SUFFIX = ".tar"


class OciLayoutAdapter(Adapter):
    """A folder of layouts beneath one of the context's layout roots."""

    info: ClassVar[AdapterInfo] = AdapterInfo(
        kind="oci-layout",
        description="OCI layouts in directories or tar files",
        endpoint_hint="oci:///srv/mirror",
    )

    def __init__(self, context: AdapterContext) -> None:
        super().__init__(context)
        scheme, self._path = roots.parse_url(context.endpoint.url)
        self._is_archives = scheme == roots.ARCHIVE_SCHEME
        # Refused at once when it is outside, opened when it is needed.
        roots.root_of(context.layout_roots, self._path)

    @override
    async def check(self) -> None:
        with faults.told("check", self.context.endpoint.url):
            await threads.finish(self._open)

    @override
    async def list_repositories(self, *, cursor: str | None = None) -> Page[str]:
        with faults.told("list repositories", self.context.endpoint.url):
            names = await threads.finish(self._repositories_after, cursor)
        more = len(names) > _PAGE_SIZE
        page = names[:_PAGE_SIZE]
        return Page(items=page, cursor=page[-1] if more else None)

    @override
    async def list_artifacts(
        self, repository: str, *, cursor: str | None = None
    ) -> Page[ListedArtifact]:
        artifacts = await self.content(repository).artifacts()
        start = int(cursor or 0)
        end = start + _PAGE_SIZE
        return Page(items=artifacts[start:end], cursor=str(end) if end < len(artifacts) else None)

    @override
    async def prepare(self, repository: str, *, public: bool | None = None) -> None:
        _parts(repository)
        if self._is_archives:
            raise Unsupported(
                "a server only reads archives; write to an oci:// folder, or use transship copy",
                operation="prepare",
                url=f"{self.context.endpoint.url} {repository}",
                status=405,
            )
        with faults.told("prepare", self.context.endpoint.url):
            await threads.finish(self._open, create=True)

    @override
    def content(self, repository: str) -> LayoutStore:
        sibling = None if self._is_archives else self._files
        return LayoutStore(self._files(repository), repository=repository, sibling=sibling)

    def _files(self, repository: str) -> LayoutFiles:
        *folders, last = _parts(repository)
        if self._is_archives:
            return ArchiveFiles(self._open, self._path, *folders, last + _ARCHIVE_SUFFIX)
        return DirectoryFiles(self._open, self._path, *folders, last)

    def _open(self, *, create: bool = False) -> Folder:
        return roots.open_beneath(self.context.layout_roots, self._path, create=create)

    def _repositories_after(self, cursor: str | None) -> list[str]:
        suffix = _ARCHIVE_SUFFIX if self._is_archives else None
        after = tuple(cursor.split("/")) if cursor else ()
        found = tree.repositories(self._open(), suffix=suffix, after=after)
        return list(islice(found, _PAGE_SIZE + 1))


def open_directory(path: Path) -> LayoutStore:
    """Open the layout in a directory, which is made when something is written."""
    files = DirectoryFiles(_opener(path), path)
    return LayoutStore(files, repository=path.name)


@asynccontextmanager
async def open_archive(path: Path, *, writes: bool) -> AsyncGenerator[LayoutStore]:
    """Open the layout in a tar file; what was written is in it when the context ends without error.

    Raises ExchangeError when the file is being written by somebody else.
    """
    where = f"{roots.ARCHIVE_SCHEME}:{path}"
    with faults.told("open archive", where):
        staging = await threads.finish(Staging, path) if writes else None
    try:
        files = ArchiveFiles(_opener(path.parent), path.parent, path.name, staging=staging)
        yield LayoutStore(files, repository=path.stem)
        if staging is not None:
            with faults.told("write archive", where):
                await threads.finish(files.publish)
    finally:
        if staging is not None:
            await threads.finish(staging.discard)


def _opener(path: Path) -> Opener:
    def opened(*, create: bool = False) -> Folder:
        return Folder.open(path, follows_links=True, create=create)

    return opened


def _parts(repository: str) -> list[str]:
    """Split a repository's name into folder names that cannot lead anywhere else."""
    reference.check_repository(repository)
    parts = repository.split("/")
    if taken := tree.RESERVED.intersection(parts):
        raise InvalidReference(
            f"repository {repository!r} cannot be kept as a layout: {', '.join(taken)} is a name "
            "that layouts use themselves; choose another destination namespace"
        )
    return parts
