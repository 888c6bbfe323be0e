from pathlib import Path

import pytest

from jobservice.cli import sync_file
from jobservice.cli.errors import UsageError
from replication.policy import Decoration, Filter, FilterKind, ReplicationPolicy

GOOD = """
version: 1
registries:
  - {name: hub, url: "https://registry-1.docker.io"}
  - name: here
    url: https://registry.test
    credential: {access_key: ann, access_secret: "file:secret"}
policies:
  - name: mirror
    src_registry: {name: hub}
    dest_registry: here
    dest_namespace: mirror
    dest_namespace_replace_count: 1
    override: false
    speed: 800
    filters:
      - {type: name, value: "library/*"}
      - {type: tag, value: "*-rc*", decoration: excludes}
    transship: {referrers: false}
"""


def read(folder: Path, text: str) -> sync_file.SyncFile:
    path = folder / "sync.yml"
    path.write_text(text)
    return sync_file.read(path)


def test_a_policy_has_the_fields_of_the_api(tmp_path: Path) -> None:
    policy = read(tmp_path, GOOD).policies[0]
    assert (policy.src_registry, policy.dest_registry) == ("hub", "here")
    assert policy.rules() == ReplicationPolicy(
        filters=(
            Filter(kind=FilterKind.NAME, pattern="library/*"),
            Filter(kind=FilterKind.TAG, pattern="*-rc*", decoration=Decoration.EXCLUDES),
        ),
        destination_namespace="mirror",
        flattening=1,
        override=False,
        referrers=False,
        speed_kilobits=800,
    )


def test_a_secret_is_read_from_where_the_file_says(tmp_path: Path) -> None:
    registry = read(tmp_path, GOOD).registry("here")
    with pytest.raises(UsageError, match="file:secret cannot be read"):
        sync_file.credential(registry, {}, tmp_path)
    (tmp_path / "secret").write_text("s3cret\n")
    found = sync_file.credential(registry, {}, tmp_path)
    assert found is not None
    assert (found.username, found.password) == ("ann", "s3cret")
    assert sync_file.credential(read(tmp_path, GOOD).registry("hub"), {}, tmp_path) is None


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    bad = """
version: 2
registries:
  - {name: a, url: "https://a.test", colour: blue}
  - {name: a, url: "ftp://b.test", credential: {access_key: x, access_secret: hunter2}}
policies:
  - name: one
    src_registry: a
    dest_registry: nobody
    filters: [{type: tag, value: 310}, {type: name, value: "lib[rary"}]
  - {name: one, src_registry: a, dest_registry: a, trigger: {type: scheduled}}
"""
    with pytest.raises(UsageError) as raised:
        read(tmp_path, bad)
    said = str(raised.value)
    for problem in (
        "version: Input should be 1",
        "registries[0].colour: there is no such key",
        "registries[1].url: ",
        "registries[1].credential.access_secret: write env:VARIABLE or file:PATH",
        "policies[0].filters[0].value: is not text: put it in quotes",
        "policies[0].filters[1].value: pattern 'lib[rary', character 4",
        "policies[1].trigger.type: ",
        "two registry entries are named 'a'",
        "two policy entries are named 'one'",
        "policies[0].dest_registry: no registry is named 'nobody'; known are a, a",
        "policies[1]: copies 'a' onto itself",
    ):
        assert problem in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "is not YAML"),
        ("version: 1\nversion: 1\n", "'version' is said twice"),
        ("- 1\n", "the file: "),
        ("\xff", "the file: "),
    ],
)
def test_what_is_no_sync_file_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        sync_file.read(tmp_path / "nothing.yml")


def test_a_file_that_is_far_too_large_is_not_parsed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="larger than 4 MiB"):
        read(tmp_path, "#" * (4 * 1024 * 1024 + 1))
