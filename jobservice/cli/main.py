"""The `transship` program: finds the command's module, runs it, says in a sentence what failed.

Only the module of the command at hand is imported, so that `transship copy` starts without the
server's libraries.
"""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType
from typing import Annotated, Final

import typer
from typer.core import TyperGroup

from config.errors import InvalidSettings
from database.errors import DatabaseError
from jobservice.cli import exit_codes
from jobservice.cli.errors import CommandError
from jobservice.cli.exit_codes import ExitCode
from jobservice.errors import JobserviceError
from jobservice.supervisor.errors import SupervisorError
from protocol.errors import ProtocolError
from registry.care.errors import CareError
from registry.errors import RegistryStorageError

# command -> module with its `app`, in the order that help shows them
COMMANDS: Final = {
    "up": "jobservice.cli.up",
    "demo": "jobservice.cli.demo",
    "copy": "jobservice.cli.copy",
    "sync": "jobservice.cli.sync",
    "login": "jobservice.cli.login",
    "remote": "jobservice.cli.remote",
    "policy": "jobservice.cli.policy",
    "execution": "jobservice.cli.execution",
    "task": "jobservice.cli.task",
    "queue": "jobservice.cli.queue",
    "workers": "jobservice.cli.workers",
    "event": "jobservice.cli.event",
    "schedule": "jobservice.cli.schedule",
    "retention": "jobservice.cli.retention",
    "project": "jobservice.cli.project",
    "label": "jobservice.cli.label",
    "gc": "jobservice.cli.gc",
    "hook": "jobservice.cli.hook",
    "audit": "jobservice.cli.audit",
    "api": "jobservice.cli.api",
    "worker": "jobservice.cli.worker",
    "migrate": "jobservice.cli.migrate",
    "secrets": "jobservice.cli.secrets",
    "storage": "jobservice.cli.storage",
    "admin": "jobservice.cli.admin",
    "backup": "jobservice.cli.backup",
    "restore": "jobservice.cli.restore",
}
# What ends a command with its message alone; anything else is a defect and shows its traceback.
TOLD: Final = (
    CommandError,
    ProtocolError,
    SupervisorError,
    DatabaseError,
    CareError,
    RegistryStorageError,
    JobserviceError,
    InvalidSettings,
)


class LazyGroup(TyperGroup):
    """Commands that are imported when somebody asks for them."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override, explicit-override]  # typer vendors its own Context below this one
        """Return every command's name."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str):  # type: ignore[no-untyped-def, override, explicit-override]  # noqa: ANN201 - typer's own vendored Command
        """Return the command, its module imported; None when there is none."""
        del ctx
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = typer.main.get_command(_imported(module).app)
        command.name = cmd_name
        command.help = _in_paragraphs(command.help)
        return command


app = typer.Typer(
    name="transship",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Moves, prunes and reclaims container images.",
)


def _imported(module: str) -> ModuleType:
    """Import a command's module; what that made lives to the end and is no garbage to look for."""
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def _in_paragraphs(text: str | None) -> str | None:
    """Undo the source's line breaks: the terminal's width is what breaks lines of help."""
    if text is None:
        return None
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer's callbacks take the value alone
    if wanted:
        import importlib.metadata  # noqa: PLC0415 - takes 10 ms that no command should wait for

        print(importlib.metadata.version("transship"))  # noqa: T201 - what was asked for
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line and end the process with a documented code (docs/exit-codes.md)."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter would complain on its way out.
        sys.stderr.close()
        sys.exit(ExitCode.OK)
    except (*TOLD, BaseExceptionGroup) as error:
        sys.exit(_told(error))


def _told(error: BaseException) -> int:
    """Say what went wrong and return the exit code; raise what is no error for people."""
    first = _first(error)
    if not isinstance(first, TOLD):
        raise error
    for line in str(first).splitlines():
        print(f"transship: {line}", file=sys.stderr)  # noqa: T201 - the one place that tells
    if isinstance(first, CommandError):
        return first.code
    if isinstance(first, InvalidSettings):
        return ExitCode.USAGE
    return exit_codes.of(first)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    main()
