"""One artifact that a one-shot command is to copy, before its digest is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from protocol.content import ContentSource, RawManifest
from protocol.digest import Digest, is_digest
from replication.errors import Side, failing
from replication.transfer import Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """`reference` is a tag or digest at the source; `tags` are what the destination gets.

    `fresh` and `companions` are Transfer's.
    """

    source_repository: str
    destination_repository: str
    reference: str
    tags: tuple[str, ...] = ()
    fresh: bool = False
    companions: tuple[str, ...] | None = None

    @classmethod
    def of(cls, transfer: Transfer) -> Self:
        """Return the errand that is this transfer."""
        return cls(
            source_repository=transfer.source_repository,
            destination_repository=transfer.destination_repository,
            reference=str(transfer.digest),
            tags=transfer.tags,
            fresh=transfer.fresh,
            companions=transfer.companions,
        )

    @property
    def source(self) -> str:
        """Where it comes from, as people write it."""
        mark = "@" if is_digest(self.reference) else ":"
        return f"{self.source_repository}{mark}{self.reference}"

    @property
    def destination(self) -> str:
        """Where it goes, as people write it."""
        tags = f":{','.join(self.tags)}" if self.tags else ""
        return f"{self.destination_repository}{tags}"

    async def resolve(self, source: ContentSource) -> tuple[Transfer, RawManifest | None]:
        """Return the transfer, with the digest that the source has now; raise CopyFailed.

        What will surely be copied is read at once, instead of asking for its digest first.
        """
        root = None
        if is_digest(self.reference):
            digest = Digest.parse(self.reference)
        else:
            with failing(Side.SOURCE, "resolving", self.source):
                if self.fresh:
                    root = await source.read_manifest(self.reference)
                    digest = root.digest
                else:
                    digest = (await source.resolve(self.reference)).digest
        transfer = Transfer(
            source_repository=self.source_repository,
            destination_repository=self.destination_repository,
            digest=digest,
            tags=self.tags,
            fresh=self.fresh,
            companions=self.companions,
        )
        return transfer, root

    def to_json(self) -> dict[str, Any]:
        """Return what machines are told of it."""
        return {
            "source": self.source,
            "destination": self.destination_repository,
            "tags": list(self.tags),
        }
