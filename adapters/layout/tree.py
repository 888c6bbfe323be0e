"""Which repositories a folder of layouts holds, in a fixed order, without keeping them all."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.layout import directory
from adapters.layout.folder import Folder
from protocol import reference
from protocol.errors import InvalidReference

# Names that a layout itself uses: a repository beneath another one must not hide in them.
RESERVED = frozenset({"blobs", "index.json", "oci-layout"})


def repositories(
    folder: Folder,
    *,
    suffix: str | None,
    after: tuple[str, ...] = (),
    beneath: tuple[str, ...] = (),
) -> Iterator[str]:
    """Yield the repositories behind `after`, ordered by their path components.

    They are layout directories, or with a `suffix` the files that end in it. Links, and names that
    are no repository's, are passed over.
    """
    for name, is_file in _candidates(folder, suffix):
        path = (*beneath, name)
        if path < after[: len(path)]:
            continue
        opened = None if is_file else _entered(folder, name)
        is_repository = is_file or (
            suffix is None and opened is not None and directory.is_layout(opened)
        )
        if is_repository and path > after and _is_name("/".join(path)):
            yield "/".join(path)
        if opened is not None:
            yield from repositories(opened, suffix=suffix, after=after, beneath=path)


def _candidates(folder: Folder, suffix: str | None) -> list[tuple[str, bool]]:
    """Return plain names with whether they are archives, which sort by what they stand for."""
    found: list[tuple[str, bool]] = []
    for name in folder.names():
        if name.startswith(".") or name in RESERVED:
            continue
        if suffix is not None and name.endswith(suffix) and folder.is_file(name):
            found.append((name.removesuffix(suffix), True))
        else:
            found.append((name, False))
    return sorted(found, key=lambda candidate: (candidate[0], not candidate[1]))


def _entered(folder: Folder, name: str) -> Folder | None:
    try:
        return folder.enter(name)
    except OSError:  # a file, a link, or not ours to read
        return None


def _is_name(path: str) -> bool:
    try:
        reference.check_repository(path)
    except InvalidReference:
        return False
    return True
