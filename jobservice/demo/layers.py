"""Layers packed from files of this machine: the same files give the same bytes."""

from __future__ import annotations

import gzip
import io
import sysconfig
import tarfile
from collections.abc import Mapping
from pathlib import Path

_FILE_MODE = 0o644


def python_files(*packages: str) -> dict[str, Path]:
    """Return the source files of standard library packages, by their name within a layer."""
    library = Path(sysconfig.get_path("stdlib"))
    found = (path for package in packages for path in sorted((library / package).rglob("*.py")))
    return {f"usr/lib/python3/{path.relative_to(library)}": path for path in found}


def from_files(files: Mapping[str, Path]) -> bytes:
    """Pack files under the names given, as tar+gzip."""
    return from_contents({name: path.read_bytes() for name, path in files.items()})


def from_contents(contents: Mapping[str, bytes]) -> bytes:
    """Pack contents under the names given, as tar+gzip."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, compresslevel=6) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content in sorted(contents.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), _FILE_MODE
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def unpacked(layer: bytes) -> bytes:
    """Return the uncompressed tar of a layer, whose digest is the config's diff id."""
    return gzip.decompress(layer)
