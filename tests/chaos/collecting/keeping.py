"""What a run of retention may take of an owner's artifacts, and what it has to.

Between the two is what depends on others: a rule that keeps the newest two does not say whose.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from protocol.digest import Digest
from tests.chaos.collecting.policy import Fate, Policy

if TYPE_CHECKING:
    from tests.chaos.collecting.model import Model


def exposed(model: Model, policy: Policy) -> set[Digest]:
    """Return what a run of now may take; what is kept for certain, and all it names, is not."""
    return model.there - _survivors(model, policy, doubtful_stay=False)


def exposed_tags(model: Model, policy: Policy) -> set[str]:
    """Return the tags that a run of now may take, alone or with what they lead to."""
    going = exposed(model, policy)
    return {
        tag
        for tag, target in model.tags.items()
        if target in going
        or (policy.by_tag and _is_own(model, tag) and policy.fate(tag) is not Fate.STAYS)
    }


def condemned(model: Model, policy: Policy) -> Sequence[Digest]:
    """Return what a run has to delete, indexes first; what goes with these is not among it."""
    going = model.there - _survivors(model, policy, doubtful_stay=True)
    units = [one for one in going if _own_tags(model, one) or not _leaders(model, one)]
    return sorted(units, key=lambda one: not model.universe.by_digest[one].children)


def condemned_tags(model: Model, policy: Policy) -> Sequence[str]:
    """Return the tags that have to go, whatever becomes of what they lead to."""
    going = set(condemned(model, policy))
    return [
        tag
        for tag, target in model.tags.items()
        if _is_own(model, tag)
        and (target in going or (policy.by_tag and policy.fate(tag) is Fate.GOES))
    ]


def _survivors(model: Model, policy: Policy, *, doubtful_stay: bool) -> set[Digest]:
    """Return what stays, or with `doubtful_stay` what may: by itself, or with what does.

    What may be gone already keeps nothing.
    """
    there = model.there if doubtful_stay else model.certain()
    stay = {one for one in there if _stays_alone(model, one, policy, doubtful_stay=doubtful_stay)}
    while more := {near for one in stay for near in model.around(one)} & there - stay:
        stay |= more
    return stay


def _stays_alone(model: Model, digest: Digest, policy: Policy, *, doubtful_stay: bool) -> bool:
    tags = _own_tags(model, digest)
    if tags:
        wanted = {Fate.STAYS, Fate.OPEN} if doubtful_stay else {Fate.STAYS}
        certain = tags if doubtful_stay else [one for one in tags if one not in model.unsure_tags]
        return any(policy.fate(tag) in wanted for tag in certain)
    if _leaders(model, digest):
        return False
    # What belongs to something that is not here is nobody's to judge.
    is_lone = model.universe.by_digest[digest].accompanies is not None
    return policy.untagged is Fate.STAYS or (doubtful_stay and is_lone)


def _leaders(model: Model, digest: Digest) -> Collection[Digest]:
    """Return what it stays or goes with."""
    subject = model.universe.by_digest[digest].accompanies
    with_subject = [subject] if subject in model.there and digest in model.around(subject) else []
    return [*with_subject, *model.indexes_of(digest)]


def _own_tags(model: Model, digest: Digest) -> Sequence[str]:
    return [tag for tag, target in model.tags.items() if target == digest and _is_own(model, tag)]


def _is_own(model: Model, tag: str) -> bool:
    """Say whether a tag counts by itself: one that makes something a signature does not."""
    return tag != model.universe.by_digest[model.tags[tag]].own_tag
