from __future__ import annotations

import pytest

from registry.http.paths import Kind, Target, parse


@pytest.mark.parametrize(
    ("path", "kind", "repository", "reference"),
    [
        ("/v2/", Kind.ROOT, "", ""),
        ("/v2", Kind.ROOT, "", ""),
        ("/v2/_catalog?n=3", Kind.CATALOG, "", ""),
        ("/v2/a/b/tags/list", Kind.TAGS, "a/b", ""),
        ("/v2/a/b/blobs/sha256:1", Kind.BLOB, "a/b", "sha256:1"),
        ("/v2/a/b/blobs/sha256%3A1", Kind.BLOB, "a/b", "sha256:1"),
        ("/v2/a/b/blobs/uploads/", Kind.UPLOADS, "a/b", ""),
        ("/v2/a/b/blobs/uploads", Kind.UPLOADS, "a/b", ""),
        ("/v2/a/b/blobs/uploads/7", Kind.UPLOAD, "a/b", "7"),
        ("/v2/a/b/manifests/latest", Kind.MANIFEST, "a/b", "latest"),
        ("/v2/a/b/referrers/sha256:1", Kind.REFERRERS, "a/b", "sha256:1"),
        ("/v2/a/blobs/uploads/blobs/sha256:1", Kind.BLOB, "a/blobs/uploads", "sha256:1"),
        ("/v2/a/manifests/manifests/tags/list", Kind.TAGS, "a/manifests/manifests", ""),
        ("/v2/a/../b/manifests/x", Kind.MANIFEST, "a/../b", "x"),
        ("/v2/a/%2e%2e/manifests/x", Kind.MANIFEST, "a/..", "x"),
    ],
)
def test_a_path_is_read_from_the_right(
    path: str, kind: Kind, repository: str, reference: str
) -> None:
    assert parse(path) == Target(kind=kind, repository=repository, reference=reference)


@pytest.mark.parametrize(
    "path", ["/v2/a", "/v2/a/b", "/v2/tags/list", "/v2/blobs/uploads/", "/v2/_x"]
)
def test_what_is_nothing_we_know_is_nothing(path: str) -> None:
    assert parse(path) is None
