"""A registry endpoint as this service remembers it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from jobservice.domain.limits import EndpointLimits

LOCAL_ID = 0
LOCAL_KIND = "local"


class CredentialType(StrEnum):
    """How `access_key` and the secret are shown to the registry."""

    NONE = ""
    BASIC = "basic"
    OAUTH = "oauth"
    SECRET = "secret"  # noqa: S105  Harbor's word for a credential type, not a secret


class EndpointStatus(StrEnum):
    """What the last check found."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """How a registry is worked: by the workers of which zone, and how hard."""

    zone: str | None = None
    limits: EndpointLimits = field(default_factory=EndpointLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """What a user says about an endpoint; the secret is kept beside it, sealed."""

    name: str
    kind: str
    url: str
    credential_type: CredentialType = CredentialType.NONE
    access_key: str = ""
    insecure: bool = False
    ca_certificate: str | None = None
    description: str = ""
    handling: Handling = field(default_factory=Handling)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEndpoint:
    """One row: the settings, the sealed secret and what is known about the registry's health."""

    id: int
    settings: EndpointSettings
    access_secret_sealed: bytes | None = field(default=None, repr=False)
    status: EndpointStatus
    checked_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


def secret_context(endpoint_id: int) -> str:
    """Return what a sealed access secret is bound to: the column and the row."""
    return f"jobservice.endpoints.access_secret:{endpoint_id}"
