"""Where layouts may live: endpoints name folders beneath the roots that the operator has named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from adapters.layout.folder import Folder
from protocol.errors import InvalidReference, Refused

DIRECTORY_SCHEME = "oci"
ARCHIVE_SCHEME = "oci-archive"


def parse_url(url: str) -> tuple[str, Path]:
    """Split `oci:///srv/mirror` or `oci-archive:///srv/mirror` into its scheme and absolute path.

    Raises InvalidReference with the accepted forms.
    """
    parts = urlsplit(url)
    path = unquote(parts.path)
    known = parts.scheme in {DIRECTORY_SCHEME, ARCHIVE_SCHEME}
    plain = not (parts.netloc or parts.query or parts.fragment or "\0" in path)
    if not (known and plain and path.startswith("/") and ".." not in path.split("/")):
        raise InvalidReference(
            f"{url!r} names no folder of layouts: write oci:///absolute/path for directories "
            "or oci-archive:///absolute/path for tar files, without '..'"
        )
    return parts.scheme, Path(os.path.normpath(path))


def root_of(roots: Sequence[Path], path: Path) -> Path:
    """Return the root that `path` lies beneath; raise Refused when there is none."""
    for root in roots:
        normal = Path(os.path.normpath(root))
        if path.is_relative_to(normal):
            return normal
    allowed = ", ".join(map(str, roots)) or "it is not set, so there are no layouts on this server"
    raise Refused(
        f"the path is not beneath a directory of TRANSSHIP_LAYOUT_ROOTS ({allowed})",
        operation="open layouts",
        url=f"{DIRECTORY_SCHEME}:{path}",
    )


def open_beneath(roots: Sequence[Path], path: Path, *, create: bool = False) -> Folder:
    """Open `path` beneath one of `roots`, following no link; a root itself may be one.

    Raises Refused when it lies beneath none of them, OSError when it cannot be opened.
    """
    root = root_of(roots, path)
    opened = Folder.open(root, follows_links=False)
    return opened.enter(*path.relative_to(root).parts, create=create)
