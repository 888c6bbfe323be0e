"""What Postgres could not store or compare is refused or finds nothing; it is never a 500."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.jobservice.api.caller import Caller


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/registries", {"name": "a\x00b"}, "name"),
        ("/registries", {"credential": {"access_key": "\x00"}}, "credential.access_key"),
        (
            "/replication/policies",
            {"filters": [{"type": "name", "value": "\x00"}]},
            "filters.0.value",
        ),
    ],
)
async def test_a_nul_in_a_body_is_refused_by_place(
    admin: Caller, path: str, body: dict[str, Any], place: str
) -> None:
    refused = await admin.post(path, body)
    assert (refused.status, refused.messages) == (400, f"{place}: holds a NUL character")


@pytest.mark.parametrize(
    "path", ["/registries?name=%00", "/registries?q=name=%00", "/projects/%00"]
)
async def test_a_nul_in_an_address_is_refused(admin: Caller, path: str) -> None:
    assert (await admin.get(path)).status == 400


async def test_a_count_beyond_any_matches_nothing(admin: Caller) -> None:
    found = await admin.get("/replication/executions?q=total=99999999999")
    assert (found.status, found.json) == (200, [])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/registries/ping", {"id": 2**70}),
        ("/replication/policies", {"name": "p", "src_registry": {"id": 2**70}}),
        (
            "/registries",
            {
                "name": "n",
                "type": "docker-registry",
                "url": "http://127.0.0.1:9",
                "ca_certificate": "é",
            },
        ),
    ],
)
async def test_values_out_of_range_are_refused(
    admin: Caller, path: str, body: dict[str, Any]
) -> None:
    assert (await admin.post(path, body)).status == 400
