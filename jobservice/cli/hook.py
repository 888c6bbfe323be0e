"""`transship hook`: who is told what."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Annotated, Final
from urllib.parse import quote

import typer

from jobservice.cli import api_client, printing
from jobservice.cli.api_client import ApiClient, Json
from jobservice.cli.errors import CommandError, UsageError
from jobservice.cli.exit_codes import ExitCode
from jobservice.domain.hook import PayloadFormat

OF_ALL: Final = "/system/webhook/policies"
COLUMNS: Final = {
    "ID": "id",
    "NAME": "name",
    "ENABLED": "enabled",
    "EVENTS": "events",
    "TARGETS": "addresses",
}
DELIVERY_COLUMNS: Final = {
    "ID": "id",
    "EVENT": "event_type",
    "STATUS": "status",
    "TRIES": "attempts",
    "ANSWER": "response_code",
    "TARGET": "target",
    "CREATED": "created_at",
    "ERROR": "error",
}
DEFAULT_EVENTS: Final = ("REPLICATION", "EXECUTION", "SCHEDULE_OVERDUE")
PROJECT_EVENTS: Final = ("PUSH_ARTIFACT", "DELETE_ARTIFACT", "DELETE_TAG")
TEST_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.3

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Who is told what.")
Name = Annotated[str, typer.Argument(metavar="NAME|ID")]
Project = Annotated[str, typer.Option("--project", help="A project's hooks, not everybody's.")]
On = Annotated[
    list[str] | None,
    typer.Option("--on", help="Which events, several times; all of them if none is named."),
]
When = Annotated[
    list[str] | None,
    typer.Option("--when", help="Only these ends: succeeded, failed, stopped; several times."),
]
To = Annotated[str | None, typer.Option("--to", help="Where to, https://HOST/PATH.")]
Kind = Annotated[str, typer.Option("--kind", help="http, slack or teams.")]
SecretFromStdin = Annotated[
    bool, typer.Option("--secret-stdin", help="Read the secret that signs messages.")
]
HeaderFromStdin = Annotated[
    bool, typer.Option("--auth-header-stdin", help="Read the Authorization header.")
]
Format = Annotated[
    PayloadFormat | None,
    typer.Option(
        "--format",
        case_sensitive=False,
        help="The shape of the message; Harbor's Default if none is named.",
    ),
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Do not verify TLS.")]


def _path(project: str) -> str:
    return f"/projects/{quote(project, safe='')}/webhook/policies" if project else OF_ALL


async def _named(client: ApiClient, project: str, name: str) -> Json:
    return await client.named(_path(project), name, what="hook")


@app.command("list")
def list_hooks(*, project: Project = "", as_json: printing.AsJson = False) -> None:
    """Show every hook."""
    found = api_client.asked(lambda client: client.listed(_path(project)))
    if not as_json:
        for hook in found:
            hook["events"] = ", ".join(hook.get("event_types") or [])
            hook["addresses"] = ", ".join(one["address"] for one in hook.get("targets") or [])
    printing.rows(found, COLUMNS, machine=as_json)


@app.command()
def create(  # noqa: PLR0913 - one option each
    name: Annotated[str, typer.Argument()],
    *,
    to: To = None,
    kind: Kind = "http",
    on: On = None,
    when: When = None,
    per_task: Annotated[
        bool, typer.Option("--per-task", help="A message for each task, not for each execution.")
    ] = False,
    payload_format: Format = None,
    insecure: Insecure = False,
    secret_stdin: SecretFromStdin = False,
    auth_header_stdin: HeaderFromStdin = False,
    project: Project = "",
    as_json: printing.AsJson = False,
) -> None:
    """Add a hook; the server checks where it leads."""
    if to is None:
        raise UsageError("--to URL says where the messages go")
    target = _target(to, kind, payload_format, insecure=insecure)
    target |= _secrets(secret=secret_stdin, auth_header=auth_header_stdin)
    body: Json = {
        "name": name,
        "enabled": True,
        "event_types": list(on or (PROJECT_EVENTS if project else DEFAULT_EVENTS)),
        "targets": [target],
        "transship": {"per_task": per_task, "statuses": list(when or [])},
    }
    identity = api_client.asked(lambda client: client.create(_path(project), body))
    if as_json:
        printing.as_json({"id": int(identity)})
    else:
        printing.line(f"hook {name} has id {identity}; `transship hook test {name}` tries it")


@app.command()
def show(name: Name, *, project: Project = "", as_json: printing.AsJson = False) -> None:
    """Show one hook."""
    found = api_client.asked(lambda client: _named(client, project, name))
    printing.details(found, machine=as_json)


@app.command()
def update(  # noqa: PLR0913 - one option each
    name: Name,
    *,
    to: To = None,
    kind: Kind = "http",
    on: On = None,
    when: When = None,
    per_task: Annotated[bool | None, typer.Option("--per-task/--per-execution")] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable")] = None,
    payload_format: Format = None,
    insecure: Insecure = False,
    secret_stdin: SecretFromStdin = False,
    auth_header_stdin: HeaderFromStdin = False,
    project: Project = "",
    as_json: printing.AsJson = False,
) -> None:
    """Change what is named; the rest stays as it is."""
    secrets = _secrets(secret=secret_stdin, auth_header=auth_header_stdin)
    if to is None and (secrets or payload_format or insecure):
        raise UsageError("secrets, format and TLS are a target's: name it with --to URL")

    async def ask(client: ApiClient) -> Json:
        found = await _named(client, project, name)
        ours = found.get("transship") or {}
        found["enabled"] = found.get("enabled", False) if enabled is None else enabled
        found["event_types"] = list(on) if on else found["event_types"]
        found["transship"] = {
            "per_task": ours.get("per_task", False) if per_task is None else per_task,
            "statuses": list(when) if when is not None else ours.get("statuses", []),
        }
        if to is not None:
            target = _target(to, kind, payload_format, insecure=insecure)
            found["targets"] = [target | secrets]
        await client.send("PUT", f"{_path(project)}/{found['id']}", body=found)
        return found

    found = api_client.asked(ask)
    if as_json:
        printing.as_json({"id": found["id"]})
    else:
        printing.line(f"hook {found['name']} is changed")


@app.command()
def delete(name: Name, *, project: Project = "", as_json: printing.AsJson = False) -> None:
    """Remove a hook with its deliveries."""

    async def ask(client: ApiClient) -> Json:
        found = await _named(client, project, name)
        await client.send("DELETE", f"{_path(project)}/{found['id']}")
        return found

    found = api_client.asked(ask)
    if as_json:
        printing.as_json({"id": found["id"]})
    else:
        printing.line(f"hook {found['name']} is removed")


@app.command("test")
def try_out(name: Name, *, project: Project = "", as_json: printing.AsJson = False) -> None:
    """Send a test to every target, once, and say what they answered."""

    async def ask(client: ApiClient) -> list[Json]:
        found = await _named(client, project, name)
        begun = (await client.send("POST", f"{_path(project)}/{found['id']}/test")).json()
        paths = [f"{_path(project)}/{found['id']}/deliveries/{one}" for one in begun["deliveries"]]
        return [await _settled(client, path) for path in paths]

    deliveries = api_client.asked(ask)
    printing.rows(deliveries, DELIVERY_COLUMNS, machine=as_json)
    failed = [one for one in deliveries if one["status"] != "delivered"]
    if failed:
        raise CommandError(
            f"{len(failed)} of {len(deliveries)} targets did not take the test",
            code=ExitCode.FAILED,
        )


@app.command()
def deliveries(
    name: Name,
    *,
    status: Annotated[
        str | None, typer.Option("--status", help="Only these: pending, delivered, failed.")
    ] = None,
    project: Project = "",
    as_json: printing.AsJson = False,
) -> None:
    """Show what a hook sent and what came back, the latest first."""

    async def ask(client: ApiClient) -> list[Json]:
        found = await _named(client, project, name)
        query = f"status={status}" if status else None
        return await client.listed(f"{_path(project)}/{found['id']}/deliveries", q=query)

    printing.rows(api_client.asked(ask), DELIVERY_COLUMNS, machine=as_json)


@app.command()
def redeliver(
    name: Name,
    delivery: Annotated[int, typer.Argument(metavar="DELIVERY", min=1)],
    *,
    project: Project = "",
    as_json: printing.AsJson = False,
) -> None:
    """Send a message again as it was, under the same event id."""

    async def ask(client: ApiClient) -> str:
        found = await _named(client, project, name)
        path = f"{_path(project)}/{found['id']}/deliveries/{delivery}/redeliver"
        reply = await client.send("POST", path)
        return reply.headers.get("Location", "").rpartition("/")[2]

    identity = api_client.asked(ask)
    if as_json:
        printing.as_json({"id": int(identity)})
    else:
        printing.line(f"delivery {delivery} is sent again as {identity}")


def _target(to: str, kind: str, payload_format: PayloadFormat | None, *, insecure: bool) -> Json:
    return {
        "type": kind,
        "address": to,
        "skip_cert_verify": insecure,
        "payload_format": payload_format or PayloadFormat.DEFAULT,
    }


def _secrets(*, secret: bool, auth_header: bool) -> Json:
    if secret and auth_header:
        raise UsageError("standard input holds one secret: give the other with `hook update`")
    if not (secret or auth_header):
        return {}
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise UsageError("standard input is empty; write the secret there")
    return {"transship": {"secret": given}} if secret else {"auth_header": given}


async def _settled(client: ApiClient, path: str) -> Json:
    """Return a delivery when it is no longer tried, or when patience ends."""
    give_up_at = time.monotonic() + TEST_SECONDS
    while True:
        found: Json = await client.get(path)
        if found["status"] != "pending" or time.monotonic() > give_up_at:
            return found
        await asyncio.sleep(LOOK_SECONDS)
