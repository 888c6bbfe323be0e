"""`transship up`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from jobservice.cli import process_settings
from jobservice.supervisor import household, up

app = typer.Typer(add_completion=False)


@app.command()
def run(  # noqa: PLR0913 - one option each
    *,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Where everything is kept.")
    ] = None,
    listen: process_settings.Listen = None,
    api: Annotated[
        int, typer.Option("--api", min=1, max=64, help="API processes on the one listener.")
    ] = 1,
    workers: Annotated[int, typer.Option("--workers", min=0, max=64, help="Worker processes.")] = 1,
    insecure_http: process_settings.InsecureHttp = None,
    tls_cert: process_settings.TlsCert = None,
    tls_key: process_settings.TlsKey = None,
    config: process_settings.ConfigFile = None,
) -> None:
    """Run everything on this machine: registry, API, workers; PostgreSQL and Valkey embedded.

    Writes one line `ready http://…` to standard output when it serves. Ctrl-C or SIGTERM ends it;
    a second one does not wait for transfers to hand back their work.
    """
    overrides = {
        "data": data and str(data),
        "listen": listen,
        "insecure_http": insecure_http,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
    }
    settings, environment = process_settings.load(config, overrides)
    folder = Path(settings.data) if settings.data else household.default_folder(environment)
    request = up.Request(
        folder=folder.absolute(),
        apis=api,
        workers=workers,
        settings=settings,
        environment=environment,
    )
    voice = up.Voice(announce=_announce, tell=process_settings.tell, whisper=_whisper)
    asyncio.run(up.run(request, voice))


def _announce(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the ready line is the result


def _whisper(secret: str) -> None:
    """Say a secret where a person sees it; never into a log."""
    if sys.stderr.isatty():
        process_settings.tell(secret)
