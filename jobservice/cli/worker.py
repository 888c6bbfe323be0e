"""`transship worker`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer
import uvloop

from config.settings import Settings
from jobservice import chores, composing, logging, queue, signals, working
from jobservice.cli import process_settings
from jobservice.coordination import RateLimits
from jobservice.hook_secrets import HookSecrets
from jobservice.jobs import catalogue, hook_delivery
from jobservice.jobs.hook_delivery import HookDelivery
from jobservice.jobs.registries import Registries
from jobservice.jobs.retention_places import Places
from jobservice.store.sweeping import Keep

CONNECTIONS = 10
# Plans wait for registries most of the time, and few of them feed many transfers.
PLAN_SLOTS = 4
# Messages are short, and wait for receivers; transfers must not hold them up.
HOOK_SLOTS = 4

app = typer.Typer(add_completion=False)


@app.command()
def run(
    *,
    zone: Annotated[str | None, typer.Option("--zone", help="Which queues to take from.")] = None,
    slots: Annotated[int | None, typer.Option("--slots", min=1, help="Tasks at a time.")] = None,
    config: process_settings.ConfigFile = None,
) -> None:
    """Run one worker process: it takes tasks, and takes part in keeping house."""
    overrides = {"zone": zone, "worker_slots": slots}
    settings, environment = process_settings.load(config, overrides)
    logging.configure()
    uvloop.run(_work(settings, environment))


async def _work(settings: Settings, environment: Mapping[str, str]) -> None:
    stop = signals.stop_requested()
    async with (
        composing.composed(
            settings, environment, name="transship worker", connections=CONNECTIONS
        ) as parts,
        RateLimits.connected(parts.redis_dsn) as rates,
    ):
        setup = working.Setup(
            postgres_dsn=parts.postgres_dsn,
            redis_dsn=parts.redis_dsn,
            slots={
                "plan": PLAN_SLOTS,
                "transfer": settings.worker_slots,
                hook_delivery.QUEUE: HOOK_SLOTS,
            },
            zone=None if settings.zone == queue.DEFAULT_ZONE else settings.zone,
        )
        registries = Registries(parts.database, parts.connector, rates)
        messages = HookDelivery(parts.database, parts.hook_transport, HookSecrets(parts.keyring))
        try:
            places = Places(parts.database, parts.registry, registries)
            job_types = catalogue.build(
                parts.database, registries, messages, places, parts.registry
            )
            await working.work(
                setup,
                parts.database,
                job_types,
                stop=stop,
                chores=lambda database: chores.build(parts, database, keep=_keep(settings)),
            )
        finally:
            await registries.close()


def _keep(settings: Settings) -> Keep:
    return Keep(
        executions=settings.keep_executions,
        days=settings.keep_days,
        log_days=settings.keep_log_days,
        log_bytes=settings.keep_log_mebibytes * 1024 * 1024,
    )
