"""Under which identity Postgres can run here: it refuses root and wants a user with a name.

An ordinary user runs it directly. Root runs it in a user namespace, where files stay root's and
nothing has to be readable for anybody else; where namespaces are forbidden (Docker's default
seccomp profile), as a dedicated user, with a copy of the programs when that user cannot reach
them. A data folder stays with the identity it was made under: its owner tells.
"""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from jobservice.supervisor import errors, process, programs

PREFERRED_NAMES = ("postgres", "nobody", "daemon")


def choose(data: Path) -> process.Identity:
    """Identity to run Postgres on `data` as; the folder may not exist yet. Raises CannotStart."""
    own = os.geteuid()
    if own != 0 and _has_name(own):
        return process.DIRECT
    owner = data.stat().st_uid if data.exists() else own
    if owner != own:
        entry = pwd.getpwuid(owner)
        return process.Identity(how=process.How.USER, uid=entry.pw_uid, gid=entry.pw_gid)
    entry = _named_user()
    namespace = process.Identity(how=process.How.NAMESPACE, uid=entry.pw_uid, gid=entry.pw_gid)
    if process.run(["/bin/true"], identity=namespace).returncode == 0:
        return namespace
    if own != 0:
        raise errors.CannotStart(
            f"PostgreSQL needs a user with a name: user id {own} has no line in /etc/passwd and "
            "user namespaces are forbidden here; add one, or set TRANSSHIP_POSTGRES_DSN"
        )
    return process.Identity(how=process.How.USER, uid=entry.pw_uid, gid=entry.pw_gid)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _named_user() -> pwd.struct_passwd:
    for name in PREFERRED_NAMES:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise errors.CannotStart(
        f"PostgreSQL refuses to run as root and none of the users {', '.join(PREFERRED_NAMES)} "
        "exists: add one of them, or set TRANSSHIP_POSTGRES_DSN"
    )


def reachable(
    found: programs.PostgresPrograms, identity: process.Identity, *, copies: Path
) -> programs.PostgresPrograms:
    """Programs that `identity` can execute: `found`, or a copy of them below `copies`."""
    if process.run([found.postgres, "--version"], identity=identity).returncode == 0:
        return found
    installation = found.folder.parent
    package = installation.parent
    target = copies / f"postgresql-{found.major}"
    if not target.exists():
        partial = target.with_name(target.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(installation, partial / package.name / installation.name, symlinks=True)
        # The client tools load libpq from this sibling by a relative path.
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name)
        partial.rename(target)
    folder = target / package.name / installation.name / found.folder.name
    copied = programs.PostgresPrograms(folder=folder, major=found.major)
    if process.run([copied.postgres, "--version"], identity=identity).returncode == 0:
        return copied
    raise errors.CannotStart(
        f"PostgreSQL refuses to run as root, user namespaces are forbidden here, and user id "
        f"{identity.uid} cannot reach {copies}: choose a folder it can pass through with --data "
        "(/var/lib/transship), or set TRANSSHIP_POSTGRES_DSN"
    )
