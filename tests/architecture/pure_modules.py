"""The modules that decide and never act: no IO, not even through a friend; every branch tested."""

from __future__ import annotations

PURE = (
    "protocol/authorization.py",
    "protocol/challenge.py",
    "protocol/credential.py",
    "protocol/descriptor.py",
    "protocol/digest.py",
    "protocol/doublestar.py",
    "protocol/guard.py",
    "protocol/hashing.py",
    "protocol/links.py",
    "protocol/manifest.py",
    "protocol/media_types.py",
    "protocol/platform.py",
    "protocol/reference.py",
    "protocol/referrers.py",
    "protocol/surroundings.py",
    "replication/cursor.py",
    "replication/filters.py",
    "replication/naming.py",
    "replication/plan.py",
    "replication/policy.py",
    "jobservice/domain/endpoint.py",
    "jobservice/domain/execution.py",
    "jobservice/domain/policy.py",
    "jobservice/domain/task.py",
    "access/authorisation.py",
)
# What reaches outside, and the loop that waits for it.
IMPURE = (
    "asyncio",
    "aiohttp",
    "asyncpg",
    "arq",
    "redis",
    "socket",
    "ssl",
    "subprocess",
    "os",
    "time",
    "random",
    "secrets",
)
