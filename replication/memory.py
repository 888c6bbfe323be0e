"""What one process knows of a destination registry: where blobs are, and which are on their way."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from protocol.digest import Digest
from replication.turns import Turns

_LOCATIONS: Final = 50_000


class DestinationMemory:
    """Shared by all transfers to one registry, so that a blob is fetched once and then mounted.

    It is a memory, not a truth: the destination's garbage collection may make it wrong, which a
    refused manifest shows; `forget` then clears the way.
    """

    def __init__(self, *, locations: int = _LOCATIONS) -> None:
        self._limit = locations
        self._held: OrderedDict[tuple[Digest, str], None] = OrderedDict()
        self._last: OrderedDict[Digest, str] = OrderedDict()
        self._prepared: set[str] = set()
        self.turns = Turns()

    def holds(self, repository: str, digest: Digest) -> bool:
        """Say whether the blob was seen in this very repository."""
        key = (digest, repository)
        if key not in self._held:
            return False
        self._held.move_to_end(key)
        return True

    def elsewhere(self, repository: str, digest: Digest) -> str | None:
        """Return another repository in which the blob was seen last, to mount it from."""
        found = self._last.get(digest)
        return None if found == repository else found

    def remember(self, repository: str, digest: Digest) -> None:
        """Note that the blob is in a repository; the longest unused places are dropped."""
        key = (digest, repository)
        self._held[key] = None
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
        """Say whether the repository was made ready for writing."""
        return repository in self._prepared

    def mark_prepared(self, repository: str) -> None:
        """Note that the repository is ready; with too many of them the memory starts anew."""
        if len(self._prepared) >= self._limit:
            self._prepared.clear()
        self._prepared.add(repository)
