"""What a user can meet is written down: every setting, command, exit code, kind and route tag."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from adapters import plugins
from config import settings
from jobservice.api import application, failures, router
from jobservice.api.harbor import executions
from jobservice.cli import exit_codes, main
from jobservice.domain import explaining, hook, metric
from jobservice.domain.execution import ExecutionStatus
from jobservice.domain.hook_delivery import DeliveryStatus
from jobservice.domain.pause import PauseScope
from jobservice.domain.schedule import FireOutcome, Misfire
from jobservice.domain.task import TaskStatus
from jobservice.store import planning
from registry import errors as registry_errors
from replication.plan import SkipReason
from tests.architecture import sources
from tests.breaks import __main__ as breaks

DOCS = sources.ROOT / "docs"
COLUMNS_OF_ROUTES = 3


def page(name: str) -> str:
    return (DOCS / name).read_text()


def commands() -> list[str]:
    """Every command and subcommand, as a person types it."""
    code = """
import importlib, json, typer
from jobservice.cli import main
found = []
for name, module in main.COMMANDS.items():
    command = typer.main.get_command(importlib.import_module(module).app)
    parts = getattr(command, "commands", None)
    found += [f"{name} {part}" for part in parts] if parts else [name]
print(json.dumps(found))
"""
    program = [sys.executable, "-c", code]
    found: list[str] = json.loads(subprocess.run(program, check=True, capture_output=True).stdout)
    return found


@pytest.mark.parametrize("name", sorted(settings.Settings.model_fields))
def test_a_setting_is_described(name: str) -> None:
    row = next(line for line in page("settings.md").splitlines() if f"`{name}`" in line)
    assert f"`{settings.PREFIX}{name.upper()}`" in row
    assert ("(secret)" in row) == (name in settings.SECRETS)


def test_a_command_is_described() -> None:
    described = page("commands.md")
    assert [name for name in commands() if f"`transship {name}`" not in described] == []


def test_help_knows_every_command() -> None:
    program = [sys.executable, "-m", "jobservice.cli.main", "--help"]
    told = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    assert [name for name in main.COMMANDS if name not in told] == []


@pytest.mark.parametrize("code", exit_codes.ExitCode)
def test_an_exit_code_is_described(code: exit_codes.ExitCode) -> None:
    assert f"| {code.value} | {code.name} |" in page("exit-codes.md")


@pytest.mark.parametrize("told", metric.METRICS, ids=lambda told: told.name)
def test_a_metric_is_described(told: metric.Metric) -> None:
    labels = ", ".join(f"`{label}`" for label in told.labels)
    assert f"| `{told.name}` | {told.kind} | {labels} |" in page("metrics.md")


@pytest.mark.parametrize("kind", sorted(plugins.kinds()))
def test_a_kind_is_described(kind: str) -> None:
    assert f"`{kind}`" in page("kinds.md")


@pytest.mark.parametrize("tag", sorted({route.tag for route in application.ROUTES}))
def test_a_tag_of_the_api_is_described(tag: str) -> None:
    assert f"| `{tag}` |" in page("api.md")


@pytest.mark.parametrize("path", sorted({route.path for route in application.ROUTES}))
def test_a_path_of_the_api_is_described(path: str) -> None:
    assert f"`{path.removeprefix(router.API_ROOT)}`" in page("api.md")


def methods_described() -> Iterator[tuple[str, str]]:
    """Every method and path that a row of the API's page names."""
    for line in page("api.md").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == COLUMNS_OF_ROUTES:
            methods = re.findall(r"\b[A-Z]{3,}\b", re.sub(r"`[^`]*`|\([^)]*\)", "", cells[2]))
            yield from product(methods, re.findall(r"`(/[^`]*)`", cells[1]))


def test_exactly_the_methods_of_the_api_are_described() -> None:
    served = {
        (route.method, route.path.removeprefix(router.API_ROOT)) for route in application.ROUTES
    }
    assert set(methods_described()) == served


@pytest.mark.parametrize(
    ("status", "code"),
    sorted(
        {(status, code) for _, status, code in failures.TABLE}
        | {(failures.UNKNOWN_STATUS, failures.UNKNOWN)}
    ),
)
def test_an_error_code_of_the_api_is_described(status: int, code: str) -> None:
    assert f"| {status} | `{code}` |" in page("errors.md")


