"""Registry endpoints in Harbor's shape (its tag `registry`)."""

from __future__ import annotations

from datetime import datetime

import pydantic

from jobservice.api.models.base import HarborModel, Id, LinkedPaging, OwnModel


class RegistryCredential(HarborModel):
    """How we log in; `access_secret` reads as `*****`."""

    type: str | None = None
    access_key: str | None = None
    access_secret: str | None = pydantic.Field(default=None, repr=False)


class TransshipLimits(OwnModel):
    """How hard a registry may be worked, over all workers; what is absent is unlimited."""

    concurrency: int | None = None
    requests_per_second: float | None = None


class TransshipRegistry(OwnModel):
    """What Harbor's registry has no field for: by whose workers it is worked, and how hard."""

    zone: str | None = None
    limits: TransshipLimits | None = None


class Registry(HarborModel):
    """A registry endpoint; `type` is the adapter's kind."""

    id: Id | None = None
    url: str | None = None
    name: str | None = None
    credential: RegistryCredential | None = None
    type: str | None = None
    insecure: bool | None = None
    ca_certificate: str | None = None
    description: str | None = None
    status: str | None = None
    creation_time: datetime | None = None
    update_time: datetime | None = None
    transship: TransshipRegistry | None = None


class RegistryUpdate(HarborModel):
    """What a PUT changes; an absent field stays as it is."""

    name: str | None = None
    description: str | None = None
    url: str | None = None
    credential_type: str | None = None
    access_key: str | None = None
    access_secret: str | None = pydantic.Field(default=None, repr=False)
    insecure: bool | None = None
    ca_certificate: str | None = None
    transship: TransshipRegistry | None = None


class RegistryPing(HarborModel):
    """A registry to try: by id with what is to be different, or whole."""

    id: Id | None = None
    type: str | None = None
    url: str | None = None
    credential_type: str | None = None
    access_key: str | None = None
    access_secret: str | None = pydantic.Field(default=None, repr=False)
    insecure: bool | None = None
    ca_certificate: str | None = None


class FilterStyle(HarborModel):
    """A filter that an adapter understands."""

    type: str
    style: str
    values: list[str] | None = None


class RegistryInfo(HarborModel):
    """What an endpoint's adapter can do."""

    type: str
    description: str
    supported_resource_filters: list[FilterStyle]
    supported_triggers: list[str]
    supported_copy_by_chunk: bool


class RegistryEndpoint(HarborModel):
    """One URL that an adapter proposes."""

    key: str
    value: str


class RegistryProviderEndpointPattern(HarborModel):
    """Which URLs an adapter proposes."""

    endpoint_type: str
    endpoints: list[RegistryEndpoint]


class RegistryProviderCredentialPattern(HarborModel):
    """What an adapter wants as credentials."""

    access_key_type: str
    access_key_data: str
    access_secret_type: str
    access_secret_data: str


class RegistryProviderInfo(HarborModel):
    """How a form for an endpoint of this kind should look."""

    endpoint_pattern: RegistryProviderEndpointPattern | None = None
    credential_pattern: RegistryProviderCredentialPattern | None = None


class RegistryListQuery(LinkedPaging):
    """GET /registries."""

    q: str | None = None
    sort: str | None = None
    name: str | None = None
