from __future__ import annotations

from protocol.authorization import scope
from protocol.client.paths import Paths

DIGEST = "sha256:" + "0" * 64
BOTH = scope("library/app", "pull", "push")


def test_everything_of_a_repository_is_below_its_name() -> None:
    paths = Paths("library/app")
    assert paths.manifest("3.20") == "/v2/library/app/manifests/3.20"
    assert paths.manifest(DIGEST) == f"/v2/library/app/manifests/{DIGEST}"
    assert paths.blob(DIGEST) == f"/v2/library/app/blobs/{DIGEST}"
    assert paths.uploads() == "/v2/library/app/blobs/uploads/"
    assert paths.referrers(DIGEST) == f"/v2/library/app/referrers/{DIGEST}"


def test_whoever_writes_asks_for_one_token_for_both() -> None:
    assert Paths("library/app").pull == scope("library/app", "pull")
    writing = Paths("library/app", writes=True)
    assert (writing.pull, writing.push) == (BOTH, BOTH)
