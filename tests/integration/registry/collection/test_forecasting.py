"""A forecast says what a collection then does."""

from __future__ import annotations

import asyncio

import pytest

from database import pool
from database.pool import Database
from protocol.digest import Digest
from registry.collection import forecasting, sweeping, untagged
from registry.collection.reviewing import Scope
from registry.metadata.forecast import Candidate
from registry.metadata.reclaimable import Amount
from registry.storage.filesystem import FilesystemStorage
from tests.integration.registry import steps
from tests.integration.registry.collection.conftest import REPOSITORY, Yard, parts


async def forecast(yard: Yard, scope: Scope | None = None) -> list[Candidate]:
    await yard.age()
    pages = forecasting.forecast(yard.database, scope or Scope())
    return [candidate async for page in pages for candidate in page]


async def litter(yard: Yard) -> None:
    """Leave a deleted index behind, two children deep, signed twice, and an upload."""
    leaf = await yard.image("leaf")
    inner = steps.index([leaf])
    await yard.put(inner)
    shared = await yard.image("shared")
    outer = steps.index([inner, shared])
    await yard.put(outer, "all")
    await yard.put(steps.index([shared]), "other")
    await yard.image("signature", subject=steps.descriptor(inner))
    await yard.image("cosign", steps.digest(leaf).replace(":", "-") + ".sig")
    await yard.image("untagged")
    await yard.blob(b"upload")
    await yard.repository.delete_manifest(Digest.of(outer))


async def test_what_is_forecast_is_what_goes(yard: Yard) -> None:
    await litter(yard)
    expected = await forecast(yard)
    before = await yard.manifests(), await yard.blobs()
    collected = await yard.collect()
    gone = before[0] - await yard.manifests(), before[1] - await yard.blobs()
    for kind, digests in zip(("manifest", "blob"), gone, strict=True):
        assert {str(one.digest) for one in expected if one.kind == kind} == digests
    assert len(gone[0]) == 4
    assert collected.bytes == sum(one.bytes for one in expected if one.kind == "blob")
    reasons = {one.reason for one in expected}
    assert reasons == {"parent_deleted", "subject_deleted", "unreferenced"}
    assert {one.repository for one in expected} == {REPOSITORY}
    assert await forecast(yard) == []


async def test_a_run_that_deletes_what_is_untagged_is_forecast_and_done(yard: Yard) -> None:
    image = await yard.image("one")
    await yard.image("two", "2")
    scope = Scope(delete_untagged=True)
    expected = await forecast(yard, scope)
    assert [one.digest for one in expected if one.kind == "manifest"] == [Digest.of(image)]
    assert await untagged.queue_untagged(yard.database, after=0, limit=10) is None
    kept = await yard.collect()
    assert kept.manifests == 0
    assert (await yard.collect(scope)).manifests == 1


async def test_totals_say_what_goes_now_and_what_after_the_window(
    yard: Yard, storage: FilesystemStorage
) -> None:
    await yard.repository.delete_manifest(Digest.of(await yard.image("one", "latest")))
    size = sum(map(len, parts("one")))
    nothing = Amount(objects=0, bytes=0)
    found = await forecasting.totals(yard.database)
    assert (found.unreviewed, found.after_window) == (Amount(objects=2, bytes=size), nothing)
    await yard.collect()
    found = await forecasting.totals(yard.database)
    assert (found.unreviewed, found.after_window) == (nothing, Amount(objects=2, bytes=size))
    await yard.execute("UPDATE registry.tombstones SET delete_after = now()")
    found = await forecasting.totals(yard.database)
    assert (found.now, found.after_window) == (Amount(objects=2, bytes=size), nothing)
    await sweeping.sweep(yard.database, storage)
    assert (await forecasting.totals(yard.database)).now == nothing


async def test_a_forecast_may_take_longer_than_a_statement_elsewhere(
    yard: Yard, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = await yard.blob(b"upload")
    await yard.age()
    monkeypatch.setattr(pool, "COMMAND_TIMEOUT_SECONDS", 0.2)
    impatient = await Database.connect(dsn, application_name="impatient", max_size=1)
    try:
        async with yard.database.transaction() as connection:
            await connection.execute("LOCK TABLE registry.repository_blobs")

            async def forecast_all() -> list[str]:
                pages = forecasting.forecast(impatient, Scope())
                return [str(one.digest) async for page in pages for one in page]

            waiting = asyncio.ensure_future(forecast_all())
            await connection.execute("SELECT pg_sleep(1)")  # more than a statement may take there
        assert await waiting == [str(blob)]
    finally:
        await impatient.close()
