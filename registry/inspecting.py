"""Reading what images say of themselves in their configs: each once, before rules ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog

from database.pool import Database
from protocol import image_config
from protocol.errors import DigestMismatch, InvalidConfig
from protocol.image_config import ImageConfig
from registry.errors import ObjectMissing
from registry.metadata import image_configs
from registry.metadata.image_configs import Unread
from registry.storage.driver import Storage

PAGE: Final = 256
_AT_ONCE: Final = 8

log = structlog.get_logger(__name__)


async def inspect(database: Database, storage: Storage, repository: str) -> None:
    """Read the configs of a repository's images that nobody has read; raise StorageUnavailable.

    What is written down says what rules ask for, or why it cannot be read. One whose bytes are
    missing or damaged is left as it is, for whoever heals it.
    """
    after = 0
    while True:
        async with database.connection() as connection:
            page = await image_configs.unread(connection, repository, after=after, limit=PAGE)
        facts: dict[int, Mapping[str, Any]] = {}
        for start in range(0, len(page), _AT_ONCE):
            together = page[start : start + _AT_ONCE]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_said(storage, one)) for one in together]
            for one, task in zip(together, tasks, strict=True):
                if (said := task.result()) is not None:
                    facts[one.manifest_id] = said
        if facts:
            async with database.transaction() as connection:
                await image_configs.write(connection, facts)
        if len(page) < PAGE:
            return
        after = page[-1].manifest_id


async def _said(storage: Storage, unread: Unread) -> Mapping[str, Any] | None:
    try:
        image_config.want_size(unread.size_bytes)
        async with storage.read(unread.stored) as chunks:
            body = b"".join([chunk async for chunk in chunks])
        unread.digest.verify(body)
        config = ImageConfig.parse(body)
    except (ObjectMissing, DigestMismatch) as error:
        log.warning("config_not_read", digest=str(unread.digest), reason=str(error))
        return None
    except InvalidConfig as error:
        return {"problem": str(error)}
    return {
        "labels": dict(config.labels),
        "platform": str(config.platform) if config.platform else None,
    }
