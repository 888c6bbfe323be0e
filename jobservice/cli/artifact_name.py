"""An artifact of this registry as somebody types it."""

from __future__ import annotations

from jobservice.cli.errors import UsageError


def parted(artifact: str) -> tuple[str, str]:
    """Return repository and reference; raise UsageError."""
    repository, at, digest = artifact.partition("@")
    if at:
        return repository, digest
    repository, colon, tag = artifact.rpartition(":")
    if not colon or "/" in tag:
        raise UsageError(f"{artifact} names no tag and no digest: write {artifact}:TAG")
    return repository, tag
