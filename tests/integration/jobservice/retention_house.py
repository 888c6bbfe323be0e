"""A registry with content, retention policies over it, and a worker that carries them out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from access import projects
from access.identity import SYSTEM
from access.projects import Project
from database.pool import Database
from jobservice import retention_runs, retentions
from jobservice.domain.hook import EventType, HookSettings, PayloadFormat, Target, TargetKind
from jobservice.domain.listing import Listing
from jobservice.domain.retention import RetentionSettings
from jobservice.domain.schedule import Schedule
from jobservice.domain.task import Task
from jobservice.jobs import catalogue
from jobservice.jobs.base import JobType
from jobservice.jobs.registries import Connector, Registries
from jobservice.jobs.retention_places import Places
from jobservice.maintenance.outbox_reader import OutboxReader
from jobservice.retention_runs import View
from jobservice.retention_starts import ScheduledRetention
from jobservice.store import hooks
from jobservice.store import schedules as schedule_rows
from protocol import media_types
from protocol.content import RawManifest
from protocol.digest import Digest
from registry.immutability import ImmutableRule
from registry.metadata import immutable_rules
from registry.retention.rule_set import RuleSet
from registry.selecting import Decoration, Selector
from registry.service import Registry
from tests.integration.jobservice.conftest import Jobs, until, working_at

PROJECT = "team"
REPOSITORY = "team/app"
NIGHTLY = "0 0 3 * * *"


def rule(
    template: str = "latestPushedK",
    count: int = 1,
    *,
    tags: str = "**",
    repositories: str = "**",
    **fields: Any,
) -> dict[str, Any]:
    """A rule in Harbor's form."""
    return {
        "action": "retain",
        "template": template,
        "params": {} if template == "always" else {template: count},
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": tags}],
        "scope_selectors": {
            "repository": [
                {"kind": "doublestar", "decoration": "repoMatches", "pattern": repositories}
            ]
        },
        **fields,
    }


