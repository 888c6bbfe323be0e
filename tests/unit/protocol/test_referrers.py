import json
from typing import Any

import pytest

from protocol import manifest, media_types, referrers
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Algorithm, Digest
from protocol.errors import InvalidManifest

CONFIG = {"mediaType": "application/vnd.example.config", "digest": str(Digest.of(b"{}")), "size": 2}
SUBJECT = Digest.of(b"subject")


def raw(document: dict[str, Any], media_type: str = media_types.OCI_MANIFEST) -> RawManifest:
    body = json.dumps(document).encode()
    return RawManifest(media_type=media_type, digest=Digest.of(body), body=body)


def referrer(text: str, **fields: Any) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_MANIFEST,
        digest=Digest.of(text.encode()),
        size_bytes=len(text),
        **fields,
    )


def test_the_fallback_tag_is_the_digest_cut_to_a_tags_length() -> None:
    assert referrers.fallback_tag(SUBJECT) == f"sha256-{SUBJECT.encoded}"
    long = Digest.of(b"subject", Algorithm.SHA512)
    assert referrers.fallback_tag(long) == f"sha512-{long.encoded[:64]}"


def test_fallback_tags_and_cosigns_tags_are_told_from_others() -> None:
    tag = referrers.fallback_tag(SUBJECT)
    assert referrers.is_fallback_tag(tag)
    assert not referrers.is_fallback_tag(tag + ".sig")
    assert not referrers.is_companion_tag("v1.0")
    for companion in (tag, *referrers.cosign_tags(SUBJECT)):
        assert referrers.is_companion_tag(companion)
    assert referrers.cosign_tags(SUBJECT) == (f"{tag}.sig", f"{tag}.att", f"{tag}.sbom")


def test_an_entry_has_the_manifests_own_artifact_type() -> None:
    signature = raw(
        {
            "schemaVersion": 2,
            "artifactType": "application/vnd.example.signature",
            "config": CONFIG,
            "annotations": {"by": "somebody"},
        }
    )
    assert referrers.entry(signature) == Descriptor(
        media_type=media_types.OCI_MANIFEST,
        digest=signature.digest,
        size_bytes=len(signature.body),
        artifact_type="application/vnd.example.signature",
        annotations={"by": "somebody"},
    )


def test_an_entry_without_artifact_type_has_its_configs_media_type() -> None:
    entry = referrers.entry(raw({"schemaVersion": 2, "config": CONFIG}))
    assert entry.artifact_type == "application/vnd.example.config"


def test_an_index_that_refers_has_no_config_to_borrow_from() -> None:
    entry = referrers.entry(raw({"schemaVersion": 2, "manifests": []}, media_types.OCI_INDEX))
    assert entry.artifact_type is None


def test_the_first_referrer_makes_the_index() -> None:
    one = referrer("one", artifact_type="a/b", annotations={"k": "ü"})
    index = manifest.parse(referrers.merge(None, one))
    assert isinstance(index, manifest.Index)
    assert index.manifests == (one,)
    assert index.manifests[0].annotations == {"k": "ü"}


def test_a_referrer_is_listed_once() -> None:
    once = referrers.merge(None, referrer("one"))
    assert referrers.merge(once, referrer("one")) is once
    twice = referrers.merge(once, referrer("two"))
    parsed = manifest.parse(twice)
    assert isinstance(parsed, manifest.Index)
    assert [m.digest for m in parsed.manifests] == [Digest.of(b"one"), Digest.of(b"two")]


def test_an_entry_that_lacks_something_is_completed() -> None:
    bare = referrers.merge(None, referrer("one"))
    better = referrers.merge(bare, referrer("one", artifact_type="a/b"))
    parsed = manifest.parse(better)
    assert isinstance(parsed, manifest.Index)
    assert [m.artifact_type for m in parsed.manifests] == ["a/b"]


def test_what_others_wrote_into_the_index_stays() -> None:
    other = {**CONFIG, "mediaType": media_types.OCI_MANIFEST, "data": "e30=", "x-other": 1}
    existing = raw(
        {"schemaVersion": 2, "manifests": [other], "annotations": {"a": "b"}},
        media_types.OCI_INDEX,
    )
    document = json.loads(referrers.merge(existing, referrer("new")).body)
    assert document["manifests"][0] == other
    assert document["annotations"] == {"a": "b"}
    assert len(document["manifests"]) == 2


def test_a_tag_that_holds_an_image_is_not_overwritten() -> None:
    with pytest.raises(InvalidManifest, match="an image and not an index"):
        referrers.merge(raw({"schemaVersion": 2, "config": CONFIG}), referrer("one"))


def test_a_referrer_is_taken_out_and_the_others_stay() -> None:
    both = referrers.merge(referrers.merge(None, referrer("one")), referrer("two"))
    parsed = manifest.parse(referrers.without(both, Digest.of(b"one")))
    assert isinstance(parsed, manifest.Index)
    assert [m.digest for m in parsed.manifests] == [Digest.of(b"two")]
    assert referrers.without(both, Digest.of(b"three")) is both


def test_a_listing_is_an_index_of_its_referrers() -> None:
    listing = referrers.render([referrer("one"), referrer("two")])
    parsed = manifest.parse(listing)
    assert isinstance(parsed, manifest.Index)
    assert len(parsed.manifests) == 2
    assert listing.media_type == media_types.OCI_INDEX


def test_referrers_are_chosen_by_type_on_this_side_too() -> None:
    one, two = referrer("one", artifact_type="a/b"), referrer("two", artifact_type="c/d")
    assert referrers.with_artifact_type([one, two], "a/b") == (one,)
    assert referrers.with_artifact_type([one, two], None) == (one, two)


def test_a_companion_tag_says_what_it_accompanies_unless_it_is_cut() -> None:
    for tag in (referrers.fallback_tag(SUBJECT), *referrers.cosign_tags(SUBJECT)):
        assert referrers.subject_of_tag(tag) == SUBJECT
    cut = referrers.fallback_tag(Digest.of(b"subject", Algorithm.SHA512))
    assert referrers.subject_of_tag(cut) is None
    assert referrers.subject_of_tag("1.0") is None
