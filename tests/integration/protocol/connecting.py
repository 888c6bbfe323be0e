"""How the tests of this folder make their clients."""

from __future__ import annotations

from protocol.client.registry import RegistryClient
from protocol.retrying import Patience
from protocol.transport import Transport

IMPATIENT = Patience(attempts=3, first_pause_seconds=0.001, longest_pause_seconds=0.002)


def client_of(url: str, transport: Transport, **how: object) -> RegistryClient:
    insecure = bool(how.get("insecure"))
    ca = how.get("ca_certificate")
    return RegistryClient(
        transport,
        url=url,
        insecure=insecure,
        ca_certificate=None if ca is None else str(ca),
        patience=IMPATIENT,
    )