def artifact(content: str, **fields: Any) -> RawManifest:
    """An artifact without layers."""
    value = {"schemaVersion": 2, "manifests": [], "annotations": {"content": content}, **fields}
    body = json.dumps({**value, "mediaType": media_types.OCI_INDEX}).encode()
    return RawManifest(media_type=media_types.OCI_INDEX, digest=Digest.of(body), body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Everything that a test of retention needs; `connector` leads to other registries."""

    dsn: str
    redis_dsn: str
    database: Database
    registry: Registry
    jobs: Jobs
    connector: Connector | None = None

    async def push(
        self, *tags: str, content: str = "", repository: str = REPOSITORY, **fields: Any
    ) -> Digest:
        """Push an artifact of these tags, each later than what was pushed before."""
        pushed = artifact(content or f"{repository} {tags}", **fields)
        await self.put(pushed, *tags, repository=repository)
        return pushed.digest

    async def put(self, pushed: RawManifest, *tags: str, repository: str = REPOSITORY) -> None:
        """Push this very artifact."""
        await self.registry.prepare(repository)
        await self.registry.repository(repository, SYSTEM).put_manifest(pushed, tags=tags)

    async def immutable(self, tags: str) -> None:
        """Make tags of the project immutable."""
        rule = ImmutableRule(
            id=0,
            repository=Selector(decoration=Decoration.REPOSITORY_MATCHES, pattern="**"),
            tag=Selector(decoration=Decoration.MATCHES, pattern=tags),
        )
        project = await self.project()
        async with self.database.transaction() as connection:
            await immutable_rules.create(connection, project.id, rule)

    async def tags(self, repository: str = REPOSITORY) -> list[str]:
        """Return the tags that are there."""
        query = """SELECT t.name FROM registry.tags t JOIN registry.repositories r
                   ON r.id = t.repository_id WHERE r.name = $1 ORDER BY 1"""
        async with self.database.connection() as connection:
            return [row["name"] for row in await connection.fetch(query, repository)]

    async def project(self, name: str = PROJECT) -> Project:
        """Return a project, made if need be."""
        async with self.database.connection() as connection:
            await projects.ensure(connection, name=name, public=False)
            return await projects.get(connection, name)

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Return when something holds."""
        await until(condition)

    async def policy(
        self,
        *rules: Mapping[str, Any],
        own: Sequence[Mapping[str, Any]] = (),
        scope: str = "digest",
        **settings: Any,
    ) -> int:
        """Add a policy of the project."""
        settings.setdefault("project_id", (await self.project()).id)
        parsed = RuleSet.parse(list(rules), list(own), scope)
        return await retentions.create(self.database, RetentionSettings(rules=parsed, **settings))

    async def run(self, policy_id: int, *, dry_run: bool = False) -> int:
        """Start a run by hand."""
        return await retention_runs.start(self.database, policy_id, dry_run=dry_run, by="admin")

    async def fire(self, policy_id: int) -> int:
        """Start a run as its schedule does."""
        async with self.database.transaction() as connection:
            schedule = await schedule_rows.of_vendor(connection, retentions.vendor(policy_id))
            assert isinstance(schedule, Schedule)
            return await ScheduledRetention().start(connection, schedule, schedule.created_at)

    async def view(self, policy_id: int, execution_id: int) -> View:
        """Return a run as it is."""
        return await retention_runs.get(self.database, policy_id, execution_id)

    async def ended(self, policy_id: int, execution_id: int) -> View:
        """Return a run when it has ended."""
        await self.jobs.ended(execution_id)
        return await self.view(policy_id, execution_id)

    async def asks(self, policy_id: int, execution_id: int) -> View:
        """Return a run when it waits to be approved, and its plan lies down."""

        async def waits() -> bool:
            view = await self.view(policy_id, execution_id)
            status = await self.jobs.one(
                "SELECT status FROM jobservice.tasks WHERE execution_id = $1 AND is_plan",
                execution_id,
            )
            return view.decided is not None and view.decided.is_waiting and status == "pending"

        await until(waits)
        return await self.view(policy_id, execution_id)

    async def tasks(self, policy_id: int, execution_id: int) -> Sequence[Task]:
        """Return what a run did in each repository."""
        listing = Listing(page_size=100)
        found = await retention_runs.tasks_page(self.database, policy_id, execution_id, listing)
        return found.items

    async def log(self, policy_id: int, execution_id: int) -> str:
        """Return the log of a run's only task."""
        (task,) = await self.tasks(policy_id, execution_id)
        return await retention_runs.task_log(self.database, policy_id, execution_id, task.id)

    async def told(self) -> list[str]:
        """Hand on what happened, and return what hooks that want to hear of it were sent."""
        types = (EventType.TAG_RETENTION, EventType.RETENTION_APPROVAL)
        async with self.database.transaction() as connection:
            project_id = (await self.project()).id
            hook_id = await hooks.insert(
                connection,
                HookSettings(name="listens", event_types=types),
                creator="",
                project_id=project_id,
            )
            target = Target(
                id=1, kind=TargetKind.HTTP, format=PayloadFormat.DEFAULT, address="http://t.example"
            )
            await hooks.write_targets(connection, hook_id, [target])
        await OutboxReader(self.database, external_url="http://t.example").tick()
        async with self.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT event_type FROM jobservice.hook_deliveries ORDER BY id"
            )
        return [row["event_type"] for row in rows]

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker with the product's job types."""

        def job_types(database: Database) -> Mapping[str, JobType]:
            registry = Registry(database, self.registry.storage)
            registries = Registries(database, cast("Connector", self.connector))
            return catalogue.build(
                database,
                registries,
                places=Places(database, registry, registries),
                registry=registry,
            )

        async with working_at(self.dsn, self.redis_dsn, job_types):
            yield
