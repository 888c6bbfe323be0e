"""What is wrong with a manifest's row, by its bytes alone."""

from __future__ import annotations

from collections.abc import Iterator

from protocol.content import RawManifest
from protocol.digest import Digest
from protocol.errors import InvalidManifest
from registry import contents
from registry.care.fault import Broken, Fault, Finding
from registry.metadata.verification import Manifest


def of(manifest: Manifest, *, hashes: bool) -> Iterator[Finding]:
    """Yield the faults: bytes of another digest, or needs that its rows do not connect it to."""
    if hashes:
        actual = Digest.of(manifest.payload, manifest.digest.algorithm)
        if actual != manifest.digest:
            yield _finding(manifest, Fault.MANIFEST_DAMAGED, f"its bytes are {actual}")
            return
    raw = RawManifest(media_type=manifest.media_type, digest=manifest.digest, body=manifest.payload)
    try:
        needs = contents.read(raw)
    except InvalidManifest as error:
        yield _finding(manifest, Fault.MANIFEST_DAMAGED, str(error))
        return
    connected = manifest.blobs | manifest.children
    named = (
        (needs.blobs, manifest.blobs),
        (needs.children, manifest.children),
        (needs.others, connected),
    )
    for wanted, there in named:
        for digest, _ in wanted:
            if digest not in there:
                yield _finding(manifest, Fault.DANGLING, f"nothing connects it to {digest}")


def _finding(manifest: Manifest, fault: Fault, reason: str) -> Finding:
    return Finding(
        fault=fault,
        subject=str(manifest.digest),
        reason=reason,
        size_bytes=len(manifest.payload),
        breaks=[Broken(repository=manifest.repository, digest=manifest.digest)],
        breaks_count=1,
    )
