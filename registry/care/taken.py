"""What an import came to, counted as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Taken:
    """Counts. What is `_here` was here before; `left` are data that nothing taken names."""

    repositories: int = 0
    projects: list[str] = field(default_factory=list)
    manifests: int = 0
    manifests_here: int = 0
    tags: int = 0
    tags_here: int = 0
    blobs: int = 0
    blobs_here: int = 0
    blob_bytes: int = 0
    symbolic_links: int = 0
    skipped: int = 0
    left: int = 0
    left_bytes: int = 0
