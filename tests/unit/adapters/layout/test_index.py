from __future__ import annotations

import json

import pytest

from adapters.layout import index
from adapters.layout.index import REF_NAME, LayoutIndex
from protocol import media_types
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import InvalidManifest, InvalidReference


def descriptor(text: str) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_MANIFEST, digest=Digest.of(text.encode()), size_bytes=len(text)
    )


def listing(*names: tuple[str, str | None]) -> LayoutIndex:
    manifests = [
        {
            "mediaType": media_types.OCI_MANIFEST,
            "digest": str(Digest.of(content.encode())),
            "size": 1,
            "annotations": {"org.example.kept": "yes"} | ({REF_NAME: name} if name else {}),
        }
        for content, name in names
    ]
    return LayoutIndex.parse(json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("1.0", "1.0"),
        ("docker.io/library/alpine:3.19", "3.19"),
        ("localhost:5000/app:v1", "v1"),
        ("alpine:3.19", "3.19"),
        ("docker.io/library/alpine", None),
        ("alpine@sha256:" + "0" * 64, None),
        ("no tag", None),
        ("", None),
    ],
)
def test_a_reference_name_stands_for_a_tag(name: str, tag: str | None) -> None:
    assert index.tag_of(name) == tag


def test_a_new_manifest_is_listed_under_its_tag() -> None:
    after = LayoutIndex().with_manifest(descriptor("a"), tag="1")
    assert after.tags() == {"1": str(Digest.of(b"a"))}
    assert LayoutIndex.parse(after.render()).tags() == after.tags()


def test_a_moved_tag_leaves_the_old_manifest_listed_without_it() -> None:
    after = listing(("a", "1")).with_manifest(descriptor("b"), tag="1")
    assert [(e.digest, e.name) for e in after.entries] == [
        (str(Digest.of(b"a")), None),
        (str(Digest.of(b"b")), "1"),
    ]
    assert after.entries[0].fields["annotations"] == {"org.example.kept": "yes"}


def test_the_same_tag_again_changes_nothing() -> None:
    before = listing(("a", "1"), ("b", None))
    assert before.with_manifest(descriptor("a"), tag="1") == before


def test_a_tag_takes_the_place_of_the_line_without_one() -> None:
    after = listing(("a", None)).with_manifest(descriptor("a"), tag="1")
    assert [e.name for e in after.entries] == ["1"]


def test_children_lose_their_line_unless_they_have_a_name() -> None:
    before = listing(("a", None), ("b", "kept"))
    children = [Digest.of(b"a"), Digest.of(b"b")]
    after = before.with_manifest(descriptor("parent"), tag=None, children=children)
    assert [e.digest for e in after.entries] == [
        str(Digest.of(b"b")),
        str(Digest.of(b"parent")),
    ]


def test_an_untagged_manifest_is_listed_once() -> None:
    once = LayoutIndex().with_manifest(descriptor("a"), tag=None)
    assert once.with_manifest(descriptor("a"), tag=None) == once


def test_removing_a_tag_keeps_its_manifest_listed_once() -> None:
    after = listing(("a", "1"), ("a", "2"), ("b", "3")).without_tag("1").without_tag("2")
    assert sorted((e.digest, e.name) for e in after.entries if e.name) == [
        (str(Digest.of(b"b")), "3")
    ]
    assert [e.digest for e in after.entries].count(str(Digest.of(b"a"))) == 1


def test_removing_a_digest_takes_all_its_tags() -> None:
    after = listing(("a", "1"), ("a", "2"), ("b", "3")).without_digest(Digest.of(b"a"))
    assert list(after.tags()) == ["3"]


def test_a_full_name_finds_its_artifact_and_so_does_its_tag() -> None:
    found = listing(("a", "docker.io/library/alpine:3.19"))
    assert found.find("3.19") == found.find("docker.io/library/alpine:3.19") != None  # noqa: E711 - a chain
    assert found.find("3.20") is None


def test_a_tag_that_names_two_artifacts_is_refused_with_their_names() -> None:
    found = listing(("a", "x/one:latest"), ("b", "x/two:latest"))
    with pytest.raises(InvalidReference, match="x/one:latest, x/two:latest"):
        found.find("latest")
    assert found.find("x/two:latest") is not None


def test_what_others_wrote_stays() -> None:
    raw = {"schemaVersion": 2, "manifests": [], "annotations": {"a": "b"}, "x": 1}
    after = LayoutIndex.parse(json.dumps(raw).encode()).with_manifest(descriptor("a"), tag="1")
    written = json.loads(after.render())
    assert (written["annotations"], written["x"]) == ({"a": "b"}, 1)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"manifests":[1]}',
        b'{"manifests":[{"digest":"x"}]}',
        b'{"manifests":[{"digest":"x","mediaType":"y","size":"1"}]}',
    ],
)
def test_what_is_no_index_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidManifest):
        LayoutIndex.parse(raw)


def test_nothing_tagged_means_everything_is_offered() -> None:
    assert len(listing(("a", None), ("b", None)).roots()) == 2
    assert len(listing(("a", None), ("b", "1")).roots()) == 1
