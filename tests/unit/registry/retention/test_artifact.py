from __future__ import annotations

from typing import Any

import pytest

from protocol import media_types
from registry.retention.artifact import Artifact, Type
from tests.unit.registry.retention.examples import NOW, digest


@pytest.mark.parametrize(
    ("facts", "type_"),
    [
        ({}, Type.IMAGE),
        ({"config_media_type": media_types.OCI_CONFIG}, Type.IMAGE),
        (
            {
                "artifact_type": media_types.DOCKER_CONFIG,
                "config_media_type": media_types.DOCKER_CONFIG,
            },
            Type.IMAGE,
        ),
        ({"media_type": media_types.DOCKER_LIST}, Type.INDEX),
        ({"config_media_type": media_types.HELM_CONFIG}, Type.CHART),
        ({"artifact_type": "application/spdx+json"}, Type.OTHER),
        ({"config_media_type": media_types.OCI_EMPTY}, Type.OTHER),
    ],
)
def test_media_types_tell_what_an_artifact_is(facts: dict[str, Any], type_: Type) -> None:
    assert Artifact(id=1, digest=digest(1), pushed_at=NOW, **facts).type is type_
