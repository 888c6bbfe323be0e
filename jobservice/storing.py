"""The storage that the settings name, opened."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from pydantic import SecretStr

from config.settings import Settings
from protocol.surroundings import Surroundings
from registry.storage.address import Address
from registry.storage.driver import Storage
from registry.storage.filesystem import FilesystemStorage


@asynccontextmanager
async def opened(settings: Settings, surroundings: Surroundings) -> AsyncIterator[Storage]:
    """Open the folder or the bucket; nothing is asked of a bucket yet."""
    if settings.storage_bucket is None:
        assert settings.storage_path is not None  # noqa: S101 the settings know no third
        yield FilesystemStorage(settings.storage_path)
        return
    from registry.storage import s3  # noqa: PLC0415 - botocore takes 0.3 s and 30 MiB to load

    address = address_of(settings, surroundings)
    async with s3.opened(address, redirects=settings.storage_redirect) as storage:
        yield storage


def address_of(settings: Settings, surroundings: Surroundings) -> Address:
    """Return where the bucket is that the settings name, and the way to it."""
    bucket, prefix = settings.storage_bucket or ("", "")
    return Address(
        bucket=bucket,
        prefix=prefix,
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        path_style=settings.s3_path_style,
        access_key=_text(settings.s3_access_key),
        secret_key=_text(settings.s3_secret_key),
        proxy=_proxy(settings, surroundings),
        ca_file=surroundings.ca_file or ssl.get_default_verify_paths().cafile,
    )


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def _proxy(settings: Settings, surroundings: Surroundings) -> str | None:
    """Return the proxy on the way to the bucket."""
    url = urlsplit(settings.s3_endpoint or "https://s3.amazonaws.com")
    default = 80 if url.scheme == "http" else 443
    return surroundings.proxies.for_host(url.scheme, url.hostname or "", url.port or default)
