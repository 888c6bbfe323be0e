"""What one process knows of a destination registry: where blobs are, and which are on their way."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final

from protocol.digest import Digest
from replication.turns import Turns

_LOCATIONS: Final = 50_000
_TRUSTED_SECONDS: Final = 600.0


class DestinationMemory:
    """Shared by all transfers to one registry, so that a blob is fetched once and then mounted.

    It is a memory, not a truth: the destination may collect or delete what was seen. So a place is
    believed without a question for `trusted_seconds` only, a mount asks the destination anyway, and
    a refused manifest makes the copy `forget`.

    `tells_by_mount`: whether the registry answers a mount of what is there by doing it, so that an
    opened upload means "not there"; None until either was seen.
    """

    def __init__(
        self,
        *,
        locations: int = _LOCATIONS,
        trusted_seconds: float = _TRUSTED_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._limit = locations
        self._trusted_seconds = trusted_seconds
        self._clock = clock
        self._held: OrderedDict[tuple[Digest, str], float] = OrderedDict()
        self._last: OrderedDict[Digest, str] = OrderedDict()
        self._prepared: dict[str, float] = {}
        self.tells_by_mount: bool | None = None
        self.turns = Turns()

    def holds(self, repository: str, digest: Digest) -> bool:
        """Say whether the blob was seen in this very repository not long ago."""
        return self._is_recent(self._held.get((digest, repository)))

    def elsewhere(self, repository: str, digest: Digest) -> str | None:
        """Return another repository in which the blob was seen last, to mount it from."""
        found = self._last.get(digest)
        return None if found == repository else found

    def remember(self, repository: str, digest: Digest) -> None:
        """Note that the blob is in a repository; the longest unseen places are dropped."""
        key = (digest, repository)
        self._held[key] = self._clock()
        self._held.move_to_end(key)
        self._last[digest] = repository
        self._last.move_to_end(digest)
        if len(self._held) > self._limit:
            self._held.popitem(last=False)
        if len(self._last) > self._limit:
            self._last.popitem(last=False)

    def forget(self, repository: str, digest: Digest) -> None:
        """Drop what is known of a blob in a repository."""
        self._held.pop((digest, repository), None)
        if self._last.get(digest) == repository:
            del self._last[digest]

    def is_prepared(self, repository: str) -> bool:
        """Say whether the repository was made ready for writing not long ago."""
        return self._is_recent(self._prepared.get(repository))

    def mark_prepared(self, repository: str) -> None:
        """Note that the repository is ready; with too many of them the memory starts anew."""
        if len(self._prepared) >= self._limit:
            self._prepared.clear()
        self._prepared[repository] = self._clock()

    def _is_recent(self, seen_at: float | None) -> bool:
        return seen_at is not None and self._clock() - seen_at < self._trusted_seconds
