"""Addresses of one repository, written once."""

from __future__ import annotations

from urllib.parse import quote

from protocol.authorization import Scope, scope


class Paths:
    """The paths below `/v2/<name>/`, and the scopes they need."""

    __slots__ = ("delete", "name", "pull", "push", "root")

    def __init__(self, name: str, *, writes: bool = False) -> None:
        self.name = name
        self.root = f"/v2/{quote(name, safe='/')}"
        self.push: Scope = scope(name, "pull", "push")
        self.pull: Scope = self.push if writes else scope(name, "pull")
        self.delete: Scope = scope(name, "delete")

    def manifest(self, reference: str) -> str:
        """Return the path of a tag or digest."""
        return f"{self.root}/manifests/{quote(reference, safe=':')}"

    def blob(self, digest: object) -> str:
        """Return the path of a blob."""
        return f"{self.root}/blobs/{digest}"

    def uploads(self) -> str:
        """Return the path that opens uploads."""
        return f"{self.root}/blobs/uploads/"

    def referrers(self, digest: object) -> str:
        """Return the path of a subject's referrers."""
        return f"{self.root}/referrers/{digest}"
