"""The manifests of a layout: reading, listing, and what refers to what. Blocks on the disk."""

from __future__ import annotations

from dataclasses import replace

from adapters.layout import faults
from adapters.layout.files import LayoutFiles
from adapters.layout.index import Entry
from protocol import content, digest, manifest, referrers
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import InvalidManifest, ManifestTooLarge


class LayoutManifests:
    """The manifests in `files`."""

    def __init__(self, files: LayoutFiles) -> None:
        self._files = files
        # Manifests never change, so what each refers to is read once.
        self._subjects: dict[Digest, Digest | None] = {}

    def read(self, name: str) -> RawManifest:
        """Return the manifest of a tag, full name or digest, verified; raise FileNotFoundError."""
        entry = self._files.read_index().find(name)
        if entry is None and not digest.is_digest(name):
            raise faults.missing("no such tag")
        found = Digest.parse(name if entry is None else entry.digest)
        body = self._read_whole(found)
        media_type = _media_type(found, body) if entry is None else entry.media_type
        if media_type is None:
            raise faults.missing("the content of that digest is no manifest")
        return RawManifest(media_type=media_type, digest=found, body=body)

    def list(self, raw: RawManifest, tag: str | None) -> None:
        """Enter a manifest into index.json; the children of an index need no line of their own."""
        parsed = manifest.parse(raw)
        children = parsed.manifests if isinstance(parsed, manifest.Index) else ()
        listed = replace(raw.descriptor, artifact_type=parsed.artifact_type)
        hidden = [child.digest for child in children if self.subject(child.digest) is None]
        self._files.change_index(lambda i: i.with_manifest(listed, tag=tag, children=hidden))

    def subject(self, found: Digest) -> Digest | None:
        """Return what a manifest refers to; None for content that refers to nothing."""
        if found not in self._subjects:
            try:
                subject = manifest.parse(self.read(str(found))).subject
            except (FileNotFoundError, InvalidManifest):
                return None
            self._subjects[found] = None if subject is None else subject.digest
        return self._subjects[found]

    def referrer(self, entry: Entry, subject: Digest) -> Descriptor | None:
        """Return the descriptor of a listed manifest if it refers to `subject`."""
        if self.subject(Digest.parse(entry.digest)) != subject:
            return None
        return referrers.entry(self.read(entry.digest))

    def fallback(self, subject: Digest) -> tuple[Descriptor, ...]:
        """Return what is listed under the tag that stands in for a referrers API."""
        try:
            parsed = manifest.parse(self.read(referrers.fallback_tag(subject)))
        except FileNotFoundError:
            return ()
        return parsed.manifests if isinstance(parsed, manifest.Index) else ()

    def _read_whole(self, found: Digest) -> bytes:
        blob = self._files.open_blob(found)
        try:
            if blob.size_bytes > content.MANIFEST_LIMIT_BYTES:
                raise ManifestTooLarge(limit_bytes=content.MANIFEST_LIMIT_BYTES)
            body = blob.read(0, blob.size_bytes)
        finally:
            blob.close()
        found.verify(body)
        return body


def _media_type(found: Digest, body: bytes) -> str | None:
    """Say what kind of manifest bytes are that no descriptor describes; None for other content."""
    try:
        return manifest.parse(RawManifest(media_type="", digest=found, body=body)).media_type
    except InvalidManifest:
        return None
