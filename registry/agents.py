"""Who asks without using: scanners, and what copies from registry to registry.

A name stands here only if whoever sends it never asks on behalf of somebody who runs the content.
So skopeo, crane and the containers libraries are missing: they also pull what is then run.
"""

from __future__ import annotations

from typing import Final

# The beginnings of User-Agent headers, in lower case.
NO_USE: Final = (
    "transship",  # ourselves, from another installation or another address of this one
    "harbor-registry-client",  # Harbor: replication, and scanners through it
    "harbor-replication-service",
    "regclient/regsync",
    "trivy",
)


def counts_as_use(user_agent: str) -> bool:
    """Say whether a request by a client of this name shows that its content is in use."""
    return not user_agent.strip().lower().startswith(NO_USE)
