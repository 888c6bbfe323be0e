"""What another registry has in a repository, as the rules of retention look at it.

Requests: the pages of tags; one HEAD for each tag, or for each digest where the listing gives them;
one GET for each index, because its children stay while it does. What images say of themselves is
read only where a rule asks for it, and of what is to go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from adapters.base import Adapter, AdapterInfo
from protocol import image_config, manifest, media_types, platform
from protocol.content import ContentStore, ListedArtifact, RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import (
    ContentError,
    InvalidConfig,
    InvalidManifest,
    ManifestTooLarge,
    NotFound,
)
from protocol.image_config import ImageConfig
from protocol.manifest import Image
from registry.retention.artifact import Artifact, Tag
from registry.retention.criterion import Fact
from registry.retention.rule import ALL_TYPES
from registry.retention.rule_set import RuleSet
from replication import fanout

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a manifest says; `problem` is why it cannot be read, and then it is left alone.

    `labels` are its config's, `images` those children that are for a platform, or say nothing.
    """

    media_type: str
    size_bytes: int = 0
    config_media_type: str | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    platforms: tuple[str, ...] = ()
    children: tuple[Digest, ...] = ()
    images: tuple[Digest, ...] = ()
    subject: Digest | None = None
    problem: str = ""


class Inventory:
    """The tags of one repository, with their digests, and what was read of manifests so far."""

    def __init__(self, adapter: Adapter, repository: str, *, reads_configs: bool = False) -> None:
        self._adapter = adapter
        self._reads_configs = reads_configs
        self._asks_children = False
        self.store: ContentStore = adapter.content(repository)
        self.repository = repository
        self.tags: dict[str, Digest] = {}
        self._listed: dict[str, ListedArtifact] = {}
        self._is_one_page = False
        self._types: dict[Digest, str] = {}
        self._read: dict[Digest, Read] = {}
        self._pointing: defaultdict[Digest, set[str]] = defaultdict(set)
        self._named_by: defaultdict[Digest, set[Digest]] = defaultdict(set)

    async def take(self) -> None:
        """List everything, anew; what was read of manifests stays true.

        Raise NotFound for a repository that is not there: it has nothing.
        """
        self.tags.clear()
        self._pointing.clear()
        listed: dict[str, ListedArtifact] = {}
        cursor: str | None = None
        while True:
            page = await self._adapter.list_artifacts(self.repository, cursor=cursor)
            for one in page.items:
                listed |= dict.fromkeys(one.tags, one)
            self._is_one_page = cursor is None and page.cursor is None
            cursor = page.cursor
            if cursor is None:
                break
        self._listed = listed
        await self._learn(listed)

    async def look_again(self) -> None:
        """List anew where that is one request, and learn of tags that came, or are said to move.

        Raise NotFound for a repository that is not there any more.
        """
        if not self._is_one_page:
            return
        page = await self._adapter.list_artifacts(self.repository, cursor=None)
        self._is_one_page = page.cursor is None
        came = {tag: one for one in page.items for tag in one.tags if self._is_news(tag, one)}
        for tag in came:
            self.forget(tag)
        self._listed |= came
        await self._learn(came)

    def _is_news(self, tag: str, listed: ListedArtifact) -> bool:
        return listed.digest not in {None, self.tags.get(tag)} or tag not in self.tags

    async def _learn(self, tags: Iterable[str]) -> None:
        """Learn what listed tags point to, and what indexes among these name."""
        await fanout.for_each(tags, self._resolve, at_once=_AT_ONCE)
        known = (self.tags[tag] for tag in tags if tag in self.tags)
        await self.read(self._indexes(known))

    async def _resolve(self, tag: str) -> None:
        """Learn what a tag points to; one that is gone meanwhile is left out."""
        digest = self._listed[tag].digest
        if digest is None or digest not in self._types:
            try:
                found = await self.store.resolve(str(digest or tag))
            except NotFound:
                return
            digest = found.digest
            self._types[digest] = found.media_type
        self.tags[tag] = digest
        self._pointing[digest].add(tag)

    async def read(self, digests: Iterable[Digest]) -> None:
        """Read manifests that were not, and the indexes that they name, however deep."""
        waiting = {digest for digest in digests if digest not in self._read}
        while waiting:
            await fanout.for_each(waiting, self._read_one, at_once=_AT_ONCE)
            named = [child for digest in waiting for child in self._read[digest].children]
            waiting = {digest for digest in self._indexes(named) if digest not in self._read}

    async def read_children(self) -> None:
        """Read what indexes name, too: it weighs with them, and says what they say."""
        self._asks_children = True
        await self.read([child for read in [*self._read.values()] for child in read.children])

    async def _read_one(self, digest: Digest) -> None:
        try:
            raw = await self.store.read_manifest(str(digest))
            self._read[digest] = await self._understood(raw)
        except NotFound:
            self._read[digest] = self._unread(digest, problem="its manifest is not there")
        except (InvalidManifest, ManifestTooLarge) as error:
            problem = f"its manifest cannot be read: {error}"
            self._read[digest] = self._unread(digest, problem=problem)

    def _unread(self, digest: Digest, *, problem: str = "") -> Read:
        """Return what is known of a manifest that was not read."""
        return Read(media_type=self._types.get(digest, media_types.OCI_MANIFEST), problem=problem)

    async def _understood(self, raw: RawManifest) -> Read:
        parsed = manifest.parse(raw)
        subject = parsed.subject.digest if parsed.subject else None
        if isinstance(parsed, Image):
            blobs = (parsed.config, *parsed.layers)
            read = Read(
                media_type=parsed.media_type,
                size_bytes=len(raw.body) + sum(blob.size_bytes for blob in blobs),
                config_media_type=parsed.config.media_type,
                artifact_type=parsed.artifact_type,
                annotations=parsed.annotations,
                subject=subject,
            )
            asked = self._reads_configs and parsed.config.media_type in media_types.IMAGE_CONFIGS
            return await self._told(read, parsed.config) if asked else read
        for child in parsed.manifests:
            self._types.setdefault(child.digest, child.media_type)
            self._named_by[child.digest].add(raw.digest)
        return Read(
            media_type=parsed.media_type,
            size_bytes=len(raw.body),
            artifact_type=parsed.artifact_type,
            annotations=parsed.annotations,
            platforms=tuple(str(child.platform) for child in parsed.manifests if child.platform),
            children=tuple(child.digest for child in parsed.manifests),
            images=tuple(
                child.digest for child in parsed.manifests if str(child.platform) != platform.NONE
            ),
            subject=subject,
        )

    async def _told(self, read: Read, config: Descriptor) -> Read:
        """Add what the config of an image says of it."""
        try:
            said = await self._config(config)
        except NotFound:
            return replace(read, problem="its config is not there")
        except (InvalidConfig, ContentError) as error:
            return replace(read, problem=f"its config {error}")
        return replace(
            read,
            labels=said.labels,
            platforms=(str(said.platform),) if said.platform else (),
        )

    async def _config(self, config: Descriptor) -> ImageConfig:
        image_config.want_size(config.size_bytes)
        async with self.store.read_blob(config) as chunks:
            body = b"".join([chunk async for chunk in chunks])
        config.digest.verify(body)
        return ImageConfig.parse(body)

    def _indexes(self, digests: Iterable[Digest]) -> Iterator[Digest]:
        return (one for one in digests if self._types.get(one) in media_types.INDEXES)

    def unread(self, digests: Iterable[Digest]) -> frozenset[Digest]:
        """Return those of which nothing was read."""
        return frozenset(digests).difference(self._read)

    def sharing(self, digest: Digest) -> frozenset[str]:
        """Return the tags that point to a digest."""
        return frozenset(self._pointing[digest])

    def parents(self, digest: Digest) -> frozenset[Digest]:
        """Return the indexes that name a digest, of those that have tags or belong to such."""
        return frozenset(one for one in self._named_by[digest] if self._stands(one))

    def forget(self, tag: str) -> None:
        """Take a tag off that is gone."""
        digest = self.tags.pop(tag, None)
        if digest is not None:
            self._pointing[digest].discard(tag)

    def _stands(self, digest: Digest) -> bool:
        return bool(self._pointing[digest]) or any(map(self._stands, self._named_by[digest]))

    def artifacts(self) -> Iterator[Artifact]:
        """Yield what the rules judge: children before the indexes that name them.

        Indexes between others come without tags; other untagged manifests no registry lists.
        """
        numbers = {one: number for number, one in enumerate(self._ordered(), 1)}
        for digest, number in numbers.items():
            parents = [numbers[one] for one in self._named_by[digest] if one in numbers]
            yield self._artifact(digest, number, sorted(self._pointing[digest]), parents)

    def _ordered(self) -> Iterator[Digest]:
        """Yield what is judged, each once, what an index names before it."""
        done = set[Digest]()
        waiting = [(self.tags[tag], False) for tag in sorted(self.tags, reverse=True)]
        while waiting:
            digest, is_open = waiting.pop()
            if digest in done:
                continue
            inner = [] if is_open else self._inner(digest)
            if inner:
                waiting += [(digest, True), *((child, False) for child in inner)]
            else:
                done.add(digest)
                yield digest

    def _inner(self, digest: Digest) -> list[Digest]:
        """Return what an index names that is judged, too: it has tags, or is an index itself."""
        read = self._read.get(digest)
        named = read.children if read else ()
        indexes = frozenset(self._indexes(named))
        return [child for child in named if child in indexes or self._pointing[child]]

    def _artifact(
        self, digest: Digest, number: int, tags: list[str], parents: list[int]
    ) -> Artifact:
        read = self._read.get(digest) or self._unread(digest)
        listed = [self._listed[tag] for tag in tags if tag in self._listed]
        children = {one: self._read[one] for one in read.children} if self._asks_children else {}
        problems = (
            f"{one}, which it names: {child.problem}"
            for one, child in children.items()
            if child.problem
        )
        return Artifact(
            id=number,
            digest=str(digest),
            media_type=read.media_type,
            tags=[self._tag(tag) for tag in tags],
            pushed_at=_latest(one.pushed_at for one in listed),
            pulled_at=_latest(one.pulled_at for one in listed),
            size_bytes=read.size_bytes + sum(one.size_bytes for one in children.values()),
            artifact_type=read.artifact_type,
            config_media_type=read.config_media_type,
            annotations={**_alike(read, children), **read.annotations},
            platforms=[one for one in read.platforms if one != platform.NONE],
            parents=parents,
            subject=str(read.subject) if read.subject else None,
            held=read.problem or next(problems, ""),
        )

    def _tag(self, tag: str) -> Tag:
        listed = self._listed.get(tag)
        return Tag(
            name=tag,
            pushed_at=listed.pushed_at if listed else None,
            pulled_at=listed.pulled_at if listed else None,
        )


