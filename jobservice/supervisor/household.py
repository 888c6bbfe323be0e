"""What `transship up` keeps in its data folder, and the settings that follow from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from typing import Protocol
from urllib.parse import quote

from pydantic import SecretStr

from config.settings import Settings
from database import sealing
from jobservice.supervisor import embedded_postgres, embedded_valkey, errors, folders

ROOTS_FOLDER = Path("/var/lib/transship")
KEY_FILE = "key"
STORAGE_FOLDER = "storage"
PASSWORD_FILE = "admin-password"  # noqa: S105 - the name of a file
PASSWORD_BYTES = 18


class Server(Protocol):
    """An embedded server."""

    def start(self) -> None:
        """Start or adopt it."""
        ...

    def stop(self) -> None:
        """Stop it."""
        ...

    def alive(self) -> bool:
        """Whether it runs."""
        ...


def _keys(text: str) -> tuple[SecretStr, ...]:
    """Read a key file: one key, or several while they are changed."""
    return tuple(map(SecretStr, text.replace(",", " ").split()))


def default_folder(environment: Mapping[str, str]) -> Path:
    """Return where the data goes when nobody says: the system's place for root, else the user's."""
    if os.geteuid() == 0:
        return ROOTS_FOLDER
    home = environment.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(home) / "transship"


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """One data folder: its embedded servers, where needed, its key and its first password."""

    folder: Path
    settings: Settings
    postgres: embedded_postgres.EmbeddedPostgres | None
    valkey: embedded_valkey.EmbeddedValkey | None

    @classmethod
    def of(cls, folder: Path, settings: Settings) -> Household:
        """Embed what no DSN is set for; nothing is started."""
        wants_postgres = settings.postgres_dsn is None
        wants_valkey = settings.redis_dsn is None
        return cls(
            folder=folder,
            settings=settings,
            postgres=embedded_postgres.EmbeddedPostgres(folder=folder / "postgres")
            if wants_postgres
            else None,
            valkey=embedded_valkey.EmbeddedValkey(folder=folder / "valkey")
            if wants_valkey
            else None,
        )

    def servers(self) -> dict[str, Server]:
        """Return the embedded servers by name, in the order to start them."""
        servers: dict[str, Server] = {}
        if self.postgres is not None:
            servers["PostgreSQL"] = self.postgres
        if self.valkey is not None:
            servers["Valkey"] = self.valkey
        return servers

    def complete_settings(self, tell: Callable[[str], None]) -> Settings:
        """Return settings in which nothing is missing; the servers run. Makes key and password."""
        found: dict[str, object] = {}
        if self.postgres is not None:
            found["postgres_dsn"] = SecretStr(self.postgres.dsn())
        if self.valkey is not None:
            found["redis_dsn"] = SecretStr(self.valkey.dsn())
        if not self.settings.storage:
            found["storage"] = self._own_storage()
        if not self.settings.secret_key:
            found["secret_key"] = _keys(self._kept(KEY_FILE, sealing.generate_key))
        if self.settings.admin_password is None:
            found["admin_password"] = SecretStr(self._password(tell))
        return self.settings.model_copy(update=found)

    def settings_of_running(self) -> Settings:
        """Return the settings of an `up` that runs on this folder; raise NotRunning."""
        dsn = self.postgres.running_dsn() if self.postgres is not None else None
        if dsn is None:
            raise errors.NotRunning(
                f"no `transship up` runs on {self.folder}: start it, choose its folder with "
                "--data, or set TRANSSHIP_POSTGRES_DSN"
            )
        return self._with_own(dsn)

    @contextmanager
    def alone(self) -> Iterator[Settings]:
        """Hold the folder with nothing but its database running, for who must be alone with that.

        Raise FolderInUse while an `up` runs.
        """
        folders.private(self.folder)
        with folders.locked(self.folder):
            postgres = self.postgres
            try:
                if postgres is not None:
                    postgres.start()
                yield self._with_own(postgres.dsn() if postgres is not None else None)
            finally:
                if postgres is not None:
                    postgres.stop()

    def _with_own(self, dsn: str | None) -> Settings:
        """Return settings with what the folder gives; nothing is made but the storage's folder."""
        found: dict[str, object] = {}
        if dsn is not None:
            found["postgres_dsn"] = SecretStr(dsn)
        if not self.settings.storage:
            found["storage"] = self._own_storage()
        if not self.settings.secret_key and (self.folder / KEY_FILE).exists():
            found["secret_key"] = _keys((self.folder / KEY_FILE).read_text())
        return self.settings.model_copy(update=found)

    def _own_storage(self) -> str:
        folder = folders.private(self.folder / STORAGE_FOLDER)
        return "file://" + quote(str(folder.absolute()))

    def _password(self, tell: Callable[[str], None]) -> str:
        file = self.folder / PASSWORD_FILE
        is_new = not file.exists()
        password = self._kept(PASSWORD_FILE, lambda: token_urlsafe(PASSWORD_BYTES))
        if is_new:
            tell(f"the password of admin is in {file}")
        return password

    def _kept(self, name: str, make: Callable[[], str]) -> str:
        file = self.folder / name
        if not file.exists():
            folders.write_secret(file, make() + "\n")
        return file.read_text().strip()
