"""Kind `docker-registry`: any conformant registry (distribution-spec v1.1), and vendors' base.

A vendor subclasses it and overrides what differs; whatever speaks the wire is `self.client`.
"""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from adapters.base import Adapter, AdapterContext, AdapterInfo, Page
from protocol.client.registry import RegistryClient
from protocol.content import ContentStore, ListedArtifact
from protocol.errors import Denied, Unauthorized


class DockerRegistryAdapter(Adapter):
    """A registry behind its OCI Distribution API."""

    info: ClassVar[AdapterInfo] = AdapterInfo(
        kind="docker-registry",
        description="Any registry that follows the OCI Distribution Specification",
        endpoint_hint="https://registry.example.org",
        access_key_hint="user name",
    )

    def __init__(self, context: AdapterContext) -> None:
        super().__init__(context)
        # Once something was prepared here, tokens are asked for with the right to push.
        self._writes = False
        self.client = RegistryClient(
            context.transport,
            url=context.endpoint.url,
            credential=context.credential,
            insecure=context.endpoint.insecure,
            ca_certificate=context.endpoint.ca_certificate,
        )
        self.client.limit(context.gate)

    @property
    @override
    def requests(self) -> int:
        return self.client.requests.total()

    @override
    async def check(self) -> None:
        """Return when the registry answers and lets us in.

        Without a credential a registry that wants one is healthy too: some of its repositories may
        be public (Harbor's rule).
        """
        try:
            await self.client.ping()
        except (Unauthorized, Denied):
            if self.context.credential is not None:
                raise

    @override
    async def list_repositories(self, *, cursor: str | None = None) -> Page[str]:
        page = await self.client.repositories_page(cursor)
        return Page(items=page.items, cursor=page.cursor)

    @override
    async def list_artifacts(
        self, repository: str, *, cursor: str | None = None
    ) -> Page[ListedArtifact]:
        """Return a page of tags; this API lists no digests."""
        page = await self.client.tags_page(repository, cursor)
        items = [ListedArtifact(repository=repository, tags=(tag,)) for tag in page.items]
        return Page(items=items, cursor=page.cursor)

    @override
    async def prepare(self, repository: str, *, public: bool | None = None) -> None:
        """Do nothing there: these registries make a repository with the first push to it."""
        del repository, public
        self._writes = True

    @override
    def content(self, repository: str) -> ContentStore:
        return self.client.repository(repository, writes=self._writes)

    @override
    async def close(self) -> None:
        await self.client.close()
