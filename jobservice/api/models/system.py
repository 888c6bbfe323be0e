"""The service itself in Harbor's shape (its tags `health`, `systeminfo`)."""

from __future__ import annotations

from datetime import datetime

from jobservice.api.models.base import HarborModel


class ComponentHealthStatus(HarborModel):
    """One part and how it is."""

    name: str
    status: str
    error: str | None = None


class OverallHealthStatus(HarborModel):
    """`healthy` when every part is."""

    status: str
    components: list[ComponentHealthStatus]


class AuthproxySetting(HarborModel):
    """Authentication by a proxy, which this service does not have."""

    endpoint: str | None = None
    tokenreivew_endpoint: str | None = None
    skip_search: bool | None = None
    verify_cert: bool | None = None
    server_certificate: str | None = None


class GeneralInfo(HarborModel):
    """What a client learns about this installation; most of it only when it is logged in."""

    banner_message: str | None = None
    current_time: datetime | None = None
    registry_url: str | None = None
    external_url: str | None = None
    auth_mode: str | None = None
    primary_auth_mode: bool | None = None
    project_creation_restriction: str | None = None
    self_registration: bool | None = None
    has_ca_root: bool | None = None
    harbor_version: str | None = None
    registry_storage_provider_name: str | None = None
    read_only: bool | None = None
    notification_enable: bool | None = None
    authproxy_settings: AuthproxySetting | None = None
    oidc_provider_name: str | None = None


class Storage(HarborModel):
    """One place for content, in bytes."""

    total: int
    free: int


class SystemInfo(HarborModel):
    """Where content is kept."""

    storage: list[Storage]


class Version(HarborModel):
    """The API's version."""

    version: str
