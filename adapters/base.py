"""The adapter contract, version 0: what Transship asks of a kind of registry.

`Adapter` is the contract; `DockerRegistryAdapter` (adapters/docker_registry.py) is a complete
implementation for any conformant registry, and a vendor overrides only what differs. Adapters list,
prepare, delete and hand out the content store of a repository; they never filter, and the copying
itself is not theirs. Never return success for something that was not done: raise Unsupported.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from protocol.content import ContentStore, ListedArtifact
from protocol.credential import Credential
from protocol.gate import Gate

if TYPE_CHECKING:
    from protocol.transport import Transport
    from registry.service import Registry

CONTRACT_VERSION = 0
ENTRY_POINT_GROUP = "transship.adapters"

Item = TypeVar("Item", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a registry is and how it is reached; no secrets."""

    kind: str
    url: str
    name: str = ""
    insecure: bool = False
    ca_certificate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterContext:
    """Everything a factory is given.

    `layout_roots` are the directories beneath which OCI layouts may live; none means no layouts.
    `gate` is awaited before each request to the registry, where its rate is limited.
    """

    endpoint: Endpoint
    credential: Credential | None
    transport: Transport
    local_registry: Registry | None = None
    layout_roots: tuple[Path, ...] = ()
    gate: Gate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """A piece of a listing; `cursor` opens the next one, None means this was the last."""

    items: Sequence[Item]
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterInfo:
    """What a kind declares, as `GET /registries/{id}/info` and `adapterinfos` show it.

    `tells_push_time`, `tells_pull_time`: its listings give these times of every tag.
    """

    kind: str
    description: str
    filters: tuple[str, ...] = ("name", "tag")
    triggers: tuple[str, ...] = ("manual", "scheduled")
    minimum_components: int = 1
    creatable: bool = True
    endpoint_hint: str = ""
    access_key_hint: str = ""
    tells_push_time: bool = False
    tells_pull_time: bool = False


class Adapter(ABC):
    """One registry endpoint. Built by its factory with an AdapterContext; closed with `close`."""

    info: ClassVar[AdapterInfo]

    def __init__(self, context: AdapterContext) -> None:
        self.context = context

    @property
    def requests(self) -> int:
        """How many requests it has made so far; 0 for what is not reached by requests."""
        return 0

    @abstractmethod
    async def check(self) -> None:
        """Return when the registry answers and lets us in; raise an ExchangeError otherwise."""

    @abstractmethod
    async def list_repositories(self, *, cursor: str | None = None) -> Page[str]:
        """Return a page of repository names; raise Unsupported where there is no catalog."""

    @abstractmethod
    async def list_artifacts(
        self, repository: str, *, cursor: str | None = None
    ) -> Page[ListedArtifact]:
        """Return a page of a repository's artifacts; raise NotFound if it is not there."""

    @abstractmethod
    async def prepare(self, repository: str, *, public: bool | None = None) -> None:
        """Make sure that `repository` can be written; `public` is its source's visibility."""

    @abstractmethod
    def content(self, repository: str) -> ContentStore:
        """Hand out the content store of a repository; no request is made."""

    async def visibility(self, repository: str) -> bool | None:
        """Say whether anybody may read `repository`; None where the kind cannot tell."""
        del repository
        return None

    async def close(self) -> None:  # noqa: B027 - most adapters hold nothing
        """Give back what the adapter holds; the transport is not the adapter's."""
