"""Rules of retention delete in a registry of every kind just what they say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.base import Adapter
from protocol.content import RawManifest
from protocol.digest import Digest
from protocol.errors import NotFound
from registry.retention.rule_set import RuleSet
from replication import retiring
from replication.inventory import Inventory
from replication.retiring import Condemned, Retirement
from tests.contract import artifacts, places

REPOSITORY = "mirror/app"
CANNOT = "this registry cannot delete a tag without its digest"


@pytest.fixture(params=sorted(places.ADAPTED))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind that has an adapter."""
    return str(request.param)


async def put(adapter: Adapter, name: str, *tags: str) -> RawManifest:
    await adapter.prepare(REPOSITORY)
    image = artifacts.image(artifacts.blob(name.encode()), label=name)
    for tag in tags:
        await artifacts.put_image(adapter.content(REPOSITORY), image, tag=tag)
    return image.manifest


def delete(pattern: str) -> dict[str, Any]:
    selector = {"kind": "doublestar", "decoration": "matches", "pattern": pattern}
    return {"action": "delete", "tags": [selector]}


async def apply(adapter: Adapter, *rules: dict[str, Any], scope: str = "digest") -> Sequence[str]:
    """Decide and delete; return the refusals."""

    async def confirm() -> None:
        return

    inventory = Inventory(adapter, REPOSITORY)
    decision = await retiring.decide(
        inventory, RuleSet.parse([], list(rules), scope), now=datetime.now(UTC)
    )
    retirement = Retirement(inventory, confirm=confirm)
    refusals = [
        await retirement.retire(
            Condemned(
                digest=Digest.parse(one.digest),
                tags=one.tags,
                tag=one.tags[0] if one.fate == "untagged" else None,
            )
        )
        for one in decision.going()
    ]
    return [refusal for refusal in refusals if refusal]


async def standing(adapter: Adapter) -> dict[str, str]:
    """Return the tags with their digests, each asked for."""
    store = adapter.content(REPOSITORY)
    names = [tag async for page in store.tags() for tag in page]
    return {tag: str((await store.resolve(tag)).digest) for tag in names}


async def test_what_rules_let_go_is_gone(adapter: Adapter) -> None:
    old = await put(adapter, "old", "pr-1", "pr-2")
    kept = await put(adapter, "kept", "v1")
    assert await apply(adapter, delete("pr-*")) == []
    assert await standing(adapter) == {"v1": str(kept.digest)}
    with pytest.raises(NotFound):
        await adapter.content(REPOSITORY).resolve(str(old.digest))


async def test_an_artifact_with_a_tag_that_stays_stays(adapter: Adapter) -> None:
    image = await put(adapter, "image", "pr-1", "v1")
    for scope in ("digest", "tag"):
        refusals = await apply(adapter, delete("pr-*"), scope=scope)
        left = await standing(adapter)
        assert left["v1"] == str(image.digest)
        assert all(CANNOT in refusal and "v1" in refusal for refusal in refusals)
        assert ("pr-1" in left) is (scope == "digest" or bool(refusals))


async def test_an_index_goes_before_what_it_names_and_what_stays_keeps_its_own(
    adapter: Adapter,
) -> None:
    child = await put(adapter, "child", "pr-child")
    store = adapter.content(REPOSITORY)
    await store.write_manifest(artifacts.index(child), tag="v1")
    assert await apply(adapter, delete("pr-*")) == []
    assert set(await standing(adapter)) == {"pr-child", "v1"}
    assert await apply(adapter, delete("**")) == []
    assert await standing(adapter) == {}
