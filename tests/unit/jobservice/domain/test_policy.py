from __future__ import annotations

import json
from dataclasses import replace

from jobservice.domain.endpoint import EndpointSettings
from jobservice.domain.policy import PolicySnapshot, SnapshotEndpoint
from protocol.content import ListedArtifact
from protocol.digest import Digest
from replication.policy import Filter, FilterKind, ReplicationPolicy

SOURCE = SnapshotEndpoint(
    endpoint_id=7, kind="docker-registry", url="https://a", name="a", insecure=True
)
HERE = SnapshotEndpoint(endpoint_id=0, kind="local", url="", name="Local", insecure=False)


def test_a_snapshot_survives_its_way_through_json() -> None:
    rules = ReplicationPolicy(
        filters=(Filter(kind=FilterKind.NAME, pattern="library/**"),),
        destination_namespace="mirror",
    )
    snapshot = PolicySnapshot(rules=rules, source=SOURCE, destination=HERE)
    assert PolicySnapshot.from_json(json.loads(json.dumps(snapshot.to_json()))) == snapshot
    artifacts = (
        ListedArtifact(repository="library/app", tags=("1.0",)),
        ListedArtifact(repository="library/app", digest=Digest.of(b"")),
    )
    limited = replace(snapshot, only=artifacts)
    assert PolicySnapshot.from_json(json.loads(json.dumps(limited.to_json()))) == limited


def test_a_run_keeps_of_an_endpoint_what_leads_to_it_and_no_secret() -> None:
    settings = EndpointSettings(
        name="a", kind="docker-registry", url="https://a", access_key="robot", insecure=True
    )
    assert SnapshotEndpoint.of(7, settings) == SOURCE
    assert "robot" not in json.dumps(SOURCE.to_json())
