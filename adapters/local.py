"""Kind `local`: this registry itself, registry id 0. It is there without being created."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from access.identity import SYSTEM
from adapters.base import Adapter, AdapterContext, AdapterInfo, Page
from protocol.content import ContentStore, ListedArtifact
from protocol.errors import Unreachable
from registry.service import Registry

PAGE = 1000


class LocalAdapter(Adapter):
    """Goes through the registry's one door, without HTTP."""

    info: ClassVar[AdapterInfo] = AdapterInfo(
        kind="local", description="This registry", minimum_components=2, creatable=False
    )

    def __init__(self, context: AdapterContext) -> None:
        """Raise Unreachable where no registry of our own is at hand, as in one-shot commands."""
        super().__init__(context)
        if context.local_registry is None:
            raise Unreachable(
                "this process has no registry of its own", operation="open", url="local"
            )
        self._registry: Registry = context.local_registry

    @override
    async def check(self) -> None:
        await self._registry.repositories_page(SYSTEM, after="", limit=1)

    @override
    async def list_repositories(self, *, cursor: str | None = None) -> Page[str]:
        names = await self._registry.repositories_page(SYSTEM, after=cursor or "", limit=PAGE)
        return Page(items=names, cursor=names[-1] if len(names) == PAGE else None)

    @override
    async def list_artifacts(
        self, repository: str, *, cursor: str | None = None
    ) -> Page[ListedArtifact]:
        found = self._registry.repository(repository, SYSTEM)
        grouped, following = await found.tags_by_digest(after=cursor or "", limit=PAGE)
        items = [
            ListedArtifact(repository=repository, tags=tuple(tags), digest=digest)
            for digest, tags in grouped.items()
        ]
        return Page(items=items, cursor=following)

    @override
    async def prepare(self, repository: str, *, public: bool | None = None) -> None:
        await self._registry.prepare(repository, public=public)

    @override
    def content(self, repository: str) -> ContentStore:
        return self._registry.repository(repository, SYSTEM)

    @override
    async def visibility(self, repository: str) -> bool | None:
        return await self._registry.visibility(repository)
