"""What stands in config/examples/ works as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import settings
from jobservice.api.harbor import policies
from jobservice.api.models import base
from jobservice.api.models import replication as models
from jobservice.cli import sync_file
from jobservice.domain.policy import TriggerKind
from replication.policy import Decoration

EXAMPLES = Path(settings.__file__).parent / "examples"
PARSED = {"mirror.yaml", "policy.json", "worker.toml"}


def test_every_example_is_tried_below() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == PARSED


def test_the_file_for_sync() -> None:
    read = sync_file.read(EXAMPLES / "mirror.yaml")
    assert [policy.name for policy in read.policies] == ["base images", "to carry"]
    ours = read.registry("ours")
    credential = sync_file.credential(ours, {"MIRROR_PASSWORD": "given"}, EXAMPLES)
    assert credential is not None
    assert credential.username == "mirror"


def test_the_policy_for_the_server() -> None:
    body = models.ReplicationPolicy.model_validate_json((EXAMPLES / "policy.json").read_bytes())
    assert list(base.unknown_fields(body)) == []
    read = policies.policy_settings(body)
    assert (read.trigger, read.enabled) == (TriggerKind.MANUAL, True)
    assert [one.decoration for one in read.rules.filters][-1] is Decoration.EXCLUDES


def test_the_settings_of_a_worker(tmp_path: Path) -> None:
    text = (EXAMPLES / "worker.toml").read_text()
    for secret, value in (
        ("postgres-dsn", "postgresql://transship@db.example/transship"),
        ("redis-dsn", "redis://redis.example"),
        ("key", "a2V5"),
    ):
        (tmp_path / secret).write_text(value)
    moved = tmp_path / "worker.toml"
    moved.write_text(text.replace("/etc/transship", str(tmp_path)))
    read = settings.load({}, file=moved)
    read.require("postgres_dsn", "redis_dsn", "secret_key", "storage")
    assert read.worker_slots == 50


@pytest.mark.parametrize("name", sorted(PARSED))
def test_no_example_shows_a_secret(name: str) -> None:
    assert "password:" not in (EXAMPLES / name).read_text()
