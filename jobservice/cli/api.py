"""`transship api`."""

from __future__ import annotations

import asyncio

import typer

from jobservice import logging
from jobservice.api import serving
from jobservice.cli import printing, process_settings

app = typer.Typer(add_completion=False)


@app.command()
def run(
    *,
    listen: process_settings.Listen = None,
    insecure_http: process_settings.InsecureHttp = None,
    tls_cert: process_settings.TlsCert = None,
    tls_key: process_settings.TlsKey = None,
    config: process_settings.ConfigFile = None,
) -> None:
    """Run the API and this registry alone; writes `ready http://…` when it serves.

    SIGHUP reads the TLS certificate again; so does a change of its file, within seconds.
    """
    overrides = {
        "listen": listen,
        "insecure_http": insecure_http,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
    }
    settings, environment = process_settings.load(config, overrides)
    logging.configure()
    # asyncio's own loop: uvloop has no sendfile, which pulls are served with.
    asyncio.run(serving.serve(settings, environment, lambda url: printing.line(f"ready {url}")))
