"""From an endpoint to the adapter that talks to it."""

from __future__ import annotations

from pathlib import Path

from adapters import plugins
from adapters.base import Adapter, AdapterContext, AdapterInfo, Endpoint
from database.pool import Database
from database.sealing import Keyring
from jobservice.domain.endpoint import (
    LOCAL_KIND,
    EndpointSettings,
    StoredEndpoint,
    secret_context,
)
from protocol.credential import Credential
from protocol.gate import Gate
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

    def adapter(
        self, endpoint: Endpoint, credential: Credential | None, gate: Gate | None = None
    ) -> Adapter:
        """Return an adapter; whoever asked for it closes it. Raise UnknownKind, BrokenPlugin."""
        return plugins.build(
            AdapterContext(
                endpoint=endpoint,
                credential=credential,
                transport=self._transport,
                local_registry=self._local_registry,
                layout_roots=self._layout_roots,
                gate=gate,
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


def described(settings: EndpointSettings) -> Endpoint:
    """Return what an adapter is told about an endpoint."""
    return Endpoint(
        kind=settings.kind,
        url=settings.url,
        name=settings.name,
        insecure=settings.insecure,
        ca_certificate=settings.ca_certificate,
    )
