"""Folders for sockets: where they are, when they go, and what of others stays."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobservice.supervisor import socket_folders

NAME = "a.sock"


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder for temporary files, with nothing of anybody else's in it."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def left_by_a_killed_run(home: Path) -> Path:
    folder = socket_folders.make(home, longest_name=NAME)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / NAME))
    (folder / f"{NAME}.lock").touch()
    os.utime(folder, (0, 0))
    return folder


def test_a_short_plain_path_is_used_as_it_is(temporary: Path) -> None:
    home = temporary / "run"
    assert socket_folders.make(home, longest_name=NAME) == home
    socket_folders.give_back(home)
    assert home.is_dir()


def test_a_path_with_a_space_gets_a_private_folder_elsewhere(temporary: Path) -> None:
    folder = socket_folders.make(Path("/a b/run"), longest_name=NAME)
    assert folder.parent == temporary
    assert folder.stat().st_mode & 0o077 == 0
    assert folder == socket_folders.path(Path("/a b/run"), longest_name=NAME)


def test_a_folder_given_back_is_gone_with_what_the_server_left(temporary: Path) -> None:
    socket_folders.give_back(left_by_a_killed_run(Path("/a b/run")))
    assert list(temporary.iterdir()) == []


def test_what_a_killed_run_left_is_tidied(temporary: Path) -> None:
    left_by_a_killed_run(Path("/a b/run"))
    socket_folders.tidy()
    assert list(temporary.iterdir()) == []


def test_a_folder_with_a_server_stays() -> None:
    folder = left_by_a_killed_run(Path("/a b/run"))
    (folder / NAME).unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / NAME))
        listener.listen()
        os.utime(folder, (0, 0))
        socket_folders.tidy()
        assert folder.is_dir()


def test_a_folder_whose_server_is_only_starting_stays() -> None:
    home = Path("/a b/run")
    folder = left_by_a_killed_run(home)
    assert socket_folders.make(home, longest_name=NAME) == folder
    socket_folders.tidy()
    assert folder.is_dir()


def test_files_and_names_of_others_stay(temporary: Path) -> None:
    prefix = f"transship-{os.geteuid()}-"
    (temporary / f"{prefix}notes").mkdir()
    (temporary / f"{prefix}{'0' * 16}").touch()
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (temporary / f"{prefix}{'1' * 16}").symlink_to(elsewhere)
    for path in temporary.iterdir():
        os.utime(path, (0, 0), follow_symlinks=False)
    socket_folders.tidy()
    assert len(list(temporary.iterdir())) == 4
    assert elsewhere.is_dir()
