"""The way to a bucket."""

from __future__ import annotations

from pathlib import Path

from config import settings
from jobservice import storing
from protocol.surroundings import Surroundings
from registry.storage.address import Address

BUCKET = {
    "TRANSSHIP_STORAGE": "s3://bucket/some/prefix",
    "TRANSSHIP_S3_ACCESS_KEY": "key",
    "TRANSSHIP_S3_SECRET_KEY": "hidden",
}
PROXIED = {"HTTPS_PROXY": "proxy.lan:3128", "NO_PROXY": ".lan", "SSL_CERT_FILE": "/etc/our-ca.pem"}


def address(**variables: str) -> Address:
    surroundings = Surroundings.of(PROXIED, home=Path("/home/somebody"))
    return storing.address_of(settings.load(BUCKET | variables), surroundings)


def test_a_bucket_is_reached_by_the_proxy_and_with_the_ca_that_others_use() -> None:
    found = address(TRANSSHIP_S3_REGION="eu-central-1")
    assert (found.bucket, found.prefix, found.region) == ("bucket", "some/prefix", "eu-central-1")
    assert (found.proxy, found.ca_file) == ("http://proxy.lan:3128", "/etc/our-ca.pem")
    assert "hidden" not in repr(found)


def test_an_endpoint_that_needs_no_proxy_is_reached_directly() -> None:
    found = address(TRANSSHIP_S3_ENDPOINT="https://minio.lan:9000", TRANSSHIP_S3_PATH_STYLE="true")
    assert (found.endpoint, found.path_style) == ("https://minio.lan:9000", True)
    assert found.proxy is None
