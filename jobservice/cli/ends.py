"""Opens what a place names: a registry's repository through the one client, or a layout on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from jobservice.cli.places import LayoutPlace, Place, RegistryPlace
from protocol import credentials
from protocol.client.registry import RegistryClient
from protocol.content import ContentStore
from protocol.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """An open place: its content, and the client that talks for it if it is a registry's."""

    store: ContentStore
    client: RegistryClient | None = None

    @property
    def requests(self) -> int:
        """How many requests it took so far."""
        return self.client.requests.total() if self.client else 0


@asynccontextmanager
async def opened(place: Place, transport: Transport, *, writes: bool = False) -> AsyncIterator[End]:
    """Open a place; an archive that is written is complete when the context ends without error."""
    if isinstance(place, RegistryPlace):
        async with _registry(place, transport, writes=writes) as end:
            yield end
        return
    async with _layout(place, writes=writes) as end:
        yield end


@asynccontextmanager
async def _registry(
    place: RegistryPlace, transport: Transport, *, writes: bool
) -> AsyncIterator[End]:
    credential = await credentials.find(
        transport.surroundings, place.reference.registry, place.reference.repository
    )
    client = RegistryClient(transport, url=place.url, credential=credential)
    try:
        repository = client.repository(place.reference.repository, writes=writes)
        yield End(store=repository, client=client)
    finally:
        await client.close()


@asynccontextmanager
async def _layout(place: LayoutPlace, *, writes: bool) -> AsyncIterator[End]:
    from adapters import oci_layout  # noqa: PLC0415 - only copies from or to a layout need it

    if place.is_archive:
        async with oci_layout.open_archive(place.path, writes=writes) as store:
            yield End(store=store)
    else:
        yield End(store=oci_layout.open_directory(place.path))
