"""`transship demo`."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from config import environment
from jobservice.cli import api_client, printing
from jobservice.cli.api_client import ApiClient
from jobservice.cli.contexts import Login
from jobservice.cli.errors import CommandError
from jobservice.cli.exit_codes import ExitCode
from jobservice.demo import peers, story
from jobservice.demo.errors import DemoFailed
from jobservice.demo.measured import Step
from jobservice.demo.peers import Peer
from jobservice.demo.programs import PID_FILE
from jobservice.demo.service import Service
from jobservice.demo.story import Options, Story
from protocol.surroundings import Surroundings
from protocol.transport import Transport

app = typer.Typer(add_completion=False)

_KIBIBYTE = 1024


class Upstream(StrEnum):
    """What stands for the rest of the world."""

    AUTO = "auto"
    DOCKER_REGISTRY = "docker-registry"
    TRANSSHIP = "transship"


@app.command()
def run(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running.")] = False,
    upstream: Annotated[
        Upstream, typer.Option("--upstream", help="Which registries to mirror from and to.")
    ] = Upstream.AUTO,
    as_json: printing.AsJson = False,
) -> None:
    """Do the main job on real content, from nothing, and say what it took.

    Builds an image for two platforms, a single image, a Helm chart and a signature from files of
    this machine; mirrors them through policies into a private instance of this registry and out
    again to a third registry and an OCI layout; repeats that, changes one tag, and compares
    everything byte for byte. Leaves nothing behind unless told to.
    """
    folder = Path(tempfile.mkdtemp(prefix="transship-demo-"))
    options = Options(folder=folder, program=_program(upstream), keep=keep)
    try:
        told = asyncio.run(_play(options))
    except asyncio.CancelledError:
        shutil.rmtree(folder, ignore_errors=True)
        raise CommandError("the demo was told to end", code=ExitCode.INTERRUPTED) from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if not keep:
        shutil.rmtree(folder)
    _show(told, as_json=as_json)


def _program(upstream: Upstream) -> Path | None:
    if upstream is Upstream.TRANSSHIP:
        return None
    found = peers.docker_registry()
    if found is None and upstream is Upstream.DOCKER_REGISTRY:
        raise CommandError("docker-registry is not installed (Debian: apt-get install it)")
    return found


async def _play(options: Options) -> Story:
    _end_with_sigterm()
    try:
        async with story.stage(options, _tell) as stage, _transport() as transport:
            told = Story(stage, transport, _tell)
            if stage.upstream.is_ours:
                async with _connected(stage.upstream) as api:
                    await told.make_room(Service(api))
            async with _connected(stage.house) as api:
                await told.play(Service(api))
            if options.keep:
                _tell(stage.where_it_is())
                _tell(_how_to_end_it(options.folder))
            return told
    except DemoFailed as error:
        raise CommandError(f"the demo failed: {error}") from error


@asynccontextmanager
async def _transport() -> AsyncGenerator[Transport]:
    surroundings = Surroundings.of(environment.read(), home=Path.home(), user_id=os.geteuid())
    async with Transport(surroundings) as transport:
        yield transport


@asynccontextmanager
async def _connected(peer: Peer) -> AsyncGenerator[ApiClient]:
    if peer.credential is None:
        raise DemoFailed(f"{peer.what} has no API")
    login = Login(
        url=peer.url, username=peer.credential.username, password=peer.credential.password
    )
    async with api_client.connected(login) as client:
        yield client


def _end_with_sigterm() -> None:
    """Have SIGTERM end the demo as Ctrl-C does: everything is stopped and removed."""
    playing = asyncio.current_task()
    if playing is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)


def _how_to_end_it(folder: Path) -> str:
    pids = " ".join(sorted(file.read_text() for file in folder.glob(f"*/{PID_FILE}")))
    return f"to end it: kill {pids}; rm -r '{folder}'"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress is for people


def _show(told: Story, *, as_json: bool) -> None:
    if as_json:
        printing.as_json([_row(step) for step in told.steps])
        return
    Console().print(_table(told.steps))
    printing.line(
        f"{told.manifests_compared} manifests compared byte for byte, signature included: all equal"
    )


def _row(step: Step) -> dict[str, object]:
    found = step.measured
    return {
        "step": step.name,
        "artifacts": found.artifacts,
        "bytes": found.bytes_copied,
        "bytes_saved": found.bytes_saved,
        "requests": found.requests,
        "seconds": round(found.seconds, 3),
    }


def _table(steps: Sequence[Step]) -> Table:
    table = Table()
    table.add_column("step", no_wrap=True)
    for heading in ("artifacts", "KiB", "KiB saved", "requests", "seconds"):
        table.add_column(heading, justify="right")
    for step in steps:
        found = step.measured
        table.add_row(
            step.name,
            str(found.artifacts),
            f"{found.bytes_copied / _KIBIBYTE:.1f}",
            f"{found.bytes_saved / _KIBIBYTE:.1f}",
            str(found.requests),
            f"{found.seconds:.2f}",
        )
    return table