@pytest.mark.parametrize("status", TaskStatus)
def test_a_state_of_a_task_is_described(status: TaskStatus) -> None:
    assert f"| `{status.value}` | {executions.TASK_STATUS[status]} |" in page("tasks.md")


@pytest.mark.parametrize("status", ExecutionStatus)
def test_a_state_of_an_execution_is_described(status: ExecutionStatus) -> None:
    rows = page("tasks.md").partition("| execution |")[2]
    assert f"| `{status.value}` | {executions.EXECUTION_STATUS[status]} |" in rows


@pytest.mark.parametrize(
    ("name", "word"),
    [
        *product(["hooks.md"], DeliveryStatus),
        *product(["hooks.md"], hook.ASKED_FOR),
        *product(["schedules.md"], FireOutcome),
        *product(["schedules.md"], Misfire),
        *product(["tasks.md"], PauseScope),
        *product(["tasks.md"], [*SkipReason, planning.REPEATED]),
    ],
)
def test_a_word_that_answers_use_is_described(name: str, word: str) -> None:
    assert f"`{word}`" in page(name)


@pytest.mark.parametrize("code", explaining.Code)
def test_a_reason_why_a_task_does_not_run_is_described(code: explaining.Code) -> None:
    assert f"| `{code.value}` |" in page("tasks.md")


@pytest.mark.parametrize("code", sorted(registry_errors.CODES))
def test_an_error_code_of_this_registry_is_described(code: str) -> None:
    assert f"| {registry_errors.status_of(code)} | `{code}` |" in page("errors.md")


def test_a_promise_names_tests_that_exist_and_breaks_that_do() -> None:
    rows = [line for line in page("promises.md").splitlines() if line.startswith("| ")]
    named = set(re.findall(r"`([^`]+)`", " ".join(rows)))
    tests = {name for name in named if name.startswith("tests/")}
    assert [name for name in tests if not (sources.ROOT / name).exists()] == []
    assert named - tests == {patch.stem for patch in breaks.FOLDER.glob("*.patch")}


def test_the_checklist_has_every_item_and_names_tests_that_exist() -> None:
    text = page("decisions/0001-peers-checklist.md")
    items = re.findall(r"^\| (\d+) \||\*\*Item (\d+)", text, re.MULTILINE)
    assert {int(row or item) for row, item in items} == {*range(1, 63)}
    held = " ".join(line.split("|")[3] for line in text.splitlines() if re.match(r"\| \d", line))
    # A test's name is a sentence: four words or more.
    named = set(re.findall(r"\b[a-z0-9]+(?:_[a-z0-9]+){3,}\b(?!:)", held))
    tests = "\n".join(path.read_text() for path in (sources.ROOT / "tests").rglob("test_*.py"))
    assert named - set(re.findall(r"\bdef test_(\w+)", tests)) == set()


@pytest.mark.parametrize("patch", sorted(breaks.FOLDER.glob("*.patch")), ids=lambda path: path.stem)
def test_a_break_says_what_it_breaks(patch: Path) -> None:
    for test in breaks.read(patch).tests:
        assert (sources.ROOT / test.partition("::")[0]).is_file()


@pytest.mark.parametrize("patch", sorted(breaks.FOLDER.glob("*.patch")), ids=lambda path: path.stem)
def test_a_break_still_applies(patch: Path) -> None:
    before = [hunk for hunk in hunks(patch.read_text()) if hunk.strip()]
    files = re.findall(r"^--- a/(.+)$", patch.read_text(), re.MULTILINE)
    tree = "\n".join((sources.ROOT / file).read_text() for file in files)
    assert before
    assert [hunk for hunk in before if hunk not in tree] == []


def hunks(patch: str) -> list[str]:
    """What each hunk wants to find: its lines without those that it adds."""
    diff = patch[patch.index("--- a/") :]
    return [
        "\n".join(line[1:] for line in hunk.splitlines()[1:] if line[:1] in {" ", "-"})
        for part in re.split(r"^(?:diff |--- a/)", diff, flags=re.MULTILINE)
        for hunk in re.split(r"^@@ ", part, flags=re.MULTILINE)[1:]
    ]


def test_links_between_pages_lead_somewhere() -> None:
    pages = [sources.ROOT / "README.md", sources.ROOT / "ARCHITECTURE.md", *DOCS.rglob("*.md")]
    dead = [
        f"{each.name}: {target}"
        for each in pages
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", each.read_text())
        if "://" not in target and not (each.parent / target).exists()
    ]
    assert dead == []
