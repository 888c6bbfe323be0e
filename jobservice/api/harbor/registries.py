"""Registry endpoints in Harbor's words."""

from __future__ import annotations

from adapters.base import AdapterInfo
from jobservice.api.models import registry as models
from jobservice.domain import zone as zones
from jobservice.domain.endpoint import LOCAL_ID, LOCAL_KIND, Handling, StoredEndpoint
from jobservice.domain.limits import EndpointLimits
from jobservice.domain.policy import TriggerKind
from jobservice.endpoints import MASK, Changes

LOCAL_NAME = "Local"


def endpoint(stored: StoredEndpoint) -> models.Registry:
    """Show an endpoint; the secret is masked."""
    settings = stored.settings
    credential = models.RegistryCredential(
        type=settings.credential_type or None,
        access_key=settings.access_key or None,
        access_secret=MASK if stored.access_secret_sealed else None,
    )
    return models.Registry(
        id=stored.id,
        url=settings.url,
        name=settings.name,
        credential=credential,
        type=settings.kind,
        insecure=settings.insecure,
        ca_certificate=settings.ca_certificate,
        description=settings.description,
        status=stored.status.value,
        creation_time=stored.created_at,
        update_time=stored.updated_at,
        transship=_handling(settings.handling),
    )


def _handling(handling: Handling) -> models.TransshipRegistry:
    return models.TransshipRegistry(
        zone=handling.zone or zones.DEFAULT,
        limits=models.TransshipLimits(
            concurrency=handling.limits.concurrency,
            requests_per_second=handling.limits.requests_per_second,
        ),
    )


def _wanted_handling(body: models.Registry | models.RegistryUpdate) -> Handling | None:
    """Read `transship`: absent changes nothing, null resets it."""
    if "transship" not in body.model_fields_set:
        return None
    ours = body.transship or models.TransshipRegistry()
    limits = ours.limits or models.TransshipLimits()
    return Handling(
        zone=zones.stored(ours.zone),
        limits=EndpointLimits(
            concurrency=limits.concurrency, requests_per_second=limits.requests_per_second
        ),
    )


def local_endpoint() -> models.Registry:
    """Show this registry as an end of a policy."""
    return models.Registry(
        id=LOCAL_ID, name=LOCAL_NAME, type=LOCAL_KIND, url="", insecure=False, status="healthy"
    )


def new_endpoint(body: models.Registry) -> Changes:
    """Read what POST /registries is given."""
    credential = body.credential or models.RegistryCredential()
    return Changes(
        name=body.name,
        kind=body.type,
        url=body.url,
        credential_type=credential.type,
        access_key=credential.access_key,
        access_secret=credential.access_secret,
        insecure=body.insecure,
        ca_certificate=body.ca_certificate,
        description=body.description,
        handling=_wanted_handling(body),
    )


def changed_endpoint(body: models.RegistryUpdate) -> Changes:
    """Read what PUT /registries/{id} is given."""
    return Changes(
        name=body.name,
        url=body.url,
        credential_type=body.credential_type,
        access_key=body.access_key,
        access_secret=body.access_secret,
        insecure=body.insecure,
        ca_certificate=body.ca_certificate,
        description=body.description,
        handling=_wanted_handling(body),
    )


def tried_endpoint(body: models.RegistryPing) -> Changes:
    """Read what POST /registries/ping is given."""
    return Changes(
        kind=body.type,
        url=body.url,
        credential_type=body.credential_type,
        access_key=body.access_key,
        access_secret=body.access_secret,
        insecure=body.insecure,
        ca_certificate=body.ca_certificate,
    )


def adapter_info(info: AdapterInfo) -> models.RegistryInfo:
    """Show what an endpoint's adapter can do."""
    triggers = [*info.triggers]
    if info.kind == LOCAL_KIND and TriggerKind.EVENT_BASED not in triggers:
        triggers.append(TriggerKind.EVENT_BASED.value)
    return models.RegistryInfo(
        type=info.kind,
        description=info.description,
        supported_resource_filters=[
            models.FilterStyle(type=name, style="input") for name in info.filters
        ],
        supported_triggers=triggers,
        supported_copy_by_chunk=False,
    )


def provider_info(info: AdapterInfo) -> models.RegistryProviderInfo:
    """Show how a form for this kind should look."""
    endpoints = []
    if info.endpoint_hint:
        endpoints.append(models.RegistryEndpoint(key=info.kind, value=info.endpoint_hint))
    return models.RegistryProviderInfo(
        endpoint_pattern=models.RegistryProviderEndpointPattern(
            endpoint_type="EndpointPatternTypeList" if endpoints else "EndpointPatternTypeStandard",
            endpoints=endpoints,
        ),
        credential_pattern=models.RegistryProviderCredentialPattern(
            access_key_type="AccessKeyTypeStandard",
            access_key_data=info.access_key_hint,
            access_secret_type="AccessSecretTypeStandard",  # noqa: S106  Harbor's name of a form field
            access_secret_data="",
        ),
    )
