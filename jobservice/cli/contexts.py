"""The servers that `transship login` remembers, and which one a command talks to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from jobservice.cli.errors import CommandError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A server and who we are there."""

    url: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What the file holds."""

    current: str = ""
    logins: tuple[Login, ...] = ()


def file_of(environment: Mapping[str, str]) -> Path:
    """Return where logins are kept: TRANSSHIP_CONTEXTS, else the user's configuration folder."""
    if named := environment.get("TRANSSHIP_CONTEXTS"):
        return Path(named)
    configuration = environment.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(configuration) / "transship/contexts.json"


def current(environment: Mapping[str, str]) -> Login:
    """Return the login of this command: the environment's parts win over the remembered ones."""
    url = environment.get("TRANSSHIP_URL", "")
    remembered = _remembered(file_of(environment), url)
    if not url and remembered is None:
        raise UsageError(
            "no server is known: run `transship login URL` first, or set TRANSSHIP_URL, "
            "TRANSSHIP_USERNAME and TRANSSHIP_PASSWORD"
        )
    username = environment.get("TRANSSHIP_USERNAME") or (remembered.username if remembered else "")
    password = _password(environment) or (remembered.password if remembered else "")
    server = url or (remembered.url if remembered else "")
    if not username or not password:
        raise UsageError(
            f"no user is known for {server}: run `transship login {server}`, or set "
            "TRANSSHIP_USERNAME and TRANSSHIP_PASSWORD"
        )
    return Login(url=normalised(server), username=username, password=password)


def remember(file: Path, login: Login) -> None:
    """Add a login, or replace the one of the same server, and make it the current one."""
    kept = _read(file)
    logins = {found.url: found for found in kept.logins} | {login.url: login}
    content = {"current": login.url, "logins": [asdict(each) for each in logins.values()]}
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        json.dump(content, opened, indent=2)
    partial.rename(file)


def normalised(url: str) -> str:
    """Return the URL with a scheme and without a slash at its end; raise UsageError."""
    complete = url if "://" in url else f"https://{url}"
    if not complete.startswith(("http://", "https://")):
        raise UsageError(f"{url} is not the address of a server: http(s)://HOST[:PORT]")
    return complete.rstrip("/")


def _password(environment: Mapping[str, str]) -> str:
    if named := environment.get("TRANSSHIP_PASSWORD_FILE"):
        try:
            return Path(named).read_text().strip()
        except OSError as error:
            raise UsageError(f"TRANSSHIP_PASSWORD_FILE: {named}: {error.strerror}") from None
    return environment.get("TRANSSHIP_PASSWORD", "")


def _remembered(file: Path, url: str) -> Login | None:
    kept = _read(file)
    wanted = normalised(url) if url else kept.current
    return next((login for login in kept.logins if login.url == wanted), None)


def _read(file: Path) -> _Kept:
    try:
        content = json.loads(file.read_text())
        logins = tuple(Login(**login) for login in content["logins"])
        return _Kept(current=content["current"], logins=logins)
    except FileNotFoundError:
        return _Kept()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"the logins in {file} cannot be read: {error}; remove it") from None
