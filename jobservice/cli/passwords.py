"""Where a command gets a password from: standard input, or the terminal; never its arguments."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from jobservice.cli.errors import UsageError

FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


def of(username: str, *, from_stdin: bool) -> str:
    """Return the password; raise UsageError where there is none, or nobody to ask."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\n")
    elif sys.stdin.isatty():
        password = str(typer.prompt(f"Password of {username}", hide_input=True, err=True))
    else:
        raise UsageError("there is no terminal to ask for the password: use --password-stdin")
    if not password:
        raise UsageError(f"the password of {username} is empty")
    return password
