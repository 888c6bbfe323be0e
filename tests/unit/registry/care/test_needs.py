from __future__ import annotations

import json
from typing import Any

import pytest

from protocol import media_types
from protocol.content import RawManifest
from protocol.digest import Digest
from protocol.errors import InvalidManifest
from registry.care import needs
from registry.care.taken import Taken

CONFIG, LAYER, CHILD, OTHER = (Digest.of(word) for word in (b"c", b"l", b"child", b"other"))


def raw(**document: Any) -> RawManifest:
    body = json.dumps({"schemaVersion": 2, **document}).encode()
    return RawManifest(media_type="", digest=Digest.of(body), body=body)


def entry(digest: Digest, size_bytes: int, media_type: str = "x/y") -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(digest), "size": size_bytes}


def test_an_image_needs_its_config_and_layers_with_their_sizes() -> None:
    found = needs.of(raw(config=entry(CONFIG, 1), layers=[entry(LAYER, 2)]), revisions=frozenset())
    assert found.blobs == {CONFIG: 1, LAYER: 2}
    assert found.children == ()


def test_an_image_does_not_need_foreign_layers() -> None:
    foreign = entry(LAYER, 2, min(media_types.FOREIGN_LAYERS))
    found = needs.of(raw(config=entry(CONFIG, 1), layers=[foreign]), revisions=frozenset())
    assert found.blobs == {CONFIG: 1}


def test_an_index_needs_its_children_and_what_is_no_manifest_is_a_blob_unless_it_is_one() -> None:
    document = raw(manifests=[entry(CHILD, 3, media_types.OCI_MANIFEST), entry(OTHER, 4)])
    found = needs.of(document, revisions=frozenset())
    assert (list(found.children), found.blobs) == ([CHILD], {OTHER: 4})
    found = needs.of(document, revisions=frozenset({OTHER}))
    assert (list(found.children), found.blobs) == ([CHILD, OTHER], {})


def test_what_is_no_manifest_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="schema 1"):
        needs.of(raw(schemaVersion=1), revisions=frozenset())


def test_counts_begin_at_nothing() -> None:
    assert Taken().skipped == 0
