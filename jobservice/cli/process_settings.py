"""The settings of a server process, as its command reads them: warnings told, nothing guessed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from config import environment, settings
from config.settings import Settings

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file of settings; TRANSSHIP_CONFIG names one too."),
]
Listen = Annotated[
    str | None, typer.Option("--listen", metavar="HOST:PORT", help="Where to serve; port 0: any.")
]
InsecureHttp = Annotated[
    bool | None,
    typer.Option("--insecure-http", help="Listen beyond this machine without TLS in front."),
]
TlsCert = Annotated[
    str | None,
    typer.Option("--tls-cert", metavar="FILE", help="Serve TLS with this chain (PEM)."),
]
TlsKey = Annotated[
    str | None, typer.Option("--tls-key", metavar="FILE", help="The certificate's key (PEM).")
]


def tell(sentence: str) -> None:
    """Say something to the person who runs us; standard output belongs to results."""
    print(f"transship: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - our voice


def load(
    file: Path | None, overrides: Mapping[str, object] | None = None
) -> tuple[Settings, Mapping[str, str]]:
    """Return the settings and the environment that they came from; raise InvalidSettings."""
    surroundings = environment.read()
    for sentence in settings.warnings(surroundings):
        tell(sentence)
    return settings.load(surroundings, file=file, overrides=overrides), surroundings
