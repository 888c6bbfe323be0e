import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import manifest, media_types
from protocol.content import MANIFEST_LIMIT_BYTES, RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import InvalidManifest, ManifestTooLarge
from protocol.manifest import Image, Index
from protocol.platform import Platform

DIGEST = Digest.of(b"content")


def descriptor(media_type: str = "application/x", **fields: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(DIGEST), "size": 7, **fields}


def image(**fields: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "config": descriptor(), **fields}


def parse(document: Any, media_type: str = "") -> Image | Index:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return manifest.parse(RawManifest(media_type=media_type, digest=Digest.of(body), body=body))


def test_an_image_has_config_layers_subject_and_annotations() -> None:
    parsed = parse(
        image(
            mediaType=media_types.OCI_MANIFEST,
            artifactType="application/vnd.example",
            layers=[descriptor("a/b"), descriptor("c/d", urls=["https://x.test/y"])],
            subject=descriptor(media_types.OCI_MANIFEST),
            annotations={"k": "v"},
            unknown={"whatever": [1, 2.5, None, True]},
        )
    )
    assert parsed == Image(
        media_type=media_types.OCI_MANIFEST,
        config=Descriptor(media_type="application/x", digest=DIGEST, size_bytes=7),
        layers=(
            Descriptor(media_type="a/b", digest=DIGEST, size_bytes=7),
            Descriptor(media_type="c/d", digest=DIGEST, size_bytes=7, urls=("https://x.test/y",)),
        ),
        subject=Descriptor(media_type=media_types.OCI_MANIFEST, digest=DIGEST, size_bytes=7),
        artifact_type="application/vnd.example",
        annotations={"k": "v"},
    )


def test_an_index_lists_images_indexes_and_anything_else() -> None:
    parsed = parse(
        {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": [
                descriptor(
                    media_types.OCI_MANIFEST,
                    platform={
                        "os": "windows",
                        "architecture": "arm",
                        "variant": "v7",
                        "os.version": "10",
                        "os.features": ["win32k"],
                    },
                ),
                descriptor(media_types.OCI_INDEX, annotations={"a": "b"}, data="e30="),
                descriptor("application/vnd.buildkit.cacheconfig.v0", artifactType="x/y"),
            ],
        }
    )
    assert isinstance(parsed, Index)
    assert [m.media_type for m in parsed.manifests][1:] == [
        media_types.OCI_INDEX,
        "application/vnd.buildkit.cacheconfig.v0",
    ]
    assert parsed.manifests[0].platform == Platform(
        os="windows", architecture="arm", variant="v7", os_version="10", os_features=("win32k",)
    )
    assert parsed.manifests[1].annotations == {"a": "b"}
    assert parsed.manifests[2].artifact_type == "x/y"


def test_a_platform_with_nothing_in_it_is_unknown() -> None:
    parsed = parse({"schemaVersion": 2, "manifests": [descriptor(platform={})]})
    assert isinstance(parsed, Index)
    assert str(parsed.manifests[0].platform) == "unknown/unknown"


@pytest.mark.parametrize(
    ("document", "received", "expected"),
    [
        (image(mediaType=media_types.DOCKER_MANIFEST), "text/plain", media_types.DOCKER_MANIFEST),
        (image(), media_types.DOCKER_MANIFEST + "; charset=utf-8", media_types.DOCKER_MANIFEST),
        (image(), "application/json", media_types.OCI_MANIFEST),
        (image(mediaType=""), "", media_types.OCI_MANIFEST),
        ({"schemaVersion": 2, "manifests": []}, "", media_types.OCI_INDEX),
        ({"schemaVersion": 2}, media_types.DOCKER_LIST, media_types.DOCKER_LIST),
    ],
)
def test_the_bodys_media_type_comes_before_the_received_one_and_the_fields(
    document: dict[str, Any], received: str, expected: str
) -> None:
    assert parse(document, received).media_type == expected


