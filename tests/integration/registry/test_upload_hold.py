"""The lease on an upload cuts off what would outlive it."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from access.identity import SYSTEM
from database.pool import Database
from registry import upload_hold
from registry.errors import StorageBusy
from registry.repository import Beginning
from registry.service import Registry
from registry.upload_hold import Lease
from tests.integration.registry import steps


async def test_what_is_still_tried_when_the_lease_ends_is_cut_off(database: Database) -> None:
    lease = Lease(database=database, upload_id=uuid.uuid4())
    lease.until = time.monotonic() + upload_hold.SPARE_SECONDS + 0.1
    with pytest.raises(StorageBusy, match="lost its hold"):
        async with asyncio.timeout(30), lease.within():
            await asyncio.Event().wait()
    with pytest.raises(StorageBusy, match="lost its hold"):
        async with lease.within():
            pytest.fail("it went in without a lease")


async def test_a_lease_that_is_renewed_cuts_nothing_off(
    database: Database, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_hold, "RENEW_SECONDS", 0.05)
    upload_id = await registry.repository(steps.REPOSITORY, SYSTEM).begin_upload(Beginning())
    assert upload_id is not None
    async with upload_hold.leased(database, upload_id, steps.REPOSITORY) as hold:
        assert hold.lease is not None
        hold.lease.until = time.monotonic() + upload_hold.SPARE_SECONDS + 1.0
        async with asyncio.timeout(30), hold.within():
            first_end, past_it = asyncio.get_running_loop().time() + 1.0, asyncio.Event()
            asyncio.get_running_loop().call_at(first_end + 0.1, past_it.set)
            await past_it.wait()