def _alike(read: Read, children: Mapping[Digest, Read]) -> dict[str, str]:
    """Return the labels of an image, or those that all images of an index have alike."""
    asked = [children[one] for one in read.images if one in children]
    images = [one for one in asked if one.config_media_type in media_types.IMAGE_CONFIGS]
    first, *others = images or [read]
    return dict(set(first.labels.items()).intersection(*(one.labels.items() for one in others)))


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((time for time in times if time is not None), default=None)


def reads_all(rules: RuleSet) -> bool:
    """Say whether rules ask for what only manifests say."""
    of_manifests = {Fact.ANNOTATIONS, Fact.PLATFORM, Fact.SIZE}
    return any(of_manifests & facts for _, facts in rules.facts()) or any(
        rule.types != ALL_TYPES for rule in rules.rules if not rule.disabled
    )


def untold(rules: RuleSet, info: AdapterInfo) -> Iterator[str]:
    """Yield a sentence for every rule that asks for what registries of a kind do not tell."""
    told = {
        Fact.PUSH_TIME: info.tells_push_time,
        Fact.PULL_TIME: info.tells_pull_time,
        Fact.LABELS: False,
        Fact.PUSHER: False,
    }
    for rule, facts in rules.facts():
        for fact in sorted(facts):
            if not told.get(fact, True):
                yield (
                    f"{rule.name} asks for the {fact}, which registries of kind {info.kind} do not"
                    " tell; ask for versions (semver), annotations or names instead"
                )
