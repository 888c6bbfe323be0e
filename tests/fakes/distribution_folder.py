"""A CNCF distribution registry's storage, made by hand: sound, or with faults that happen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol import media_types
from protocol.digest import Digest

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, slots=True)
class OldFolder:
    """Writes what distribution writes (its registry/storage/paths.go), file by file."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "docker" / "registry" / "v2"

    def data(self, digest: Digest) -> Path:
        shard = self.root / "blobs" / digest.algorithm / digest.encoded[:2]
        return shard / digest.encoded / "data"

    def blob(self, content: bytes) -> Digest:
        digest = Digest.of(content)
        path = self.data(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(content)
        return digest

    def manifest(self, repository: str, document: dict[str, Any], *tags: str) -> Digest:
        """Add a manifest to a repository, as bytes of its own."""
        digest = self.blob(json.dumps(document, indent=3).encode())
        self.link(repository, f"revisions/{digest.algorithm}/{digest.encoded}", str(digest))
        for tag in tags:
            self.link(repository, f"tags/{tag}/current", str(digest))
        return digest

    def link(self, repository: str, where: str, text: str) -> None:
        path = self.root / "repositories" / repository / "_manifests" / where / "link"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def image(self, repository: str, content: bytes, *tags: str, **more: Any) -> Digest:
        """Add an image of one layer."""
        layers = [_descriptor(LAYER, content)]
        self.blob(content)
        document = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "layers": layers}
        config = b'{"of": "' + content[:20] + b'"}'
        self.blob(config)
        document["config"] = _descriptor(CONFIG, config)
        return self.manifest(repository, document | more, *tags)

    def index(self, repository: str, children: list[Digest], *tags: str) -> Digest:
        """Add an index of manifests."""
        entries = [
            {
                "mediaType": media_types.OCI_MANIFEST,
                "digest": str(child),
                "size": self.data(child).stat().st_size if self.data(child).exists() else 7,
            }
            for child in children
        ]
        document = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": entries,
        }
        return self.manifest(repository, document, *tags)


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}
