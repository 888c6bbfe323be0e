"""What is sealed for a hook's target: its Authorization header and its signing secret."""

from __future__ import annotations

from database.sealing import Keyring
from jobservice.domain import hook
from jobservice.domain.hook import Target


class HookSecrets:
    """Seals and opens for one target each; a value moved to another row does not open."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def auth_header(self, target: Target) -> str | None:
        """Return the Authorization header, None where there is none."""
        if target.auth_header_sealed is None:
            return None
        context = hook.auth_header_context(target.id)
        return self._keyring.open(target.auth_header_sealed, context=context).decode()

    def signing(self, target: Target) -> bytes | None:
        """Return the secret that signatures are made with, None where there is none."""
        if target.secret_sealed is None:
            return None
        return self._keyring.open(target.secret_sealed, context=hook.secret_context(target.id))

    def seal_auth_header(self, target_id: int, value: str) -> bytes | None:
        """Seal a header for one target; an empty one is none."""
        context = hook.auth_header_context(target_id)
        return self._keyring.seal(value.encode(), context=context) if value else None

    def seal_signing(self, target_id: int, value: str) -> bytes | None:
        """Seal a signing secret for one target; an empty one is none."""
        context = hook.secret_context(target_id)
        return self._keyring.seal(value.encode(), context=context) if value else None
