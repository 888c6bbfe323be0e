"""What a garbage collection is asked to do, and its account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from jobservice.domain import collection
from jobservice.domain.collection import (
    FOR_GOOD,
    STAYS,
    WORDS_KEPT,
    Account,
    CollectionParameters,
    Deleted,
    Phase,
)

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({}, CollectionParameters()),
        ({"workers": 10, "dry_run": True}, CollectionParameters(workers=10, dry_run=True)),
        ({"delete_untagged": True, "delete_tag": 1}, CollectionParameters(delete_untagged=True)),
        ({"transship": {"release_now": True}}, CollectionParameters(release_now=True)),
        ({"transship": None}, CollectionParameters()),
    ],
)
def test_parameters_are_read_as_harbor_says_them(
    given: dict[str, Any], read: CollectionParameters
) -> None:
    assert list(collection.problems(given, by_hand=True)) == []
    assert CollectionParameters.of(given) == read
    assert CollectionParameters.of(read.to_json()) == read


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"workers": 0}, "workers"),
        ({"workers": 11}, "workers"),
        ({"workers": 1.5}, "workers"),
        ({"workers": None}, "workers"),
        ({"workers": True}, "workers"),
        ({"dry_run": 1}, "dry_run"),
        ({"delete_untagged": "true"}, "delete_untagged"),
        ({"transship": 1}, "transship: is no object"),
        ({"transship": {"release_now": "x"}}, "release_now: is neither"),
        ({"transship": {"when": "now"}}, "transship.when: is not known"),
    ],
)
def test_what_cannot_be_is_told(given: dict[str, Any], words: str) -> None:
    (problem,) = collection.problems(given, by_hand=True)
    assert words in problem


def test_only_a_run_by_hand_releases_at_once() -> None:
    asked = {"transship": {"release_now": True}}
    (problem,) = collection.problems(asked, by_hand=False)
    assert "by hand" in problem
    asked = {"transship": {"release_now": False}}
    assert list(collection.problems(asked, by_hand=False)) == []


def test_phases_follow_each_other_to_the_end() -> None:
    assert [phase.following for phase in Phase] == [*list(Phase)[1:], Phase.DONE]


def test_an_account_is_resumed_as_it_was_kept() -> None:
    account = Account(phase=Phase.SWEEP, manifests=3, freed_bytes=9)
    account.refuse("a/b", "access denied")
    account.reclaimable = {"after_window": {"objects": 1, "bytes": 5}}
    kept = Account.of(account.to_json())
    assert kept == account
    kept.resume()
    assert kept == account
    assert Account.of(None) == Account()


def test_a_run_that_ended_and_is_let_try_again_begins_anew_and_counts_on() -> None:
    account = Account(phase=Phase.DONE, queued_until=7, objects=2, refused=1, words=["a: b"])
    account.resume()
    assert account == Account(objects=2)


def test_of_many_refusals_the_first_few_are_told() -> None:
    account = Account()
    for number in range(WORDS_KEPT + 2):
        account.refuse(str(number), "no")
    assert account.refused == WORDS_KEPT + 2
    assert account.words == [f"{number}: no" for number in range(WORDS_KEPT)]


def test_what_would_go_is_counted_by_kind() -> None:
    account = Account()
    for kind, size in (("manifest", 1), ("blob", 100), ("blob", 1000)):
        account.foresee(kind, size)
    assert (account.manifests, account.blobs) == (1, 2)
    assert account.collected_bytes == 1100


@pytest.mark.parametrize(
    ("account", "asked", "sentence"),
    [
        (
            Account(manifests=2, blobs=3, collected_bytes=40),
            CollectionParameters(dry_run=True),
            "2 manifests and 3 blobs would go, 40 bytes",
        ),
        (
            Account(manifests=2, blobs=3, freed_bytes=7),
            CollectionParameters(),
            "2 manifests and 3 blobs collected, 7 bytes freed",
        ),
        (
            Account(blobs=1, objects=1, freed_bytes=7),
            CollectionParameters(release_now=True),
            f"0 manifests and 1 blobs collected, 7 bytes freed{FOR_GOOD}",
        ),
        (
            Account(reclaimable={"after_window": {"objects": 1, "bytes": 33}}),
            CollectionParameters(),
            "0 manifests and 0 blobs collected, 0 bytes freed; 33 more wait for their window",
        ),
        (
            Account(manifests=1, kept=2),
            CollectionParameters(delete_untagged=True),
            f"1 manifests and 0 blobs collected, 0 bytes freed; 2 {STAYS}",
        ),
        (
            Account(reclaimable={"after_window": {"objects": 0, "bytes": 0}}),
            CollectionParameters(),
            "0 manifests and 0 blobs collected, 0 bytes freed",
        ),
    ],
)
def test_a_run_is_told_in_a_sentence(
    account: Account, asked: CollectionParameters, sentence: str
) -> None:
    assert account.sentence(asked) == sentence


@pytest.mark.parametrize(("kind", "tag"), [("tag", "1.0"), ("manifest", None)])
def test_only_a_tag_that_went_alone_is_a_tag(kind: str, tag: str | None) -> None:
    gone = Deleted(
        id=1,
        kind=kind,
        repository="team/app",
        digest="sha256:" + "0" * 64,
        media_type=None,
        artifact_type=None,
        tags=("1.0",),
        size_bytes=None,
        pushed_at=NOON,
        deleted_at=NOON,
        deleted_by="ann",
        reason="deleted",
        until=NOON,
    )
    assert gone.tag == tag
