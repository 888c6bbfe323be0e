from __future__ import annotations

import asyncio

from jobservice import health
from jobservice.health import Finding, Health, Unhealthy


async def works() -> None:
    return None


async def broken() -> None:
    raise Unhealthy("it is on fire")


async def silent() -> None:
    await asyncio.Event().wait()


async def test_every_part_is_tried_and_named() -> None:
    parts = Health(probes={"core": works, "redis": broken})
    assert await parts.check() == (
        Finding(component="core"),
        Finding(component="redis", problem="it is on fire"),
    )


async def test_a_part_that_does_not_answer_is_unhealthy_in_time() -> None:
    parts = Health(probes={"redis": silent}, patience_seconds=0.01)
    (finding,) = await parts.check()
    assert "0.01 seconds" in finding.problem
    assert health.PROBE_SECONDS < 5
