"""Make a plan page by page: list, filter, compare. A page is what a caller stores in one go.

Nothing proportional to a catalog or a tag list is held; repositories of one catalog page are
surveyed a few at a time and handed out in the catalog's order, so that a cursor is one place.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from adapters.base import Adapter, Page
from protocol.content import ListedArtifact
from protocol.errors import ProtocolError, Unsupported
from replication import fanout
from replication.cursor import Cursor
from replication.errors import PlanningFailed
from replication.filters import Selection
from replication.limits import Limits
from replication.plan import Counts, PlanFailure, Skip, SkipReason
from replication.policy import ReplicationPolicy
from replication.survey import RepositorySurvey, Scope, Survey
from replication.transfer import Transfer

_REPOSITORIES_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPage:
    """A piece of the plan; `cursor` opens what follows, None means that all is planned."""

    transfers: tuple[Transfer, ...] = ()
    skips: tuple[Skip, ...] = ()
    failures: tuple[PlanFailure, ...] = ()
    counts: Counts = field(default_factory=Counts)
    cursor: Cursor | None = None


async def plan_pages(
    source: Adapter,
    destination: Adapter,
    policy: ReplicationPolicy,
    *,
    cursor: Cursor | None = None,
    limits: Limits | None = None,
    only: Sequence[ListedArtifact] | None = None,
) -> AsyncGenerator[PlannedPage, None]:
    """Yield the plan, from a cursor on; at least one page, the last one without a cursor.

    With `only` nothing is listed: the plan is of these artifacts, as far as the filters take them.

    A repository that cannot be listed is a failure in its page. Raise InvalidPattern and
    UnsupportedFilter before anything is asked, PlanningFailed when the catalog cannot be listed or
    a registry asks for less: go on later from the last page's cursor.
    """
    scope = Scope(
        source=source,
        destination=destination,
        policy=policy,
        selection=Selection.of(policy.filters),
        limits=limits or Limits(),
        only=None if only is None else _by_repository(only),
    )
    start = cursor or Cursor()
    opened_before = {start.catalog}
    at: Cursor | None = start
    while at is not None:
        page = await _catalog_page(scope, at)
        in_circle = page.cursor in opened_before  # everything was listed then
        opened_before.add(page.cursor)
        following = Cursor(catalog=page.cursor) if page.cursor and not in_circle else None
        taken = [name for name in page.items if scope.selection.takes_repository(name)]
        rest = at.rest(taken)
        if at.finished is None:
            opened = following if not rest else replace(at, finished="")
            yield _opening(page, taken, opened)
        async for planned in _repositories(scope, rest, replace(at, finished=at.finished or "")):
            last = planned.cursor is None or planned.cursor.finished == rest[-1]
            yield replace(planned, cursor=following) if last else planned
        at = following


async def _catalog_page(scope: Scope, at: Cursor) -> Page[str]:
    """Return a page of the catalog, or the names that are known without it."""
    if scope.only is not None:
        return Page(items=sorted(scope.only))
    if scope.selection.literal is not None:
        return Page(items=scope.selection.literal)
    try:
        async with scope.limits.source:
            return await scope.source.list_repositories(cursor=at.catalog)
    except Unsupported as error:
        raise PlanningFailed(
            operation="listing the repositories (name them without wildcards in a name filter where"
            " a registry has no catalog)",
            cause=error,
        ) from error
    except (ProtocolError, OSError) as error:
        raise PlanningFailed(operation="listing the repositories", cause=error) from error


def _opening(page: Page[str], taken: list[str], cursor: Cursor | None) -> PlannedPage:
    matched = frozenset(taken)
    return PlannedPage(
        skips=tuple(
            Skip(reason=SkipReason.REPOSITORY_FILTERED, repository=name)
            for name in page.items
            if name not in matched
        ),
        counts=Counts(repositories_listed=len(page.items), repositories_matched=len(taken)),
        cursor=cursor,
    )


async def _repositories(
    scope: Scope, names: list[str], at: Cursor
) -> AsyncGenerator[PlannedPage, None]:
    """Yield every page of every repository, each with the cursor within this catalog page."""
    start = at.artifacts if names[:1] == [at.repository] else None
    done = Cursor(catalog=at.catalog, finished=at.finished)
    for batch in _batches(names):
        surveys = {name: RepositorySurvey(name, scope) for name in batch}
        firsts = await _first_pages(surveys, start)
        start = None
        for name in batch:
            page = firsts.pop(name)
            opened: set[str] = set()
            while page.next_cursor is not None and page.next_cursor not in opened:
                opened.add(page.next_cursor)
                yield _planned(page, replace(done, repository=name, artifacts=page.next_cursor))
                page = await surveys[name].page(page.next_cursor)
            done = replace(done, finished=name)
            yield _planned(page, done)


async def _first_pages(
    surveys: dict[str, RepositorySurvey], start: str | None
) -> dict[str, Survey]:
    """Survey the first page of each; `start` opens that of the first, which was under way."""
    cursors = dict.fromkeys(surveys) | {next(iter(surveys)): start}
    pages: dict[str, Survey] = {}

    async def survey(name: str) -> None:
        pages[name] = await surveys[name].page(cursors[name])

    await fanout.for_each(surveys, survey, at_once=_REPOSITORIES_AT_ONCE)
    return pages


def _planned(survey: Survey, cursor: Cursor) -> PlannedPage:
    return PlannedPage(
        transfers=survey.transfers,
        skips=survey.skips,
        failures=survey.failures,
        counts=survey.counts,
        cursor=cursor,
    )


def _by_repository(artifacts: Sequence[ListedArtifact]) -> dict[str, list[ListedArtifact]]:
    found: dict[str, list[ListedArtifact]] = {}
    for artifact in artifacts:
        found.setdefault(artifact.repository, []).append(artifact)
    return found


def _batches(names: list[str]) -> Iterator[tuple[str, ...]]:
    iterator = iter(names)
    while batch := tuple(itertools.islice(iterator, _REPOSITORIES_AT_ONCE)):
        yield batch
