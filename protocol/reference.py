"""References: `registry/repository:tag@digest`, with Docker Hub's rules for what is left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Self

from typing_extensions import override

from protocol.digest import Digest
from protocol.errors import InvalidDigest, InvalidReference

DOCKER_HUB: Final = "docker.io"
DOCKER_HUB_ENDPOINT: Final = "registry-1.docker.io"
DEFAULT_TAG: Final = "latest"
REPOSITORY_LIMIT: Final = 255
TAG_LIMIT: Final = 128
_PORT_LIMIT: Final = 65535
_OFFICIAL_NAMESPACE: Final = "library"
_HUB_ALIASES: Final = frozenset({DOCKER_HUB, "index.docker.io", DOCKER_HUB_ENDPOINT})

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::([0-9]{{1,5}}))?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_IMAGE_ID = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Which artifact, where. Neither tag nor digest is made up: see `with_default_tag`."""

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    @property
    def endpoint(self) -> str:
        """The host, with its port, that answers requests for this registry."""
        return DOCKER_HUB_ENDPOINT if self.registry == DOCKER_HUB else self.registry

    @property
    def selector(self) -> str | None:
        """What a manifest request names: the digest before the tag, None for a whole repository."""
        return str(self.digest) if self.digest else self.tag

    def with_default_tag(self) -> Self:
        """Return it with the tag `latest` when it names neither a tag nor a digest."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    @override
    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"


def parse(text: str) -> Reference:
    """Return the reference that a person wrote; raise InvalidReference with the reason.

    `alpine` means docker.io/library/alpine. The first component is a host when it has a dot, a
    colon or a capital letter, or is `localhost`, as Docker decides it.
    """
    if not text:
        raise InvalidReference("the reference is empty: expected [registry/]repository[:tag]")
    if "://" in text:
        raise InvalidReference(
            f"{text[:200]!r} has a scheme: write the registry's host without it, "
            "as in ghcr.io/owner/app:1.0"
        )
    first, slash, _ = text.partition("/")
    if slash and "@" in first:
        raise InvalidReference(
            "the reference has credentials before its host: use docker login instead"
        )
    name, at, digest_text = text.partition("@")
    name, tag = _split_tag(name)
    registry, repository = _split_registry(name)
    try:
        check_repository(repository)
        if tag is not None:
            check_tag(tag)
        digest = Digest.parse(digest_text) if at else None
    except (InvalidReference, InvalidDigest) as error:
        raise InvalidReference(f"{text[:300]!r} is no reference: {error}") from None
    return Reference(registry=registry, repository=repository, tag=tag, digest=digest)


def check_host(host: str) -> None:
    """Raise InvalidReference unless `host` is a registry's `host[:port]`."""
    matched = _HOST.fullmatch(host)
    if not matched:
        raise InvalidReference(f"{host[:200]!r} is no registry host: expected host[:port]")
    if matched[1] and not 0 < int(matched[1]) <= _PORT_LIMIT:
        raise InvalidReference(f"the port of {host[:200]!r} is not between 1 and 65535")


def check_repository(name: str) -> None:
    """Raise InvalidReference unless `name` names a repository (distribution-spec, Pull)."""
    if not name:
        raise InvalidReference("the repository name is empty")
    if len(name) > REPOSITORY_LIMIT:
        raise InvalidReference(
            f"repository {name[:60]!r}… has {len(name)} characters; at most 255 are allowed"
        )
    for component in name.split("/"):
        if not _COMPONENT.fullmatch(component):
            raise InvalidReference(
                f"repository {name[:255]!r} is not valid at {component[:80]!r}: {_why(component)}"
            )


def check_tag(tag: str) -> None:
    """Raise InvalidReference unless `tag` is a tag (distribution-spec, Pull)."""
    if not _TAG.fullmatch(tag):
        raise InvalidReference(
            f"tag {tag[: TAG_LIMIT + 20]!r} is not valid: 1 to 128 letters, digits, '_', '.' "
            "and '-' are allowed, and it does not start with '.' or '-'"
        )


def _split_tag(name: str) -> tuple[str, str | None]:
    """Split at the last colon, unless it belongs to a host's port."""
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name, None
    return head, tag


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_host = any(mark in first for mark in ".:[") or first == "localhost" or first.lower() != first
    if slash and is_host:
        check_host(first)
        host = first.lower()
        if host not in _HUB_ALIASES:
            return host, rest
        return DOCKER_HUB, _hub_repository(rest)
    return DOCKER_HUB, _hub_repository(name)


def _hub_repository(name: str) -> str:
    if _IMAGE_ID.fullmatch(name):
        raise InvalidReference(f"{name!r} is an image id, not the name of a repository")
    return name if "/" in name or not name else f"{_OFFICIAL_NAMESPACE}/{name}"


def _why(component: str) -> str:
    if not component:
        return "a component between slashes is empty"
    if component.lower() != component:
        return "repository names are lower-case"
    return (
        "a component holds lower-case letters and digits, "
        "separated by one '.', one or two '_', or any number of '-'"
    )
