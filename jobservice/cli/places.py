"""Where a one-shot copy reads and writes, as people write it down.

`docker://host/repository:tag` or the same bare, `http://…` and `https://…` to say the scheme,
`oci:DIRECTORY[:tag]`, `oci-archive:FILE[:tag]`.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from protocol import reference
from protocol.errors import InvalidReference
from protocol.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryPlace:
    """A repository of a registry, with a tag or digest or without."""

    reference: Reference
    url: str

    @property
    def tag(self) -> str | None:
        """The tag that was given."""
        return self.reference.tag

    @property
    def selector(self) -> str | None:
        """The digest or else the tag that was given."""
        return self.reference.selector

    @property
    def name(self) -> str:
        """The repository with its host."""
        return f"{self.reference.registry}/{self.reference.repository}"

    @override
    def __str__(self) -> str:
        return str(self.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutPlace:
    """An OCI layout: a directory, or one tar file."""

    path: Path
    tag: str | None
    is_archive: bool

    @property
    def selector(self) -> str | None:
        """The tag that was given."""
        return self.tag

    @property
    def name(self) -> str:
        """The layout without the tag."""
        return f"{'oci-archive' if self.is_archive else 'oci'}:{self.path}"

    @override
    def __str__(self) -> str:
        return f"{self.name}:{self.tag}" if self.tag else self.name


Place = RegistryPlace | LayoutPlace


def parse(text: str, *, plain_http: bool = False) -> Place:
    """Return the place; raise InvalidReference with what to write instead.

    Loopback registries are spoken to in plain HTTP; others too if `plain_http` says so.
    """
    scheme, colon, rest = text.partition(":")
    if colon and scheme in {"oci", "oci-archive"}:
        return _layout(rest, is_archive=scheme == "oci-archive")
    for prefix, wanted in (("docker://", ""), ("https://", "https"), ("http://", "http")):
        if text.startswith(prefix):
            return _registry(text.removeprefix(prefix), wanted, plain_http=plain_http)
    return _registry(text, "", plain_http=plain_http)


def is_loopback(host: str) -> bool:
    """Say whether `host[:port]` is this machine, by its name alone."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _layout(rest: str, *, is_archive: bool) -> LayoutPlace:
    path, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        path, tag = rest, ""
    if not path:
        raise InvalidReference("a layout has no path: write oci:DIRECTORY[:tag]")
    if tag:
        reference.check_tag(tag)
    return LayoutPlace(path=Path(path), tag=tag or None, is_archive=is_archive)


def _registry(text: str, scheme: str, *, plain_http: bool) -> RegistryPlace:
    parsed = reference.parse(text)
    local = is_loopback(parsed.registry)
    if scheme == "http" and not (local or plain_http):
        raise InvalidReference(
            f"{parsed.registry} would be spoken to in plain HTTP, where anybody on the way can "
            "read and change what is copied: add --plain-http if that is meant"
        )
    chosen = scheme or ("http" if local or plain_http else "https")
    return RegistryPlace(reference=parsed, url=f"{chosen}://{parsed.endpoint}")
