"""What an event of this registry means to an event-based policy: something to copy or to delete."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never
from urllib.parse import urlsplit

from protocol import referrers
from protocol.content import ListedArtifact
from protocol.digest import Digest
from registry.events import Action, Event
from replication.filters import UNTAGGED, Selection
from replication.policy import Filter, ReplicationPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that changed. `reference` is a tag, or the digest where no tag is meant.

    Only `reference` counts for what is copied: it is looked up anew then. What is gone, is gone
    with this digest.
    """

    repository: str
    reference: str
    digest: str
    is_gone: bool

    def artifact(self, tags: Iterable[str] = ()) -> ListedArtifact:
        """Return what a plan is to look at; `tags` are those of a digest by now."""
        if self.reference != self.digest:
            digest = Digest.parse(self.digest) if self.is_gone else None
            return ListedArtifact(repository=self.repository, tags=(self.reference,), digest=digest)
        return ListedArtifact(
            repository=self.repository, tags=tuple(tags), digest=Digest.parse(self.digest)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPolicy:
    """An enabled policy that follows this registry's events."""

    id: int
    rules: ReplicationPolicy
    replicate_deletion: bool
    destination_url: str

    def changes(self, event: Event, *, external_url: str) -> tuple[Change, ...]:
        """Return what an event comes to; nothing where the filters or the policy leave it out."""
        selection = _selection(self.rules.filters)
        if not selection.takes_repository(event.repository) or self._wrote(event, external_url):
            return ()
        match event.action:
            case Action.PUSH:
                found = _pushed(event, selection, with_company=self.rules.referrers)
                return tuple(dict.fromkeys(found))
            case Action.DELETE | Action.UNTAG if self.replicate_deletion:
                return tuple(_gone(event, selection, with_company=self.rules.referrers))
            case Action.DELETE | Action.UNTAG | Action.PULL:
                return ()
            case _:
                assert_never(event.action)

    def _wrote(self, event: Event, external_url: str) -> bool:
        """Say whether it lies where this policy writes, if that is this very registry.

        A policy from here to here, by another address, would follow itself for ever.
        """
        here, there = urlsplit(external_url).netloc, urlsplit(self.destination_url).netloc
        namespace = self.rules.destination_namespace
        return here == there and bool(namespace) and event.repository.startswith(f"{namespace}/")


@functools.lru_cache(maxsize=1000)
def _selection(filters: tuple[Filter, ...]) -> Selection:
    """Return filters ready to be asked; the same ones are asked about every event."""
    return Selection.of(filters)


def _pushed(event: Event, selection: Selection, *, with_company: bool) -> Iterator[Change]:
    """Yield what to copy; a signature, or what else only accompanies, stands for its subject."""
    subject = event.subject if with_company else None
    if subject is not None:
        yield _change(event, subject, digest=subject)
    for tag in event.tags:
        accompanied = referrers.subject_of_tag(tag) if with_company else None
        if accompanied is not None:
            yield _change(event, str(accompanied), digest=str(accompanied))
        elif selection.takes_tag(tag):
            yield _change(event, tag)
    if not event.tags and subject is None and selection.takes_tag(UNTAGGED):
        yield _change(event, event.digest)


def _gone(event: Event, selection: Selection, *, with_company: bool) -> Iterator[Change]:
    """Yield what to delete: tags by themselves, an artifact if the filters take one of its tags."""
    accompanies = with_company and (
        event.subject is not None or any(map(referrers.is_companion_tag, event.tags))
    )
    taken = [tag for tag in event.tags or (UNTAGGED,) if accompanies or selection.takes_tag(tag)]
    if event.action is Action.DELETE and taken:
        yield _change(event, event.digest, is_gone=True)
    elif event.action is Action.UNTAG:
        for tag in taken:
            yield _change(event, tag, is_gone=True)


def _change(event: Event, reference: str, *, digest: str = "", is_gone: bool = False) -> Change:
    return Change(
        repository=event.repository,
        reference=reference,
        digest=digest or event.digest,
        is_gone=is_gone,
    )


def taken(artifacts: Iterable[ListedArtifact], selection: Selection) -> tuple[ListedArtifact, ...]:
    """Return those that a plan would do something about."""
    return tuple(
        one for one in artifacts if any(selection.takes_tag(tag) for tag in one.tags or (UNTAGGED,))
    )
