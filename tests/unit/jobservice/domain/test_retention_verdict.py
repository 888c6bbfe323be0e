import pytest

from jobservice.domain.retention_verdict import Verdict

DIGEST = f"sha256:{'a' * 64}"


def verdict(*tags: str, reference: str = DIGEST) -> Verdict:
    return Verdict(
        reference=reference, digest=DIGEST, tags=tags, goes=True, reason="goes", size_bytes=1
    )


def test_what_was_decided_is_an_artifact_with_just_its_tags() -> None:
    assert verdict("a", "b").key == verdict("b", "a").key
    assert len({verdict().key, verdict("a").key, verdict("a", "b").key}) == 3
    assert verdict().key == DIGEST


def test_a_digest_with_very_many_tags_has_a_key_that_an_index_takes() -> None:
    assert len(verdict(*(f"build-{number}" for number in range(10_000))).key) < 200


@pytest.mark.parametrize("others", [(), ("b",)])
def test_a_tag_that_goes_alone_is_decided_about_whatever_others_there_are(
    others: tuple[str, ...],
) -> None:
    reference = f"a@{DIGEST}"
    assert verdict("a", *others, reference=reference).key == reference
