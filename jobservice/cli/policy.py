"""`transship policy`: what is copied, from where and to where."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from jobservice.cli import api_client, policy_change, printing, timing, watching
from jobservice.cli.api_client import ApiClient, Json
from jobservice.cli.errors import UsageError
from jobservice.cli.policy_change import Change, Timing

PATH = "/replication/policies"
EXECUTIONS = "/replication/executions"
THIS_REGISTRY = "local"
BESIDE_FILE = {"source": "from", "destination": "to"}
COLUMNS = {
    "ID": "id",
    "NAME": "name",
    "FROM": "src_registry.name",
    "TO": "dest_registry.name",
    "NAMESPACE": "dest_namespace",
    "TRIGGER": "trigger.type",
    "ENABLED": "enabled",
}

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="What is copied, from where and to where."
)
Name = Annotated[str, typer.Argument(metavar="NAME|ID")]

_END = "`local` is the server's own registry."
FROM = typer.Option("--from", metavar="REMOTE", help=_END)
TO = typer.Option("--to", metavar="REMOTE", help=_END)
REPOSITORIES = typer.Option("--repositories", metavar="GLOB", help="library/** or {a,b}/*")
TAGS = typer.Option("--tags", metavar="GLOB", help="3.* or {latest,1.*}")
NAMESPACE = typer.Option("--namespace", help="Where in the destination; default: as in the source.")
FLATTEN = typer.Option("--flatten", min=-1, help="Leading parts to drop; -1: all but the last.")
OVERRIDE = typer.Option(
    "--override/--no-override", help="Move a tag that is something else at the destination."
)
PRIORITY = typer.Option("--priority", min=-9, max=9, help="Whose turn it is first: the highest's.")
FILE = typer.Option("--file", exists=True, help="JSON as the API takes it, instead.")
ENABLE = typer.Option("--enable/--disable", help="Whether it may run.")
MANUAL = typer.Option("--manual", help="Nothing starts it but `policy run`.")


@app.command("list")
def list_policies(*, as_json: printing.AsJson = False) -> None:
    """Show every policy."""

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            return await client.listed(PATH)

    printing.rows(asyncio.run(ask()), COLUMNS, machine=as_json)


@app.command()
def create(  # noqa: PLR0913 - one option each
    context: typer.Context,
    name: Annotated[str, typer.Argument()],
    *,
    source: Annotated[str, FROM] = THIS_REGISTRY,
    destination: Annotated[str, TO] = THIS_REGISTRY,
    repositories: Annotated[str, REPOSITORIES] = "",
    tags: Annotated[str, TAGS] = "",
    namespace: Annotated[str, NAMESPACE] = "",
    flatten: Annotated[int, FLATTEN] = 1,
    override: Annotated[bool, OVERRIDE] = True,
    every: timing.Every = "",
    cron: timing.Cron = "",
    time_zone: timing.TimeZone = "",
    jitter: timing.Jitter = 0,
    skip_late: timing.SkipLate = False,
    on_push: timing.OnPush = False,
    deletions: timing.Deletions = False,
    priority: Annotated[int, PRIORITY] = 0,
    file: Annotated[Path | None, FILE] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Add a policy; without --every, --cron or --on-push nothing runs until `policy run`."""
    if file is not None:
        _want_alone(context)
    filters = [{"type": "name", "value": repositories}] if repositories else []
    filters += [{"type": "tag", "value": tags}] if tags else []
    body: Json = {
        "name": name,
        "dest_namespace": namespace,
        "dest_namespace_replace_count": flatten,
        **timing.on_push(on_push=on_push, deletions=deletions),
        "filters": filters,
        "enabled": True,
        "override": override,
    }
    if not on_push:
        body |= timing.trigger(every, cron, time_zone=time_zone, jitter=jitter, skip_late=skip_late)
    elif any((every, cron, time_zone, jitter, skip_late)):
        raise UsageError("--on-push starts by itself: leave out --every, --cron and what is theirs")
    body["transship"] = body.get("transship", {}) | {"priority": priority}
    if file is not None:
        body = _read(file) | {"name": name}

    async def ask() -> str:
        async with api_client.connected() as client:
            if file is None:
                body.update(await _ends(client, source, destination))
            return await client.create(PATH, body)

    identity = asyncio.run(ask())
    if as_json:
        printing.as_json({"id": int(identity)})
    else:
        printing.line(f"policy {name} has id {identity}; `transship policy run {name}` starts it")


