"""Credentials as docker, podman and skopeo keep them: docker's config.json, auth.json, helpers.

containers-auth.json(5); https://github.com/docker/docker-credential-helpers#development
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from protocol.credential import Credential
from protocol.errors import CredentialsUnusable
from protocol.surroundings import Surroundings

DOCKER_HUB = "docker.io"
DOCKER_HUB_KEY = "https://index.docker.io/v1/"
HELPER_SECONDS = 30
_DOCKER_HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_HELPER_NAME = re.compile(r"[A-Za-z0-9._-]+")
_NOT_FOUND = b"credentials not found"
_IDENTITY_TOKEN_USER = "<token>"  # noqa: S105 (what helpers write instead of a user name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Helper:
    """A program that knows: `docker-credential-<name>`, asked for `server`."""

    name: str
    server: str


async def find(surroundings: Surroundings, registry: str, repository: str) -> Credential | None:
    """Return what the machine holds for a repository: the first file that knows it wins.

    `registry` is `host[:port]`. Raise CredentialsUnusable for an unreadable file or a helper
    that fails; a registry nobody knows is None.
    """
    for path in surroundings.auth_files:
        document = await asyncio.to_thread(_read, path)
        found = lookup(document, registry, repository, where=str(path))
        if isinstance(found, Helper):
            found = await _ask(found, surroundings)
        if found is not None:
            return found
    return None


def lookup(
    document: Mapping[str, Any], registry: str, repository: str, *, where: str = "the file"
) -> Credential | Helper | None:
    """Return what one file says: a credential, whom to ask, or nothing."""
    keys = keys_for(registry, repository)
    helpers = _object(document, "credHelpers")
    auths = {_normalised(key): entry for key, entry in _object(document, "auths").items()}
    for key in keys:
        if isinstance(helpers.get(key), str):
            return Helper(name=helpers[key], server=_server(key))
        entry = auths.get(key)
        credential = _credential(entry, where) if isinstance(entry, dict) else None
        if credential is not None:
            return credential
    store = document.get("credsStore")
    if isinstance(store, str) and store:
        return Helper(name=store, server=_server(keys[-1]))
    return None


def keys_for(registry: str, repository: str) -> tuple[str, ...]:
    """Return the keys of a repository, most specific first: `host/a/b`, `host/a`, `host`."""
    host = DOCKER_HUB if registry in _DOCKER_HUB_NAMES else registry
    parts = [part for part in repository.split("/") if part]
    return tuple("/".join([host, *parts[:count]]) for count in range(len(parts), -1, -1))


def _normalised(key: str) -> str:
    """Return a key as auth.json writes it; docker's own may be URLs of the old API."""
    has_scheme = "://" in key
    bare = key.partition("://")[2] if has_scheme else key
    host, _, path = bare.partition("/")
    if host in _DOCKER_HUB_NAMES:
        host = DOCKER_HUB
    old_api = path.strip("/") in {"", "v1", "v2"}
    return host if old_api or has_scheme else f"{host}/{path.strip('/')}"


def _server(key: str) -> str:
    return DOCKER_HUB_KEY if key == DOCKER_HUB else key


def _credential(entry: Mapping[str, Any], where: str) -> Credential | None:
    token = entry.get("identitytoken")
    username, password = entry.get("username"), entry.get("password")
    if isinstance(entry.get("auth"), str) and entry["auth"]:
        username, password = _decoded(entry["auth"], where)
    if isinstance(token, str) and token:
        return Credential(username=str(username or ""), identity_token=token)
    if isinstance(username, str) and username:
        return Credential(username=username, password=str(password or ""))
    return None


def _decoded(auth: str, where: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise CredentialsUnusable(
            f"an entry of {where} is not base64 of user:password; log in to that registry again"
        ) from None
    username, _, password = text.partition(":")
    # Docker pads with NUL bytes; podman does not.
    return username, password.rstrip("\0")


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _read(path: Path) -> Mapping[str, Any]:
    if not _may_look(path.parent):
        return {}
    try:
        value = orjson.loads(path.read_bytes() or b"{}")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise CredentialsUnusable(f"{path} cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise CredentialsUnusable(f"{path} is not JSON: {error}") from None
    return value if isinstance(value, dict) else {}


def _may_look(folder: Path) -> bool:
    """Say whether what is in a folder can be ours: root's podman makes /run/containers private."""
    try:
        folder.stat()
    except OSError as error:
        return not isinstance(error, PermissionError)
    return True


async def _ask(helper: Helper, surroundings: Surroundings) -> Credential | None:
    program = f"docker-credential-{helper.name}"
    if not _HELPER_NAME.fullmatch(helper.name):
        raise CredentialsUnusable(f"{program!r} is no name of a credential helper")
    status, output = await _run(program, helper.server, surroundings)
    if status != 0:
        if _NOT_FOUND in output:
            return None
        # What it printed may hold a secret: only its exit code is told.
        raise CredentialsUnusable(f"{program} failed for {helper.server} with exit code {status}")
    try:
        answer = orjson.loads(output)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise CredentialsUnusable(f"{program} gave no user name and secret") from None
    if username == _IDENTITY_TOKEN_USER:
        return Credential(identity_token=secret)
    return Credential(username=username, password=secret) if username else None


async def _run(program: str, server: str, surroundings: Surroundings) -> tuple[int, bytes]:
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "get",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(surroundings.helper_environment),
        )
    except OSError as error:
        raise CredentialsUnusable(f"{program} cannot be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(HELPER_SECONDS):
            output, _ = await process.communicate(server.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise CredentialsUnusable(f"{program} took longer than {HELPER_SECONDS} s") from None
    return process.returncode or 0, output
