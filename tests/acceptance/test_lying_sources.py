"""A source that lies fails that artifact; the others go on and no tag shows the lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from protocol import media_types
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from tests.acceptance import house as acceptance
from tests.acceptance.house import Api
from tests.fakes.registry.content import Repository
from tests.fakes.registry.server import FakeRegistry


def other_bytes(repository: Repository) -> None:
    layer = repository.put_image("1.0", layers=(b"honest" * 1000,))
    _replace_layer(repository, layer, b"lying!" * 1000)


def fewer_bytes(repository: Repository) -> None:
    _replace_layer(repository, repository.put_image("1.0", layers=(b"honest" * 1000,)), b"honest")


def more_bytes(repository: Repository) -> None:
    image = repository.put_image("1.0", layers=(b"honest" * 1000,))
    _replace_layer(repository, image, b"honest" * 1001)


def another_manifest(repository: Repository) -> None:
    image = repository.put_image("1.0")
    other = repository.put_image(None, layers=(b"something else",))
    digest = str(image.digest)
    repository.manifests[digest] = RawManifest(
        media_type=other.media_type, digest=image.digest, body=other.body
    )


def oversized_manifest(repository: Repository) -> None:
    repository.put_image("1.0", extra={"annotations": {"long": "x" * (9 * 1024 * 1024)}})


def missing_child(repository: Repository) -> None:
    absent = Descriptor(
        media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"absent"), size_bytes=6
    )
    repository.put_index("1.0", children=[absent])


def cyclic_index(repository: Repository) -> None:
    """An index that lists itself cannot have its own digest: the source serves it all the same."""
    digest = Digest.of(b"the digest it claims")
    entry = {"mediaType": media_types.OCI_INDEX, "digest": str(digest), "size": 300}
    body = json.dumps(
        {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [entry]}
    ).encode()
    repository.manifests[str(digest)] = RawManifest(
        media_type=media_types.OCI_INDEX, digest=digest, body=body
    )
    repository.tags["1.0"] = str(digest)


def fifty_levels(repository: Repository) -> None:
    inner: RawManifest = repository.put_image(None)
    for level in range(50):
        tag = "1.0" if level == 49 else None
        inner = repository.put_index(tag, children=[inner.descriptor])


def no_manifest_at_all(repository: Repository) -> None:
    repository.put_manifest(b"<html>login</html>", media_types.OCI_MANIFEST, tag="1.0")


LIES: list[Callable[[Repository], None]] = [
    other_bytes,
    fewer_bytes,
    more_bytes,
    another_manifest,
    oversized_manifest,
    missing_child,
    cyclic_index,
    fifty_levels,
    no_manifest_at_all,
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
async def test_the_artifact_fails_and_the_others_go_on(
    api: Api, lie: Callable[[Repository], None]
) -> None:
    name = lie.__name__.replace("_", "-")
    async with FakeRegistry() as source, FakeRegistry() as destination:
        lie(source.repository("mirror/liar"))
        source.repository("mirror/honest").put_image("1.0")
        policy = await api.policy(
            name,
            source=await api.endpoint(name, source),
            destination=await api.endpoint(f"{name}-target", destination),
            filters=acceptance.names("mirror/**"),
        )
        execution = await api.start(policy)
        ended = await api.ended(execution)
        tasks = {_repository(task): task for task in await api.tasks(execution)}
        assert ended["status"] == "Failed"
        assert tasks["mirror/honest"]["status"] == "Succeed"
        assert tasks["mirror/liar"]["status"] == "Failed"
        log = await api.log(execution, tasks["mirror/liar"]["id"])
        assert "mirror/liar" in log
        assert "source" in log
        assert destination.repository("mirror/honest").tags.keys() == {"1.0"}
        assert destination.repository("mirror/liar").tags == {}


def _repository(task: dict[str, Any]) -> str:
    return str(task["src_resource"]).split(" ", 1)[0]


def _replace_layer(repository: Repository, image: RawManifest, body: bytes) -> None:
    layer = json.loads(image.body)["layers"][0]["digest"]
    repository.blobs[layer] = body
