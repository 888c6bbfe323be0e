"""An owner whose answers are cut off still knows what it has."""

from __future__ import annotations

import random
from typing import Any

import pytest
from typing_extensions import override

from protocol.digest import Digest
from tests.chaos.collecting import contents
from tests.chaos.collecting.model import Model
from tests.chaos.collecting.owner import KEPT_BY_RETENTION, Owner
from tests.fakes.stores import MemoryRegistry, MemoryStore, unreachable


class CutStore(MemoryStore):
    """Does what it is told, and the first answer to a deletion never comes."""

    cut = False

    @override
    async def delete_manifest(self, digest: Digest) -> None:
        await super().delete_manifest(digest)
        if not self.cut:
            self.cut = True
            raise unreachable()


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture
def owner(registry: MemoryRegistry) -> Owner:
    async def nothing(*_: Any) -> None:
        return None

    return Owner(
        model=Model(universe=contents.universe(0)),
        store=CutStore(registry, "library/gc-0"),
        others=["library/gc-0"],
        chance=random.Random(0),  # noqa: S311 - choices, not secrets
        pause=nothing,
        number=0,
        by_wire=True,
        undelete=nothing,
    )


async def test_a_retention_that_is_interrupted_deletes_and_notes_all_it_began(
    owner: Owner, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = dict(Owner.__dict__["_ACTS"])
    monkeypatch.setattr(Owner, "_ACTS", {"image": acts["image"]})
    while len(owner.model.tags) < KEPT_BY_RETENTION + 3:
        await owner.act()
    monkeypatch.setattr(Owner, "_ACTS", {"retention": acts["retention"]})
    await owner.act()
    assert owner.counts["interrupted"] == 1
    assert owner.violations == []
    there = registry.repositories["library/gc-0"].manifests
    assert {str(one) for one in owner.model.there} == set(there)
    assert len(owner.model.tags) == KEPT_BY_RETENTION
