from __future__ import annotations

from datetime import UTC, datetime

from jobservice.domain import endpoint
from jobservice.domain.endpoint import EndpointSettings, EndpointStatus, StoredEndpoint

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_sealed_secret_is_bound_to_its_row() -> None:
    assert endpoint.secret_context(1) != endpoint.secret_context(2)


def test_a_sealed_secret_does_not_print() -> None:
    stored = StoredEndpoint(
        id=1,
        settings=EndpointSettings(name="hub", kind="docker-registry", url="https://hub"),
        access_secret_sealed=b"sealed",
        status=EndpointStatus.HEALTHY,
        created_at=NOW,
        updated_at=NOW,
    )
    assert "sealed" not in repr(stored).replace("access_secret_sealed", "")
