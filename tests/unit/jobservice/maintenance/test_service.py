from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from database.errors import DatabaseUnavailable
from jobservice.maintenance import service
from jobservice.maintenance.service import Service


@pytest.mark.parametrize(
    ("error", "event", "level"),
    [
        (DatabaseUnavailable("Postgres did not answer"), "service_waits", "warning"),
        (ValueError("a defect"), "service_failed", "error"),
    ],
)
async def test_a_database_that_is_away_is_a_sentence_and_a_defect_a_traceback(
    error: Exception, event: str, level: str
) -> None:
    stop = asyncio.Event()

    async def tick() -> None:
        stop.set()
        raise error

    with capture_logs() as logs:
        await service.run(Service(name="heartbeat", seconds=0.01, tick=tick), stop)
    (line,) = logs
    assert (line["event"], line["log_level"], line["service"]) == (event, level, "heartbeat")
    assert ("exc_info" in line) == (level == "error")