def test_nulls_are_empty_as_go_writes_them() -> None:
    parsed = parse(image(layers=None, annotations=None, subject=None, artifactType=None))
    assert parsed == parse(image())
    assert parse({"schemaVersion": 2, "manifests": None}, media_types.OCI_INDEX) == Index(
        media_type=media_types.OCI_INDEX
    )


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "is a list, not an object"),
        (b"2", "is a number, not an object"),
        (b"null", "is nothing, not an object"),
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"config": 1, "layers": [{"a": 1, "a": 2}]}', "'a' twice"),
        (b'{"a":' * 90_000 + b"1" + b"}" * 90_000, "deeper than 64"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "deeper than 64"),
        ({"schemaVersion": 1, "fsLayers": []}, "schema 1, which is not copied"),
        (image(mediaType=media_types.DOCKER_SCHEMA1_SIGNED), "schema 1"),
        ({"config": descriptor()}, "schemaVersion is None"),
        (image(schemaVersion=3), "schemaVersion is 3"),
        (image(schemaVersion=True), "schema"),
        (image(schemaVersion=2.5), "schemaVersion is 2.5"),
        (image(mediaType="image/png"), "'image/png' is not the media type of a manifest"),
        (image(mediaType=7), "mediaType is a number, not a string"),
        ({"schemaVersion": 2}, "neither mediaType nor manifests nor config"),
        ({"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST}, "no config"),
        (image(manifests=[]), "must not have 'config'"),
        (image(mediaType=media_types.OCI_MANIFEST, manifests=[]), "must not have 'manifests'"),
        (image(mediaType=media_types.OCI_INDEX), "must not have 'config'"),
        (image(layers={}), "layers is an object, not a list"),
        (image(layers=["x"]), r"layers\[0\] is a string, not a descriptor"),
        (image(layers=[{"digest": str(DIGEST), "size": 1}]), r"layers\[0\] has no mediaType"),
        (image(layers=[{"mediaType": "a/b", "size": 1}]), r"layers\[0\].digest: .*no digest"),
        (image(layers=[descriptor(digest=5)]), "digest is a number"),
        (image(layers=[descriptor(digest="sha256:xyz")]), "wrong length"),
        (image(layers=[descriptor(size=-1)]), "size is -1, not a number of bytes"),
        (image(layers=[descriptor(size=2**63)]), "not a number of bytes"),
        (image(layers=[descriptor(size="7")]), "size is a string"),
        (image(layers=[descriptor(size=True)]), "not a number of bytes"),
        (image(layers=[descriptor(size=7.0)]), "size is a number, not a number of bytes"),
        (image(layers=[descriptor(size=None)]), "size is nothing"),
        (image(layers=[descriptor(urls="x")]), "urls is a string, not a list"),
        (image(layers=[descriptor(urls=[1])]), "urls is a number, not a string"),
        (image(layers=[descriptor(platform=[])]), "platform is a list, not an object"),
        (image(layers=[descriptor(platform={"os": 1})]), "platform.os is a number"),
        (image(annotations={"k": 1}), "manifest.annotations is a number, not a string"),
        (image(annotations=["k"]), "annotations is a list, not an object"),
        (image(annotations={"k": "\0"}), "no text"),
        (image(annotations={"k": "\ud800"}), "no text"),
        (image(subject=[]), "subject is a list, not a descriptor"),
        (image(subject={}), "subject has no mediaType"),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_place(document: Any, reason: str) -> None:
    with pytest.raises(InvalidManifest, match=reason):
        parse(document)


def test_annotations_are_any_text() -> None:
    assert parse(image(annotations={"name": "Grüße 🚢"})).annotations == {"name": "Grüße 🚢"}


def test_a_manifest_over_the_cap_is_not_even_read() -> None:
    with pytest.raises(ManifestTooLarge):
        parse(b" " * (MANIFEST_LIMIT_BYTES + 1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["mediaType", "config", "layers", "manifests", "size", "digest", "annotations"]
            ),
            children,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(document=JSON)
def test_any_json_is_a_manifest_or_refused(document: Any) -> None:
    if isinstance(document, dict):
        document = {"schemaVersion": 2, **document}
    try:
        parse(document)
    except InvalidManifest:
        return


def test_more_values_than_an_index_needs_are_not_even_read() -> None:
    with pytest.raises(InvalidManifest, match="more than 100000 values"):
        parse(b'{"schemaVersion":2,"x":[' + b"{}," * manifest.VALUES_LIMIT + b"{}]}")
    entry = descriptor(media_types.OCI_MANIFEST, platform={"architecture": "amd64", "os": "linux"})
    largest = parse({"schemaVersion": 2, "manifests": [entry] * 12_000})
    assert isinstance(largest, Index)
    assert len(largest.manifests) == 12_000
