from __future__ import annotations

from pathlib import Path

import pytest

from jobservice.cli import contexts
from jobservice.cli.contexts import Login
from jobservice.cli.errors import CommandError, UsageError

HERE = Login(url="http://127.0.0.1:8080", username="admin", password="hidden")
THERE = Login(url="https://registry.example", username="robot", password="hidden too")


def variables(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"TRANSSHIP_CONTEXTS": str(tmp_path / "new/contexts.json")} | more


def test_the_last_login_is_the_current_one(tmp_path: Path) -> None:
    file = contexts.file_of(variables(tmp_path))
    contexts.remember(file, HERE)
    contexts.remember(file, THERE)
    assert contexts.current(variables(tmp_path)) == THERE
    contexts.remember(file, HERE)
    assert contexts.current(variables(tmp_path)) == HERE


def test_the_environment_chooses_among_the_remembered(tmp_path: Path) -> None:
    file = contexts.file_of(variables(tmp_path))
    contexts.remember(file, HERE)
    contexts.remember(file, THERE)
    assert contexts.current(variables(tmp_path, TRANSSHIP_URL="http://127.0.0.1:8080/")) == HERE


def test_the_environment_alone_is_enough(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("hidden\n")
    named = variables(
        tmp_path,
        TRANSSHIP_URL="registry.example",
        TRANSSHIP_USERNAME="robot",
        TRANSSHIP_PASSWORD_FILE=str(password),
    )
    assert contexts.current(named) == Login(
        url="https://registry.example", username="robot", password="hidden"
    )


def test_without_any_server_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="transship login URL"):
        contexts.current(variables(tmp_path))
    with pytest.raises(UsageError, match="no user is known for https://x"):
        contexts.current(variables(tmp_path, TRANSSHIP_URL="https://x"))


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    file = contexts.file_of(variables(tmp_path))
    contexts.remember(file, HERE)
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


def test_a_password_does_not_print() -> None:
    assert "hidden" not in repr(HERE)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "contexts.json"
    file.write_text("{")
    with pytest.raises(CommandError, match=r"contexts\.json"):
        contexts.current({"TRANSSHIP_CONTEXTS": str(file)})


def test_a_password_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = variables(tmp_path, TRANSSHIP_URL="x", TRANSSHIP_PASSWORD_FILE=str(tmp_path / "no"))
    with pytest.raises(UsageError, match="TRANSSHIP_PASSWORD_FILE"):
        contexts.current(missing)


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="ftp://x"):
        contexts.normalised("ftp://x")


def test_logins_are_kept_in_the_configuration_folder() -> None:
    file = contexts.file_of({"XDG_CONFIG_HOME": "/configuration"})
    assert file == Path("/configuration/transship/contexts.json")
