"""Who asks without using."""

from __future__ import annotations

import pytest

from registry import agents


@pytest.mark.parametrize(
    "name",
    [
        "transship",
        "harbor-registry-client",
        "Harbor-Registry-Client",
        "harbor-replication-service",
        "regclient/regsync (v0.8.3)",
        " trivy/0.57.1",
    ],
)
def test_who_looks_or_copies_does_not_use(name: str) -> None:
    assert not agents.counts_as_use(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "containerd/v1.7.24",
        "cri-o/1.31.0 go/go1.23",
        "docker/27.3.1 go/go1.22.7 kernel/6.1 UpstreamClient(Docker-Client/27.3.1)",
        "skopeo/1.9.3",
        "regclient/regctl (v0.8.3)",
        "my-transship-watcher",
    ],
)
def test_everybody_else_uses(name: str) -> None:
    assert agents.counts_as_use(name)
