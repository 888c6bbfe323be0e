"""Kind `example-prefix`: a conformant registry of which one namespace is seen.

The endpoint's path is the namespace: in `https://registry.example.org/team-a` the repository `app`
is `team-a/app`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlsplit

from typing_extensions import override

from adapters.base import AdapterContext, AdapterInfo, Page
from adapters.docker_registry import DockerRegistryAdapter
from protocol import reference
from protocol.content import ContentStore, ListedArtifact


class PrefixAdapter(DockerRegistryAdapter):
    """One namespace of a registry."""

    info: ClassVar[AdapterInfo] = AdapterInfo(
        kind="example-prefix",
        description="One namespace of a registry (example)",
        endpoint_hint="https://registry.example.org/namespace",
    )

    def __init__(self, context: AdapterContext) -> None:
        parts = urlsplit(context.endpoint.url)
        self._namespace = parts.path.strip("/")
        reference.check_repository(self._namespace)
        url = parts._replace(path="").geturl()
        super().__init__(replace(context, endpoint=replace(context.endpoint, url=url)))

    @override
    async def list_repositories(self, *, cursor: str | None = None) -> Page[str]:
        page = await super().list_repositories(cursor=cursor)
        start = f"{self._namespace}/"
        names = [name.removeprefix(start) for name in page.items if name.startswith(start)]
        return Page(items=names, cursor=page.cursor)

    @override
    async def list_artifacts(
        self, repository: str, *, cursor: str | None = None
    ) -> Page[ListedArtifact]:
        page = await super().list_artifacts(self._within(repository), cursor=cursor)
        items = [replace(artifact, repository=repository) for artifact in page.items]
        return Page(items=items, cursor=page.cursor)

    @override
    async def prepare(self, repository: str, *, public: bool | None = None) -> None:
        await super().prepare(self._within(repository), public=public)

    @override
    def content(self, repository: str) -> ContentStore:
        return super().content(self._within(repository))

    def _within(self, repository: str) -> str:
        return f"{self._namespace}/{repository}"
