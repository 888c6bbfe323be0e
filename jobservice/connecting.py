"""From an endpoint to the adapter that talks to it."""

from __future__ import annotations

from pathlib import Path

from adapters import plugins
from adapters.base import Adapter, AdapterContext, AdapterInfo, Endpoint
from database.pool import Database
from database.sealing import Keyring
from jobservice.domain.endpoint import LOCAL_ID, LOCAL_KIND, StoredEndpoint, secret_context
from jobservice.errors import NotFound
from jobservice.store import endpoints as endpoint_rows
from protocol.credential import Credential
from protocol.transport import Transport
from registry.service import Registry

LOCAL_ENDPOINT = Endpoint(kind=LOCAL_KIND, url="", name="Local")
LAYOUT_KIND = "oci-layout"


class Connector:
    """Builds adapters with everything that they need from this process."""

    def __init__(
        self,
        *,
        database: Database,
        keyring: Keyring,
        transport: Transport,
        local_registry: Registry,
        layout_roots: tuple[Path, ...] = (),
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._transport = transport
        self._local_registry = local_registry
        self._layout_roots = layout_roots

    def kinds(self) -> dict[str, AdapterInfo]:
        """Return the kinds that can be used here, in the order of their names."""
        return {
            kind: info
            for kind, info in plugins.kinds().items()
            if kind != LAYOUT_KIND or self._layout_roots
        }

    async def connect(self, endpoint_id: int) -> Adapter:
        """Return the adapter of an endpoint, 0 being this registry; raise NotFound."""
        if endpoint_id == LOCAL_ID:
            return self.adapter(LOCAL_ENDPOINT, None)
        async with self._database.connection() as connection:
            stored = await endpoint_rows.get(connection, endpoint_id)
        if stored is None:
            raise NotFound("registry", endpoint_id)
        return self.adapter(described(stored), self.credential(stored))

    def adapter(self, endpoint: Endpoint, credential: Credential | None) -> Adapter:
        """Return an adapter; whoever asked for it closes it. Raise UnknownKind, BrokenPlugin."""
        return plugins.build(
            AdapterContext(
                endpoint=endpoint,
                credential=credential,
                transport=self._transport,
                local_registry=self._local_registry,
                layout_roots=self._layout_roots,
            )
        )

    def credential(self, stored: StoredEndpoint) -> Credential | None:
        """Open the sealed secret of an endpoint."""
        if not stored.settings.access_key and stored.access_secret_sealed is None:
            return None
        return Credential(username=stored.settings.access_key, password=self.secret(stored))

    def secret(self, stored: StoredEndpoint) -> str:
        """Return the secret of an endpoint, empty where there is none."""
        if stored.access_secret_sealed is None:
            return ""
        opened = self._keyring.open(stored.access_secret_sealed, context=secret_context(stored.id))
        return opened.decode()

    def seal(self, endpoint_id: int, secret: str) -> bytes | None:
        """Seal a secret for one endpoint; an empty one is none."""
        if not secret:
            return None
        return self._keyring.seal(secret.encode(), context=secret_context(endpoint_id))


def described(stored: StoredEndpoint) -> Endpoint:
    """Return what an adapter is told about an endpoint."""
    return Endpoint(
        kind=stored.settings.kind,
        url=stored.settings.url,
        name=stored.settings.name,
        insecure=stored.settings.insecure,
        ca_certificate=stored.settings.ca_certificate,
    )
