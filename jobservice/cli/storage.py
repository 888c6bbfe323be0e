"""`transship storage`: what this registry keeps its blobs in."""

from __future__ import annotations

import typer

from jobservice.cli import storage_import, storage_usage, storage_verify

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="What this registry keeps its blobs in."
)

app.command("import")(storage_import.import_storage)
app.command("verify")(storage_verify.verify)
app.command("usage")(storage_usage.usage)
