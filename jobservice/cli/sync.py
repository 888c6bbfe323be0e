"""`transship sync FILE`: the policies of a file once, without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from adapters import plugins
from adapters.base import Adapter, AdapterContext, Endpoint
from adapters.errors import AdapterError
from adapters.layout import roots
from config import environment
from jobservice.cli import one_shot, places, sync_file
from jobservice.cli.copy import AT_ONCE
from jobservice.cli.errand import Errand
from jobservice.cli.errors import CommandError, UsageError
from jobservice.cli.fleet import Job
from jobservice.cli.one_shot import Voyage
from jobservice.cli.sync_file import FilePolicy, FileRegistry, SyncFile
from protocol.errors import InvalidReference
from protocol.transport import Transport
from replication import planning
from replication import run as running
from replication.context import CopyContext
from replication.limits import Bandwidth
from replication.memory import DestinationMemory
from replication.plan import Counts, PlanFailure, SkipReason, SkipTally
from replication.transfer import Transfer, TransferReport

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One policy of the file, ready to be followed."""

    policy: FilePolicy
    source: Adapter
    destination: Adapter
    context: CopyContext
    dry_run: bool

    def errand(self, transfer: Transfer) -> Errand:
        """Return what is shown of a transfer: with the registries' names in front."""
        errand = Errand.of(transfer)
        return replace(
            errand,
            source_repository=f"{self.policy.src_registry}/{errand.source_repository}",
            destination_repository=f"{self.policy.dest_registry}/{errand.destination_repository}",
        )


@app.command()
def sync(
    file: Annotated[Path, typer.Argument(help="version: 1, registries:, policies:")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan; copy nothing.")
    ] = False,
    plain_http: Annotated[
        bool,
        typer.Option("--plain-http", help="Allow http:// for registries elsewhere, too."),
    ] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Artifacts at once.")] = AT_ONCE,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per artifact, and a summary.")
    ] = False,
) -> None:
    """Follow every policy of a file once."""
    parsed = sync_file.read(file)
    _check(parsed, plain_http=plain_http)
    shown = one_shot.display(as_json=as_json)

    async def work(voyage: Voyage) -> None:
        await _sync(parsed, file.parent, voyage, dry_run=dry_run)

    raise typer.Exit(one_shot.run(work, display=shown, at_once=concurrency))


def _check(file: SyncFile, *, plain_http: bool) -> None:
    """Raise UsageError for what only this command can tell."""
    known = plugins.kinds()
    for registry in file.registries:
        if registry.type not in known or not known[registry.type].creatable:
            offered = ", ".join(kind for kind, info in known.items() if info.creatable)
            raise UsageError(
                f"registry {registry.name!r}: type {registry.type!r} cannot be used here; "
                f"known are {offered}"
            )
        scheme, _, rest = registry.url.partition("://")
        if scheme == "http" and not (plain_http or places.is_loopback(rest.partition("/")[0])):
            raise UsageError(
                f"registry {registry.name!r} would be spoken to in plain HTTP: write https://, "
                "or add --plain-http if that is meant"
            )


async def _sync(file: SyncFile, folder: Path, voyage: Voyage, *, dry_run: bool) -> None:
    memories: dict[str, DestinationMemory] = {}
    idle: list[str] = []
    for policy in file.policies:
        if not policy.enabled:
            voyage.display.skipped(f"policy {policy.name}", "it is not enabled")
            continue
        memory = memories.setdefault(policy.dest_registry, DestinationMemory())
        rules = policy.rules()
        task = Task(
            policy=policy,
            source=_adapter(file.registry(policy.src_registry), folder, voyage.transport),
            destination=_adapter(
                file.registry(policy.dest_registry), folder, voyage.transport, writes=not dry_run
            ),
            context=CopyContext(memory=memory, listener=voyage.display, referrers=rules.referrers),
            dry_run=dry_run,
        )
        idle.extend(await _follow(task, voyage))
    if idle:
        raise CommandError("\n".join(idle))


async def _follow(task: Task, voyage: Voyage) -> list[str]:
    """Follow one policy to its end; return what is wrong with it if it matched nothing."""
    idle: list[str] = []
    totals = voyage.fleet.totals
    try:
        await voyage.fleet.run(_jobs(task, voyage, idle))
    finally:
        totals.source_requests += task.source.requests
        totals.destination_requests += task.destination.requests
        await task.source.close()
        await task.destination.close()
    return idle


async def _jobs(task: Task, voyage: Voyage, idle: list[str]) -> AsyncIterator[Job]:
    """Plan page by page; yield what is to be copied, show and count everything else."""
    counts, skips = Counts(), SkipTally()
    pages = planning.plan_pages(
        task.source, task.destination, task.policy.rules(), limits=task.context.limits
    )
    async for page in pages:
        counts += page.counts
        skips.add(page.skips)
        for failure in page.failures:
            voyage.fleet.fail(_failed(task, failure), failure.cause)
        for transfer in page.transfers:
            if task.dry_run:
                voyage.fleet.totals.planned += 1
                voyage.display.planned(task.errand(transfer))
            else:
                yield Job(errand=task.errand(transfer), carry=_carrier(task, transfer))
    _show_skips(task, voyage, skips)
    if not counts.artifacts_matched and not voyage.fleet.totals.failed:
        idle.append(
            f"policy {task.policy.name!r} did nothing: {counts}; look at its filters and at what "
            "its credentials may see"
        )


def _carrier(task: Task, transfer: Transfer) -> Callable[[], Awaitable[TransferReport]]:
    bandwidth = Bandwidth.from_kilobits(task.policy.rules().speed_kilobits)
    context = replace(task.context, bandwidth=bandwidth)
    return partial(running.perform, transfer, task.source, task.destination, context)


def _failed(task: Task, failure: PlanFailure) -> Errand:
    return Errand(
        source_repository=f"{task.policy.src_registry}/{failure.repository}",
        destination_repository=task.policy.dest_registry,
        reference=failure.reference,
    )


def _show_skips(task: Task, voyage: Voyage, skips: SkipTally) -> None:
    """Show what was left out and why."""
    for reason, count in skips.counts.items():
        if reason is SkipReason.UP_TO_DATE:
            voyage.fleet.totals.up_to_date += count
            continue
        voyage.fleet.totals.skipped += count
        shown = ", ".join(skips.examples[reason])
        more = ", …" if count > len(skips.examples[reason]) else ""
        voyage.display.skipped(f"{count} of policy {task.policy.name} ({shown}{more})", reason)


def _adapter(
    registry: FileRegistry, folder: Path, transport: Transport, *, writes: bool = False
) -> Adapter:
    layouts = _layout_roots(registry, writes=writes)
    context = AdapterContext(
        endpoint=Endpoint(
            kind=registry.type,
            url=registry.url,
            name=registry.name,
            insecure=registry.insecure,
            ca_certificate=registry.ca_certificate,
        ),
        credential=sync_file.credential(registry, environment.read(), folder),
        transport=transport,
        layout_roots=layouts,
    )
    try:
        return plugins.build(context)
    except (AdapterError, InvalidReference) as error:
        raise UsageError(f"registry {registry.name!r}: {error}") from error


def _layout_roots(registry: FileRegistry, *, writes: bool) -> tuple[Path, ...]:
    """Open exactly the folder that the file names; it is made when something is to be written."""
    if not registry.url.startswith("oci"):
        return ()
    try:
        _, path = roots.parse_url(registry.url)
    except InvalidReference as error:
        raise UsageError(f"registry {registry.name!r}: {error}") from error
    if writes:
        path.mkdir(parents=True, exist_ok=True)
    return (path,)
