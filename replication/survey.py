"""Survey one source repository, a listing page at a time: what is there, and what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from adapters.base import Adapter, Page
from protocol import referrers
from protocol.content import ContentStore, ListedArtifact
from protocol.errors import ProtocolError
from replication import companions, look, naming, plan
from replication.errors import CopyFailed, PlanningFailed, UnknownDestination
from replication.filters import Selection
from replication.limits import Limits
from replication.plan import Choice, Counts, PlanFailure, Route, Skip, SkipReason
from replication.policy import ReplicationPolicy
from replication.transfer import Transfer

_LIST_FROM_TAGS: Final = 4
_COMPANIONS_IN_TRANSFER: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What all repositories of a plan have in common.

    `only` are the artifacts that it is limited to, by repository.
    """

    source: Adapter
    destination: Adapter
    policy: ReplicationPolicy
    selection: Selection
    limits: Limits
    only: Mapping[str, Sequence[ListedArtifact]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What one page of a repository's listing comes to; `next_cursor` opens the next page."""

    repository: str
    transfers: tuple[Transfer, ...] = ()
    skips: tuple[Skip, ...] = ()
    failures: tuple[PlanFailure, ...] = ()
    counts: Counts = field(default_factory=Counts)
    next_cursor: str | None = None


class RepositorySurvey:
    """Surveys one repository. It keeps tag names, never artifacts, from one page to the next."""

    def __init__(self, repository: str, scope: Scope) -> None:
        self._repository = repository
        self._scope = scope
        self._source = scope.source.content(repository)
        self._beside: frozenset[str] | None = None
        self._destination_tags: frozenset[str] | None = None

    async def page(self, cursor: str | None) -> Survey:
        """Survey a page; what fails here fails this repository alone, except a rate limit."""
        try:
            return await self._page(cursor)
        except (ProtocolError, CopyFailed, UnknownDestination) as error:
            if look.is_rate_limit(error):
                raise PlanningFailed(
                    operation="surveying " + self._repository, cause=error
                ) from error
            failure = PlanFailure(repository=self._repository, cause=error)
            return Survey(repository=self._repository, failures=(failure,))

    async def _page(self, cursor: str | None) -> Survey:
        destination = self._scope.destination.content(self._destination_name())
        listed = await self._listed(cursor)
        choice = plan.choose(
            listed.items, self._scope.selection, accompany=self._scope.policy.referrers
        )
        is_whole = self._scope.only is None and cursor is None and listed.cursor is None
        whole = listed.items if is_whole else None
        beside = await self._companions(whole)
        survey = await self._compared(choice, destination, beside)
        return replace(survey, next_cursor=listed.cursor)

    async def _listed(self, cursor: str | None) -> Page[ListedArtifact]:
        if self._scope.only is not None:
            return Page(items=self._scope.only[self._repository])
        async with self._scope.limits.source:
            return await self._scope.source.list_artifacts(self._repository, cursor=cursor)

    def _destination_name(self) -> str:
        policy = self._scope.policy
        return naming.destination_repository(
            self._repository,
            policy.destination_namespace,
            policy.flattening,
            minimum_components=self._scope.destination.info.minimum_components,
        )

    async def _companions(self, whole: Sequence[ListedArtifact] | None) -> frozenset[str]:
        """Return the repository's companion tags: from its only page, or listed once."""
        if not self._scope.policy.referrers:
            return frozenset()
        if whole is not None:
            return frozenset(
                tag for one in whole for tag in one.tags if referrers.is_companion_tag(tag)
            )
        if self._beside is None:
            async with self._scope.limits.source:
                self._beside = await companions.listed(self._source)
        return self._beside

    async def _compared(
        self, choice: Choice, destination: ContentStore, beside: frozenset[str]
    ) -> Survey:
        seen = look.Look(
            self._source,
            destination,
            self._scope.limits,
            beside=beside,
            destination_tags=await self._tags_at(destination, choice),
        )
        resolved = await seen.at_references(choice.wanted)
        route = Route(
            source=self._repository,
            destination=destination.repository,
            standing=seen.standing,
            fresh=not seen.standing and not self._destination_tags,
            companions=tuple(sorted(beside)) if len(beside) <= _COMPANIONS_IN_TRANSFER else None,
        )
        comparison = plan.compare(resolved, route, override=self._scope.policy.override)
        if self._scope.policy.referrers and comparison.settled:
            await seen.at_company(comparison.settled)
        return Survey(
            repository=self._repository,
            transfers=plan.transfers(comparison, route, lagging=seen.lagging),
            skips=(
                *choice.skips,
                *(self._gone(reference) for reference in seen.gone),
                *plan.skips(comparison, route, lagging=seen.lagging),
            ),
            failures=tuple(
                PlanFailure(repository=self._repository, reference=reference, cause=cause)
                for reference, cause in seen.failed.items()
            ),
            counts=Counts(
                artifacts_listed=len(choice.wanted) + len(choice.skips),
                artifacts_matched=len(choice.wanted),
            ),
        )

    async def _tags_at(self, destination: ContentStore, choice: Choice) -> frozenset[str] | None:
        """Return the destination's tags, asked for once, where that saves more than it costs."""
        if self._destination_tags is None and len(choice.wanted) >= _LIST_FROM_TAGS:
            self._destination_tags = await look.tags_of(destination, self._scope.limits)
        return self._destination_tags

    def _gone(self, reference: str) -> Skip:
        return Skip(reason=SkipReason.GONE, repository=self._repository, reference=reference)
