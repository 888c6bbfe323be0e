from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

SERVER_LIBRARIES = ("asyncpg", "arq", "redis", "pydantic", "aiohttp.web")


def transship(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "jobservice.cli.main", *arguments]
    return subprocess.run(
        program, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_the_version_is_that_of_the_package() -> None:
    assert transship("--version").stdout.strip() == importlib.metadata.version("transship")


def test_an_unknown_command_is_a_usage_error() -> None:
    ended = transship("cpoy")
    assert ended.returncode == 2
    assert "cpoy" in ended.stderr


def test_a_wrong_setting_is_told_in_one_line_and_is_a_usage_error() -> None:
    ended = transship("up", "--listen", "nonsense")
    assert ended.returncode == 2
    assert ended.stderr.startswith("transship: listen: 'nonsense' is not HOST:PORT")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("library", SERVER_LIBRARIES)
def test_the_frame_does_not_load_the_servers_libraries(library: str) -> None:
    code = f"import sys, jobservice.cli.main; sys.exit({library!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("command", ["up", "remote", "policy", "copy", "demo"])
def test_help_offers_no_option_that_other_commands_lack(command: str) -> None:
    assert "completion" not in transship(command, "--help").stdout


def test_a_policy_file_goes_with_no_other_option(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text("{}")
    ended = transship("policy", "create", "p", "--file", str(file), "--from", "hub", "--skip-late")
    assert ended.returncode == 2
    assert "leave out --from, --skip-late" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["remote", "create", "r", "--url", "https://r", "-u", "ann"], "use --password-stdin"),
        (["remote", "create", "r", "--url", "https://r", "--password-stdin"], "wants --username"),
        (["remote", "create", "r", "--url", "https://r", "-u", "ann", "--password-stdin"], "empty"),
        (["login", "https://r"], "use --password-stdin"),
    ],
)
def test_a_password_comes_from_somewhere(arguments: list[str], told: str) -> None:
    ended = transship(*arguments)
    assert ended.returncode == 2
    assert told in ended.stderr
