"""What an event of this registry means to a policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobservice.domain import change
from jobservice.domain.change import Change, EventPolicy
from protocol.content import ListedArtifact
from protocol.digest import Digest
from registry.events import Action, Event
from replication.filters import Selection
from replication.policy import Filter, FilterKind, ReplicationPolicy

HERE = "https://here.example"
DIGEST = "sha256:" + "1" * 64
SUBJECT = "sha256:" + "2" * 64
PUSH = Event(
    action=Action.PUSH,
    project_id=1,
    repository="team/app",
    digest=DIGEST,
    tags=("1.0",),
    media_type="application/vnd.oci.image.manifest.v1+json",
    artifact_type=None,
    size_bytes=5,
    subject=None,
    by="admin",
    is_new=True,
)
UNTAG = replace(PUSH, action=Action.UNTAG)
DELETE = replace(PUSH, action=Action.DELETE, tags=("1.0", "dev"))


def policy(*filters: Filter, deletes: bool = True, **rules: object) -> EventPolicy:
    known = ReplicationPolicy(filters=filters).to_json()
    return EventPolicy(
        id=7,
        rules=ReplicationPolicy.from_json(known | rules),
        replicate_deletion=deletes,
        destination_url="https://there.example",
    )


def named(pattern: str) -> Filter:
    return Filter(kind=FilterKind.NAME, pattern=pattern)


def tagged(pattern: str) -> Filter:
    return Filter(kind=FilterKind.TAG, pattern=pattern)


def found(asked: EventPolicy, event: Event) -> list[tuple[str, bool]]:
    changes = asked.changes(event, external_url=HERE)
    assert {one.repository for one in changes} <= {event.repository}
    return [(one.reference, one.is_gone) for one in changes]


def test_a_pushed_tag_is_to_be_copied() -> None:
    assert found(policy(), PUSH) == [("1.0", False)]


def test_of_a_push_with_several_tags_the_filters_take_some() -> None:
    pushed = replace(PUSH, tags=("1.0", "1.1", "dev"))
    assert found(policy(tagged("1.*")), pushed) == [("1.0", False), ("1.1", False)]


def test_what_the_filters_leave_out_is_nothing() -> None:
    assert found(policy(named("other/**")), PUSH) == []
    assert found(policy(tagged("2.*")), PUSH) == []
    assert found(policy(tagged("2.*")), UNTAG) == []
    assert found(policy(tagged("2.*")), DELETE) == []


def test_an_untagged_push_is_taken_by_its_digest() -> None:
    untagged = replace(PUSH, tags=())
    assert found(policy(), untagged) == [(DIGEST, False)]
    assert found(policy(tagged("1.*")), untagged) == []


def test_a_referrer_stands_for_its_subject_whatever_the_tag_filter_says() -> None:
    signature = replace(PUSH, tags=(), subject=SUBJECT)
    assert found(policy(tagged("1.*")), signature) == [(SUBJECT, False)]
    cosign = replace(PUSH, tags=(f"sha256-{'2' * 64}.sig",))
    assert found(policy(tagged("1.*")), cosign) == [(SUBJECT, False)]
    both = replace(cosign, subject=SUBJECT)
    assert found(policy(), both) == [(SUBJECT, False)]


def test_a_referrer_with_a_tag_of_its_own_is_copied_by_that_too() -> None:
    signature = replace(PUSH, subject=SUBJECT)
    assert found(policy(), signature) == [(SUBJECT, False), ("1.0", False)]


def test_without_referrers_a_signature_is_an_artifact_like_any_other() -> None:
    cosign = replace(PUSH, tags=(f"sha256-{'2' * 64}.sig",))
    assert found(policy(referrers=False), cosign) == [(cosign.tags[0], False)]
    signature = replace(PUSH, tags=(), subject=SUBJECT)
    assert found(policy(referrers=False), signature) == [(DIGEST, False)]


def test_a_deleted_tag_is_to_be_deleted() -> None:
    assert found(policy(), UNTAG) == [("1.0", True)]


def test_a_deleted_artifact_is_to_be_deleted_if_one_of_its_tags_is_taken() -> None:
    assert found(policy(tagged("1.*")), DELETE) == [(DIGEST, True)]
    assert found(policy(), replace(DELETE, tags=())) == [(DIGEST, True)]


def test_what_accompanied_an_artifact_goes_whatever_the_tag_filter_says() -> None:
    signature = replace(DELETE, tags=(), subject=SUBJECT)
    assert found(policy(tagged("1.*")), signature) == [(DIGEST, True)]
    cosign = replace(UNTAG, tags=(f"sha256-{'2' * 64}.sig",))
    assert found(policy(tagged("1.*")), cosign) == [(cosign.tags[0], True)]
    assert found(policy(tagged("1.*"), referrers=False), cosign) == []


@pytest.mark.parametrize("event", [UNTAG, DELETE])
def test_deletions_are_followed_only_by_policies_that_say_so(event: Event) -> None:
    assert found(policy(deletes=False), event) == []


def test_a_pull_changes_nothing() -> None:
    assert found(policy(), replace(PUSH, action=Action.PULL)) == []


@pytest.mark.parametrize(
    ("namespace", "url", "follows"),
    [
        ("mirror", "https://there.example", True),
        ("mirror", HERE, False),
        ("", HERE, True),
        ("mir", HERE, True),
    ],
)
def test_a_policy_does_not_follow_what_it_wrote_here_itself(
    namespace: str, url: str, *, follows: bool
) -> None:
    asked = replace(policy(destination_namespace=namespace), destination_url=url)
    written = replace(PUSH, repository="mirror/app")
    assert bool(asked.changes(written, external_url=HERE)) is follows


def test_a_tag_is_looked_up_anew_and_what_is_gone_is_known_by_its_digest() -> None:
    pushed = Change(repository="a/b", reference="1.0", digest=DIGEST, is_gone=False)
    assert pushed.artifact() == ListedArtifact(repository="a/b", tags=("1.0",))
    gone = replace(pushed, is_gone=True)
    assert gone.artifact() == ListedArtifact(
        repository="a/b", tags=("1.0",), digest=Digest.parse(DIGEST)
    )


def test_a_digest_is_looked_at_with_the_tags_that_it_has() -> None:
    one = Change(repository="a/b", reference=DIGEST, digest=DIGEST, is_gone=False)
    assert one.artifact(["1.0", "dev"]) == ListedArtifact(
        repository="a/b", tags=("1.0", "dev"), digest=Digest.parse(DIGEST)
    )


def test_what_no_filter_takes_starts_nothing() -> None:
    selection = Selection.of([tagged("1.*")])
    one = ListedArtifact(repository="a/b", tags=("1.0", "dev"))
    other = ListedArtifact(repository="a/b", tags=("dev",))
    untagged = ListedArtifact(repository="a/b", digest=Digest.parse(DIGEST))
    assert change.taken([one, other, untagged], selection) == (one,)
    assert change.taken([untagged], Selection.of([])) == (untagged,)
