"""Somebody who pushes, moves tags, deletes, asks back and pulls, one thing after the other.

What is told is noted in the model only when it was acknowledged; what was interrupted is begun
again, as docker does.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from database.errors import DatabaseUnavailable
from database.pool import CONFLICTS
from protocol.content import ContentStore
from protocol.digest import Digest
from protocol.errors import (
    InvalidManifest,
    NotFound,
    RangeNotSatisfiable,
    RegistryError,
    Rejected,
    Unavailable,
    Unreachable,
    Unsupported,
)
from registry.errors import RegistryStorageError
from tests.chaos.collecting import contents
from tests.chaos.collecting.contents import Artifact
from tests.chaos.collecting.model import Model

TAGS = 5
TRIES = 200
# What a client of a registry that dies, or whose storage fails, begins again after.
INTERRUPTIONS = (
    Unavailable,
    Unreachable,
    RangeNotSatisfiable,
    DatabaseUnavailable,
    RegistryStorageError,
)

Back = tuple[Sequence[Digest], Sequence[str]]
Undelete = Callable[[str, Digest], Awaitable[Back | None]]
Action = Callable[[], Awaitable[None]]
Key = TypeVar("Key")


class Missing(Exception):
    """A blob that a push was told of is gone: it is refused, and begun again as docker does."""


@dataclass(slots=True, kw_only=True)
class Owner:
    """`store` is the repository as this owner reaches it, `others` may be mounted from."""

    model: Model
    store: ContentStore
    others: Sequence[str]
    chance: random.Random
    pause: Action
    number: int
    by_wire: bool
    undelete: Undelete
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _tries: int = 0

    async def act(self) -> None:
        """Do one thing, until it has an answer."""
        self.model.moves_on()
        names = list(self._ACTS)
        (name,) = self.chance.choices(names, [self._ACTS[name][0] for name in names])
        action = self._ACTS[name][1](self)
        if action is None:
            return
        for self._tries in range(TRIES):
            try:
                await action()
            except Missing:
                self.counts["refused"] += 1
            except INTERRUPTIONS:
                self.counts["interrupted"] += 1
                await self.pause()
            except (RegistryError, *CONFLICTS) as error:
                if not _is_of_an_upload(error):
                    self.violations.append(f"{self._where}: {name} was refused: {error!r}")
                    return
                self.counts["interrupted"] += 1
            else:
                self.counts[name] += 1
                return
        self.violations.append(f"{self._where}: {name} had no answer after {TRIES} tries")

    @property
    def _where(self) -> str:
        return f"owner {self.number} of {self.store.repository}"

    @property
    def _was_interrupted(self) -> bool:
        """Whether an earlier try may have done it: a client over the wire tries again by itself."""
        return self._tries > 0 or self.by_wire

    def owns(self, tag: str) -> bool:
        """Say whether a tag is this owner's."""
        own = {companion.own_tag for companion in self.model.universe.companions}
        return tag.startswith(f"o{self.number}-") or tag in own

    # Choosing: what it is about is known before the first try

    def _an_image(self) -> Action:
        return self._pushing(self.chance.choice(self.model.universe.images), self._tag_or_none())

    def _an_index(self) -> Action:
        return self._pushing(self.chance.choice(self.model.universe.indexes), self._tag_or_none())

    def _a_companion(self) -> Action:
        companion = self.chance.choice(self.model.universe.companions)
        return self._pushing(companion, companion.own_tag)

    def _a_tag_to_delete(self) -> Action | None:
        return self._untagging(self._one_of(self.model.tags)) if self.model.tags else None

    def _a_manifest_to_delete(self) -> Action | None:
        return self._deleting(self._one_of(self.model.there)) if self.model.there else None

    def _a_manifest_to_undelete(self) -> Action | None:
        return self._undeleting(self._one_of(self.model.gone)) if self.model.gone else None

    def _a_blob_to_abandon(self) -> Action:
        return self._abandoning(self.chance.randrange(contents.BLOBS))

    def _a_tag_to_pull(self) -> Action | None:
        return self._pulling(self._one_of(self.model.tags)) if self.model.tags else None

    def _one_of(self, known: Collection[Key]) -> Key:
        return self.chance.choice(sorted(known, key=str))

    def _tag_or_none(self) -> str | None:
        number = self.chance.randrange(TAGS + 1)
        return f"o{self.number}-t{number}" if number < TAGS else None

    _ACTS: ClassVar[Mapping[str, tuple[int, Callable[[Any], Action | None]]]] = {
        "image": (30, _an_image),
        "index": (14, _an_index),
        "companion": (12, _a_companion),
        "untag": (8, _a_tag_to_delete),
        "delete": (16, _a_manifest_to_delete),
        "undelete": (6, _a_manifest_to_undelete),
        "abandon": (4, _a_blob_to_abandon),
        "pull": (12, _a_tag_to_pull),
    }

    # Pushing

    def _pushing(self, artifact: Artifact, tag: str | None) -> Action:
        async def push() -> None:
            for child in artifact.children:
                await self._push(self.model.universe.by_digest[child], None)
            await self._push(artifact, tag)

        return push

    async def _push(self, artifact: Artifact, tag: str | None) -> None:
        for number in self.chance.sample(artifact.blobs, len(artifact.blobs)):
            await self._push_blob(number)
        if self.chance.random() < _DAWDLES:
            await self.pause()
        try:
            await self.store.write_manifest(artifact.manifest, tag=tag)
        except Rejected as error:
            if artifact.children and self.model.certain().issuperset(artifact.children):
                self.violations.append(f"{self._where}: an acknowledged child vanished: {error}")
            raise Missing from error
        self.model.pushed(artifact, tag)

    async def _push_blob(self, number: int) -> None:
        layer = contents.layer(number)
        if self.chance.random() < _LOOKS and await self.store.has_blob(layer):
            return
        source = self.chance.choice(self.others) if self.chance.random() < _MOUNTS else None
        upload = await self.store.begin_blob(layer, mount_from=source)
        if upload is not None:
            await upload.send(_in_halves(contents.blob(number)))
            self.counts["uploads"] += 1

    def _abandoning(self, number: int) -> Action:
        """Begin an upload that nobody ends, or push a blob that no manifest will name."""

        async def abandon() -> None:
            if self.chance.random() < _HALF:
                await self._push_blob(number)
            else:
                await self.store.begin_blob(contents.layer(number))

        return abandon

    # Deleting, and asking back

    def _untagging(self, tag: str) -> Action:
        async def untag() -> None:
            try:
                await self.store.delete_tag(tag)
            except NotFound:  # an earlier try, a retention, or a collection of what it pointed to
                if not self._was_interrupted and tag in self.model.certain_tags():
                    self.violations.append(f"{self._where}: tag {tag} was not there to be deleted")
            self.model.untagged(tag)

        return untag

    def _deleting(self, digest: Digest) -> Action:
        async def delete() -> None:
            try:
                await self.store.delete_manifest(digest)
            except Unsupported:
                if not self.model.indexes_of(digest):
                    self.violations.append(f"{self._where}: {digest} is in no index, and held")
                return
            except NotFound:
                if not self._was_interrupted and digest in self.model.certain():
                    self.violations.append(f"{self._where}: {digest} was not there to be deleted")
                self.model.vanished(digest)
            else:
                self.model.deleted(digest)

        return delete

    def _undeleting(self, digest: Digest) -> Action:
        back: Back | None = None

        async def ask_back() -> None:
            nonlocal back
            if back is None:  # else it is back, and only where its tags lead is still asked
                back = await self.undelete(self.store.repository, digest)
            if back is None:
                self.counts["too late"] += 1
                return
            digests, tags = back
            found = {tag: await self.target_of(tag) for tag in tags}
            lost = [tag for tag, target in found.items() if target is None]
            if lost and not self.model.runs:
                self.violations.append(f"{self._where}: {lost} are back, and not there")
            there = {tag: target for tag, target in found.items() if target is not None}
            self.model.undeleted(digest, digests, there)

        return ask_back

    # Looking

    def _pulling(self, tag: str) -> Action:
        async def pull() -> None:
            expected = self.model.certain_tags().get(tag)
            if expected is None:
                return
            problem = await self.problem_of(tag, expected)
            if problem and self.model.certain_tags().get(tag) == expected:
                told = self.model.tell(expected)
                self.violations.append(f"{self._where}: {tag} {problem}; {told}")

        return pull

    async def problem_of(self, reference: str, expected: Digest) -> str:
        """Pull everything that a reference leads to; say what is not as it was pushed."""
        artifact = self.model.universe.by_digest[expected]
        try:
            raw = await self.store.read_manifest(reference)
            if raw.body != artifact.manifest.body:
                return f"is {raw.digest}, not {expected}"
            for number in artifact.blobs:
                if await self._read(number) != contents.blob(number):
                    return f"{expected}: blob {number} has other bytes"
        except (NotFound, InvalidManifest) as error:
            return f"{expected}: {error}"
        for child in artifact.children:
            if problem := await self.problem_of(str(child), child):
                return problem
        return ""

    async def target_of(self, reference: str) -> Digest | None:
        """Return what a reference leads to; None if it is not there."""
        try:
            return (await self.store.resolve(reference)).digest
        except NotFound:
            return None

    async def _read(self, number: int) -> bytes:
        async with self.store.read_blob(contents.layer(number)) as chunks:
            return b"".join([chunk async for chunk in chunks])


_LOOKS, _MOUNTS, _DAWDLES, _HALF = 0.8, 0.4, 0.3, 0.5


def _is_of_an_upload(error: Exception) -> bool:
    return isinstance(error, NotFound) and any(
        fault.code.startswith("BLOB_UPLOAD_") for fault in error.faults
    )


async def _in_halves(body: bytes) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    yield body[len(body) // 2 :]
