"""An owner whose answers are cut off still knows what it has."""

from __future__ import annotations

import random
from typing import Any

import pytest
from typing_extensions import override

from protocol.digest import Digest
from tests.chaos.collecting import contents
from tests.chaos.collecting.model import Model
from tests.chaos.collecting.owner import Owner
from tests.chaos.collecting.policy import HARBOR
from tests.fakes.stores import MemoryRegistry, MemoryStore, missing, unreachable


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


def only(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let owners do nothing else."""
    acts = _ACTS[name]
    monkeypatch.setattr(Owner, "_ACTS", {name: acts})


_ACTS = dict(Owner.__dict__["_ACTS"])
STRICT = HARBOR[0]


async def test_a_deletion_whose_answer_never_came_is_noted_once(
    owner: Owner, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "image")
    for _ in range(3):
        await owner.act()
    only(monkeypatch, "delete")
    await owner.act()
    assert owner.counts["interrupted"] == 1
    assert owner.violations == []
    there = registry.repositories["library/gc-0"].manifests
    assert {str(one) for one in owner.model.there} == set(there)


@pytest.mark.parametrize("is_under_way", [True, False])
async def test_a_tag_that_a_retention_took_was_only_lost_if_none_was_under_way(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, *, is_under_way: bool
) -> None:
    (image, *_) = owner.model.universe.images
    owner.model.pushed(image, "o0-t4")
    if is_under_way:
        owner.model.retention_begins(1, STRICT)
    owner.by_wire = False
    only(monkeypatch, "untag")
    await owner.act()
    assert (owner.violations == []) is is_under_way


async def test_a_refusal_that_nobody_expects_is_a_violation(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Owner, "_ACTS", {"image": (1, lambda _: _refused)})
    await owner.act()
    (violation,) = owner.violations
    assert "image was refused" in violation
    assert owner.counts["image"] == 0


async def _refused() -> None:
    raise missing("something")
