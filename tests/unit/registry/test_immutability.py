"""Which tags are immutable, and what is said of them."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from protocol.digest import Digest
from registry import immutability
from registry.immutability import ImmutableRule
from registry.selecting import Decoration, Selector

SUBJECT = "sha256-" + "a" * 64


def rule(
    tags: str = "**",
    repositories: str = "**",
    *,
    number: int = 1,
    excludes: bool = False,
    disabled: bool = False,
) -> ImmutableRule:
    return ImmutableRule(
        id=number,
        repository=Selector(
            decoration=Decoration.REPOSITORY_EXCLUDES
            if excludes
            else Decoration.REPOSITORY_MATCHES,
            pattern=repositories,
        ),
        tag=Selector(
            decoration=Decoration.EXCLUDES if excludes else Decoration.MATCHES, pattern=tags
        ),
        disabled=disabled,
    )


@pytest.mark.parametrize(
    ("made", "repository", "tag", "taken"),
    [
        (rule("v*"), "team/app", "v1", True),
        (rule("v*"), "team/app", "latest", False),
        (rule("v*", "app"), "team/app", "v1", True),
        (rule("v*", "app"), "team/group/app", "v1", False),
        (rule("v*", "group/*"), "team/group/app", "v1", True),
        (rule("v*", "team/*"), "team/app", "v1", False),
        (rule("v*", disabled=True), "team/app", "v1", False),
        (rule("nightly-*", "sandbox", excludes=True), "team/app", "v1", True),
        (rule("nightly-*", "sandbox", excludes=True), "team/app", "nightly-1", False),
        (rule("nightly-*", "sandbox", excludes=True), "team/sandbox", "v1", False),
    ],
)
def test_a_rule_takes_tags_by_repository_and_name(
    made: ImmutableRule, repository: str, tag: str, *, taken: bool
) -> None:
    assert (made.covers(repository) and made.takes(tag)) is taken


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
@pytest.mark.parametrize(
    ("made", "taken"),
    [
        (rule("**"), False),
        (rule("*"), False),
        (rule("s*"), False),
        (rule("{v*,sha256-*}"), False),
        (rule("v*", "none", excludes=True), False),
        (rule("sha512-*", "none", excludes=True), False),
        (rule("sha256-*"), True),
        (rule("sha256-*", disabled=True), False),
    ],
)
def test_what_accompanies_an_artifact_is_taken_only_where_it_is_named(
    made: ImmutableRule, suffix: str, *, taken: bool
) -> None:
    assert (made.covers("team/app") and made.takes(SUBJECT + suffix)) is taken


def test_a_tag_that_only_looks_like_a_companion_is_taken_like_any_other() -> None:
    assert rule("**").takes("sha256-abc.sig")


def test_the_first_rule_that_takes_a_tag_is_named() -> None:
    first, second = rule("v*", number=3), rule("**", number=4)
    found = immutability.taken([first, second], "team/app", ["v1", "latest", SUBJECT])
    assert found == {"v1": first, "latest": second}


def test_a_refusal_has_a_fault_for_each_tag_and_says_what_to_do() -> None:
    kept = {"v1": rule("v*", number=3), "old": rule("new", "x", number=4, excludes=True)}
    error = immutability.not_moved("team/app", kept)
    assert (error.status, {fault.code for fault in error.faults}) == (412, {"DENIED"})
    remedy = "push under another tag, or have the rule changed (`transship project immutable`)"
    assert [
        fault.message.partition(" and leads to another manifest: ") for fault in error.faults
    ] == [
        (
            "tag v1 is immutable by rule 3 (tags matching v* in repositories matching **)",
            ANY,
            remedy,
        ),
        (
            "tag old is immutable by rule 4 (tags not matching new in repositories not matching x)",
            ANY,
            remedy,
        ),
    ]
    assert str(error).startswith("push manifest: tag v1 is immutable")
    assert error.url == "local/team/app"


def test_the_refusal_of_a_deletion_names_what_is_kept() -> None:
    digest = Digest.of(b"it")
    kept = {"v1": rule("v*", number=3)}
    assert "tag v1 is immutable by rule 3" in str(immutability.not_deleted("team/app", kept))
    assert f"leads to {digest}" in str(immutability.not_deleted_with("team/app", digest, kept))