@app.command()
def update(  # noqa: PLR0913 - one option each
    context: typer.Context,
    name: Name,
    *,
    source: Annotated[str | None, FROM] = None,
    destination: Annotated[str | None, TO] = None,
    repositories: Annotated[str | None, REPOSITORIES] = None,
    tags: Annotated[str | None, TAGS] = None,
    namespace: Annotated[str | None, NAMESPACE] = None,
    flatten: Annotated[int | None, FLATTEN] = None,
    override: Annotated[bool | None, OVERRIDE] = None,
    enable: Annotated[bool | None, ENABLE] = None,
    every: timing.Every = "",
    cron: timing.Cron = "",
    time_zone: timing.ChangedTimeZone = None,
    jitter: timing.ChangedJitter = None,
    skip_late: timing.ChangedSkipLate = None,
    on_push: timing.OnPush = False,
    deletions: timing.ChangedDeletions = None,
    manual: Annotated[bool, MANUAL] = False,
    priority: Annotated[int | None, PRIORITY] = None,
    file: Annotated[Path | None, FILE] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Change what is said of a policy, leave the rest; an empty GLOB matches everything."""
    body: Json | None = None
    if file is not None:
        _want_alone(context)
        body = _read(file)
    when = Timing(
        every=every,
        cron=cron,
        time_zone=time_zone,
        jitter=jitter,
        skip_late=skip_late,
        on_push=on_push,
        manual=manual,
    )

    async def ask() -> Json:
        async with api_client.connected() as client:
            found = await client.named(PATH, name, what="policy")
            change = Change(
                ends=await _named_ends(client, source, destination),
                repositories=repositories,
                tags=tags,
                namespace=namespace,
                flatten=flatten,
                override=override,
                enabled=enable,
                deletions=deletions,
                priority=priority,
                timing=when,
            )
            wanted = change.applied_to(found) if body is None else body | {"name": found["name"]}
            if body is None:
                policy_change.want_two_ends(wanted)
            await client.send("PUT", f"{PATH}/{found['id']}", body=wanted)
            changed: Json = await client.get(f"{PATH}/{found['id']}")
            return changed

    changed = asyncio.run(ask())
    if as_json:
        printing.as_json(changed)
    else:
        printing.line(f"policy {changed['name']} is changed; what runs goes on as it began")


@app.command()
def show(name: Name, *, as_json: printing.AsJson = False) -> None:
    """Show one policy."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            return await client.named(PATH, name, what="policy")

    found = asyncio.run(ask())
    if not as_json:
        for end in ("src_registry", "dest_registry"):
            found[end] = (found.get(end) or {}).get("name")
        found["filters"] = "; ".join(_condition(one) for one in found.get("filters") or [])
    printing.details(found, machine=as_json)


@app.command()
def delete(name: Name, *, as_json: printing.AsJson = False) -> None:
    """Remove a policy; what it copied stays."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            found = await client.named(PATH, name, what="policy")
            await client.send("DELETE", f"{PATH}/{found['id']}")
            return found

    found = asyncio.run(ask())
    if as_json:
        printing.as_json({"id": found["id"]})
    else:
        printing.line(f"policy {found['name']} is removed")


@app.command()
def run(
    name: Name,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it ends.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Start an execution of a policy."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            found = await client.named(PATH, name, what="policy")
            identity = await client.create(EXECUTIONS, {"policy_id": found["id"]})
            if watch:
                return await watching.until_it_ends(client, int(identity), quiet=as_json)
            started: Json = await client.get(f"{EXECUTIONS}/{identity}")
            return started

    execution = asyncio.run(ask())
    if as_json:
        printing.as_json(execution)
    elif not watch:
        printing.line(f"execution {execution['id']} has started")
    if watch:
        watching.want_success(execution)


def _condition(one: Json) -> str:
    verb = one.get("decoration") or "matches"
    return f"{one.get('type')} {verb} {one.get('value')}"


async def _ends(client: ApiClient, source: str, destination: str) -> Json:
    if source == destination:
        raise UsageError(f"--from and --to are both {source}: name a remote for one of them")
    return await _named_ends(
        client,
        None if source == THIS_REGISTRY else source,
        None if destination == THIS_REGISTRY else destination,
    )


async def _named_ends(client: ApiClient, source: str | None, destination: str | None) -> Json:
    """Return the ends that are named; `local` has the id 0."""
    ends: Json = {}
    for field, name in (("src_registry", source), ("dest_registry", destination)):
        if name == THIS_REGISTRY:
            ends[field] = {"id": 0}
        elif name is not None:
            found = await client.named("/registries", name, what="remote")
            ends[field] = {"id": found["id"]}
    return ends


def _want_alone(context: typer.Context) -> None:
    """Refuse options beside --file, which says everything itself."""
    beside = {"name", "file", "as_json"}
    given = [
        f"--{BESIDE_FILE.get(option, option).replace('_', '-')}"
        for option in context.params
        if option not in beside and _was_given(context, option)
    ]
    if given:
        raise UsageError(f"--file says everything itself: leave out {', '.join(given)}")


def _was_given(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _read(file: Path) -> Json:
    try:
        body = json.loads(file.read_text())
    except ValueError as error:
        raise UsageError(f"{file} is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise UsageError(f"{file} holds no policy: a JSON object is wanted")
    return body
