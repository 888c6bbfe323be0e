"""What the fake registry holds: repositories in memory, and short ways to fill them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from protocol import media_types
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Algorithm, Digest


def as_json(descriptor: Descriptor) -> dict[str, Any]:
    """Write a descriptor as manifests do."""
    value: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size_bytes,
    }
    if descriptor.platform is not None:
        value["platform"] = {
            "os": descriptor.platform.os,
            "architecture": descriptor.platform.architecture,
        }
    if descriptor.artifact_type:
        value["artifactType"] = descriptor.artifact_type
    if descriptor.urls:
        value["urls"] = list(descriptor.urls)
    if descriptor.annotations:
        value["annotations"] = dict(descriptor.annotations)
    return value


@dataclass(slots=True)
class Repository:
    """One repository: `blobs` and `manifests` by digest text, `tags` to digest text."""

    name: str
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, RawManifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def put_blob(
        self,
        content: bytes,
        *,
        media_type: str = media_types.OCI_LAYER,
        algorithm: Algorithm = Algorithm.SHA256,
    ) -> Descriptor:
        """Hold a blob and point to it."""
        digest = Digest.of(content, algorithm)
        self.blobs[str(digest)] = content
        return Descriptor(media_type=media_type, digest=digest, size_bytes=len(content))

    def put_manifest(
        self,
        body: bytes,
        media_type: str,
        *,
        tag: str | None = None,
        algorithm: Algorithm = Algorithm.SHA256,
    ) -> RawManifest:
        """Hold any bytes as a manifest, without a look at them."""
        manifest = RawManifest(media_type=media_type, digest=Digest.of(body, algorithm), body=body)
        self.manifests[str(manifest.digest)] = manifest
        if tag is not None:
            self.tags[tag] = str(manifest.digest)
        return manifest

    def put_image(
        self,
        tag: str | None = None,
        *,
        layers: Sequence[bytes] = (b"layer",),
        config: bytes = b"{}",
        subject: Descriptor | None = None,
        extra: Mapping[str, Any] | None = None,
        algorithm: Algorithm = Algorithm.SHA256,
    ) -> RawManifest:
        """Hold an OCI image with its blobs; `extra` is merged into the manifest's object."""
        value: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": as_json(
                self.put_blob(config, media_type=media_types.OCI_CONFIG, algorithm=algorithm)
            ),
            "layers": [as_json(self.put_blob(each, algorithm=algorithm)) for each in layers],
        }
        if subject is not None:
            value["subject"] = as_json(subject)
        value.update(extra or {})
        return self.put_manifest(
            json.dumps(value).encode(), media_types.OCI_MANIFEST, tag=tag, algorithm=algorithm
        )

    def put_index(
        self,
        tag: str | None = None,
        *,
        children: Sequence[Descriptor] = (),
        subject: Descriptor | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> RawManifest:
        """Hold an OCI index of `children`, whether they are there or not."""
        value: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": [as_json(child) for child in children],
        }
        if subject is not None:
            value["subject"] = as_json(subject)
        value.update(extra or {})
        return self.put_manifest(json.dumps(value).encode(), media_types.OCI_INDEX, tag=tag)

    def put_artifact(
        self,
        tag: str | None = None,
        *,
        subject: Descriptor | None = None,
        artifact_type: str = "application/vnd.example.signature",
        payload: bytes = b"signature",
        annotations: Mapping[str, str] | None = None,
    ) -> RawManifest:
        """Hold an artifact with the empty config: a signature, say, if it has a subject."""
        extra: dict[str, Any] = {"artifactType": artifact_type}
        if annotations:
            extra["annotations"] = dict(annotations)
        empty = self.put_blob(b"{}", media_type=media_types.OCI_EMPTY)
        extra["config"] = as_json(empty)
        return self.put_image(tag, layers=(payload,), subject=subject, extra=extra)

    def find(self, reference: str) -> RawManifest | None:
        """Look a manifest up by tag or digest."""
        return self.manifests.get(self.tags.get(reference, reference))

    def referrers(self, subject: str) -> list[dict[str, Any]]:
        """List what refers to a digest, as the referrers API does."""
        found = []
        for manifest in self.manifests.values():
            try:
                value = json.loads(manifest.body)
            except ValueError:
                continue
            if isinstance(value, dict) and (value.get("subject") or {}).get("digest") == subject:
                found.append(referrer_entry(manifest, value))
        return found


def referrer_entry(manifest: RawManifest, value: Mapping[str, Any]) -> dict[str, Any]:
    """Write the descriptor that a referrers list shows (distribution-spec, Listing Referrers)."""
    entry = as_json(manifest.descriptor)
    artifact_type = value.get("artifactType") or (value.get("config") or {}).get("mediaType")
    if artifact_type:
        entry["artifactType"] = artifact_type
    if value.get("annotations"):
        entry["annotations"] = value["annotations"]
    return entry
