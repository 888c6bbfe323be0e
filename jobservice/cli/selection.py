"""Which artifacts a `copy` means: one tag, one digest, the only one of a layout, or all tags."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from jobservice.cli.errand import Errand
from jobservice.cli.errors import CommandError, UsageError
from jobservice.cli.exit_codes import ExitCode
from jobservice.cli.places import LayoutPlace, Place, RegistryPlace
from protocol import reference, referrers
from protocol.content import ContentSource, ContentStore
from protocol.digest import is_digest
from replication.errors import Side, failing

_NAMES_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the user asked to have copied."""

    source: Place
    destination: Place
    all_tags: bool = False
    referrers: bool = True


def check(order: Order) -> None:
    """Raise UsageError for an order that makes no sense, before anything is opened."""
    source, destination = order.source, order.destination
    if order.all_tags and source.selector:
        raise UsageError(f"--all-tags copies a whole repository: leave the tag out of {source}")
    if order.all_tags and destination.selector:
        raise UsageError(f"--all-tags keeps every tag's name: leave the tag out of {destination}")
    if isinstance(destination, RegistryPlace) and destination.reference.digest:
        raise UsageError(f"{destination} has a digest: a destination is named by its tag")
    same_tag = order.all_tags or destination.tag in {None, source.tag}
    if source.name == destination.name and same_tag:
        raise UsageError(f"source and destination are both {source}")


async def errands(
    order: Order, source: ContentSource, destination: ContentStore
) -> AsyncIterator[Errand]:
    """Yield what is to be copied as it becomes known; raise CommandError if that is nothing."""
    if order.all_tags:
        async for errand in _whole_repository(order, source, destination):
            yield errand
        return
    selector = order.source.selector or await _implied(order.source, source)
    kept = order.source.tag or (None if is_digest(selector) else selector)
    tag = order.destination.tag or kept
    yield Errand(
        source_repository=order.source.name,
        destination_repository=order.destination.name,
        reference=selector,
        tags=(tag,) if tag else (),
    )


async def _implied(place: Place, source: ContentSource) -> str:
    """Return the tag that is meant when none is written."""
    if isinstance(place, RegistryPlace):
        return reference.DEFAULT_TAG
    tags = [
        tag async for page in source.tags() for tag in page if not referrers.is_companion_tag(tag)
    ]
    if len(tags) != 1:
        raise UsageError(_ambiguous(place, tags))
    return tags[0]


def _ambiguous(place: LayoutPlace, tags: Sequence[str]) -> str:
    if not tags:
        return f"{place} has no tags: is it an OCI layout, and was anything written to it?"
    shown = ", ".join(tags[:_NAMES_SHOWN]) + (", …" if len(tags) > _NAMES_SHOWN else "")
    return f"{place} has {len(tags)} tags ({shown}): name one, {place}:{tags[0]}, or add --all-tags"


async def _whole_repository(
    order: Order, source: ContentSource, destination: ContentStore
) -> AsyncIterator[Errand]:
    """Yield every tag of the source; a companion tag goes with what it accompanies."""
    fresh = await _is_empty(order, destination)
    companions: tuple[str, ...] | None = None
    seen = 0
    async for page, is_only in _pages(order, source):
        seen += len(page)
        if is_only:
            companions = tuple(tag for tag in page if referrers.is_companion_tag(tag))
        for tag in page:
            if order.referrers and referrers.is_companion_tag(tag):
                continue
            yield Errand(
                source_repository=order.source.name,
                destination_repository=order.destination.name,
                reference=tag,
                tags=(tag,),
                fresh=fresh,
                companions=companions,
            )
    if not seen:
        raise CommandError(
            f"{order.source} has no tags: nothing was copied; is the name right, "
            "and may these credentials read it?",
            code=ExitCode.NOT_FOUND,
        )


async def _is_empty(order: Order, destination: ContentStore) -> bool:
    with failing(Side.DESTINATION, "listing the tags of", order.destination.name):
        async for page in destination.tags():
            if page:
                return False
    return True


async def _pages(order: Order, source: ContentSource) -> AsyncIterator[tuple[Sequence[str], bool]]:
    """Yield the pages of tags, and whether each is the only one."""
    pages = source.tags()
    with failing(Side.SOURCE, "listing the tags of", order.source.name):
        held = await anext(pages, None)
    is_only = True
    while held is not None:
        with failing(Side.SOURCE, "listing the tags of", order.source.name):
            following = await anext(pages, None)
        is_only = is_only and following is None
        yield held, is_only
        held = following
