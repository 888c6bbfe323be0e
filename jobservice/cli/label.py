"""`transship label`: words on artifacts, everybody's or a project's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from jobservice.cli import api_client, artifact_name, printing
from jobservice.cli.api_client import ApiClient, Json
from jobservice.cli.errors import CommandError, UsageError
from jobservice.cli.exit_codes import ExitCode

PATH = "/labels"
COLUMNS = {
    "ID": "id",
    "NAME": "name",
    "OF": "of",
    "COLOR": "color",
    "DESCRIPTION": "description",
}
EVERYBODY = "everybody"

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Words on artifacts.")
Project = Annotated[
    str | None, typer.Option("--project", metavar="PROJECT", help="Of this project.")
]
Label = Annotated[str, typer.Argument(metavar="LABEL", help="Its name, or its id.")]
Artifact = Annotated[str, typer.Argument(metavar="PROJECT/REPOSITORY:TAG|@DIGEST")]


async def _project_id(client: ApiClient, project: str) -> int:
    found = await client.get(f"/projects/{api_client.segment(project)}")
    return int(found["project_id"])


async def _labels(client: ApiClient, project: str | None) -> list[Json]:
    """Return a project's labels, or everybody's."""
    if project is None:
        return await client.listed(PATH, scope="g", sort="name")
    number = await _project_id(client, project)
    return await client.listed(PATH, scope="p", project_id=number, sort="name")


async def _meant(client: ApiClient, label: str, projects: Sequence[str | None]) -> int:
    """Return the id of a label: of the first of these projects that has one of the name."""
    if label.isdecimal():
        return int(label)
    for project in projects:
        for one in await _labels(client, project):
            if one["name"] == label:
                return int(one["id"])
    owners = " or ".join(EVERYBODY if one is None else f"project {one}" for one in projects)
    raise CommandError(f"there is no label {label} of {owners}", code=ExitCode.NOT_FOUND)


@app.command("list")
def list_labels(*, project: Project = None, as_json: printing.AsJson = False) -> None:
    """Show everybody's labels, with --project that project's too."""

    async def ask(client: ApiClient) -> list[Json]:
        own = await _labels(client, project) if project is not None else []
        return [*own, *await _labels(client, None)]

    _show(api_client.asked(ask), project, machine=as_json)


def _show(found: list[Json], project: str | None, *, machine: bool) -> None:
    if not machine:
        for label in found:
            label["of"] = EVERYBODY if label["scope"] == "g" else project
    printing.rows(found, COLUMNS, machine=machine)


@app.command()
def create(
    name: Annotated[str, typer.Argument()],
    *,
    project: Project = None,
    description: Annotated[str, typer.Option(help="What it means.")] = "",
    color: Annotated[str, typer.Option(help="Such as #48960C.")] = "",
    as_json: printing.AsJson = False,
) -> None:
    """Make a label, everybody's or of one project."""

    async def ask(client: ApiClient) -> str:
        body: Json = {"name": name, "description": description, "color": color, "scope": "g"}
        if project is not None:
            body |= {"scope": "p", "project_id": await _project_id(client, project)}
        return await client.create(PATH, body)

    identity = api_client.asked(ask)
    _tell({"id": int(identity)}, f"label {name} has id {identity}", machine=as_json)


@app.command()
def delete(label: Label, *, project: Project = None, as_json: printing.AsJson = False) -> None:
    """Remove a label, from all artifacts that have it too."""

    async def ask(client: ApiClient) -> int:
        number = await _meant(client, label, [project])
        await client.send("DELETE", f"{PATH}/{number}")
        return number

    _tell({"id": api_client.asked(ask)}, f"label {label} is removed", machine=as_json)


@app.command()
def show(artifact: Artifact, *, as_json: printing.AsJson = False) -> None:
    """Show the labels of an artifact."""
    project, path = _carrier(artifact)

    async def ask(client: ApiClient) -> list[Json]:
        found: list[Json] = await client.get(path)
        return found

    _show(api_client.asked(ask), project, machine=as_json)


@app.command()
def add(artifact: Artifact, label: Label, *, as_json: printing.AsJson = False) -> None:
    """Put a label on an artifact: its project's of that name, or else everybody's."""
    project, path = _carrier(artifact)

    async def ask(client: ApiClient) -> int:
        number = await _meant(client, label, [project, None])
        await client.send("POST", path, body={"id": number})
        return number

    _tell({"id": api_client.asked(ask)}, f"{artifact} has the label {label}", machine=as_json)


@app.command()
def remove(artifact: Artifact, label: Label, *, as_json: printing.AsJson = False) -> None:
    """Take a label off an artifact."""
    _, path = _carrier(artifact)

    async def ask(client: ApiClient) -> int:
        carried: list[Json] = await client.get(path)
        for one in carried:
            if label in {one["name"], str(one["id"])}:
                await client.send("DELETE", f"{path}/{one['id']}")
                return int(one["id"])
        raise CommandError(f"{artifact} has no label {label}", code=ExitCode.NOT_FOUND)

    _tell({"id": api_client.asked(ask)}, f"{artifact} lost the label {label}", machine=as_json)


def _carrier(artifact: str) -> tuple[str, str]:
    """Return an artifact's project, and where its labels are; raise UsageError."""
    name, reference = artifact_name.parted(artifact)
    project, slash, repository = name.partition("/")
    if not (project and slash and repository):
        raise UsageError(f"{artifact} names no project: write PROJECT/REPOSITORY:TAG")
    twice = api_client.segment(api_client.segment(repository))
    return project, (
        f"/projects/{api_client.segment(project)}/repositories/{twice}"
        f"/artifacts/{api_client.segment(reference)}/labels"
    )


def _tell(found: dict[str, Any], text: str, *, machine: bool) -> None:
    if machine:
        printing.as_json(found)
    else:
        printing.line(text)
