from pathlib import Path

import pytest

from tests.fakes.registry.authentication import Door
from tests.fakes.registry.server import FakeRegistry
from tests.integration.cli.conftest import Transship

FILE = """
version: 1
registries:
  - {{name: up, url: "{source}"}}
  - name: here
    url: {destination}
policies:
  - name: mirror
    src_registry: up
    dest_registry: {{name: here}}
    dest_namespace: mirror
    dest_namespace_replace_count: 1
    filters:
      - {{type: name, value: "team/**"}}
      - {{type: tag, value: "v*"}}
      - {{type: tag, value: "*-rc", decoration: excludes}}
"""


@pytest.fixture
def file(tmp_path: Path, source: FakeRegistry, destination: FakeRegistry) -> Path:
    path = tmp_path / "sync.yml"
    path.write_text(FILE.format(source=source.url, destination=destination.url))
    for repository in ("team/app", "team/deep/tool", "other/app"):
        for tag in ("v1", "v2", "v2-rc", "latest"):
            source.repository(repository).put_image(tag, layers=(f"{repository} {tag}".encode(),))
    return path


async def test_policies_are_followed_once_and_then_there_is_nothing_to_do(
    transship: Transship, destination: FakeRegistry, file: Path
) -> None:
    first = await transship("sync", file)
    assert first.code == 0, first.err
    assert destination.repository("mirror/app").tags.keys() == {"v1", "v2"}
    assert destination.repository("mirror/deep/tool").tags.keys() == {"v1", "v2"}
    assert "other/app" not in destination.repositories
    assert "4 artifacts: 4 copied" in first.out

    destination.requests.clear()
    again = await transship("sync", "--json", file)
    assert again.code == 0
    summary = again.objects[-1]
    assert (summary["copied"], summary["up_to_date"], summary["bytes_copied"]) == (0, 4, 0)
    assert destination.requests.count("PUT") == 0
    assert destination.requests.count("POST") == 0


async def test_a_dry_run_shows_the_plan_and_writes_nothing(
    transship: Transship, destination: FakeRegistry, file: Path
) -> None:
    ended = await transship("sync", "--dry-run", file)
    assert ended.code == 0, ended.err
    assert ended.out.count("would copy") == 4
    assert "4 to copy" in ended.out
    assert destination.requests.count("PUT") + destination.requests.count("POST") == 0


async def test_what_is_left_out_is_said_with_its_reason(transship: Transship, file: Path) -> None:
    ended = await transship("sync", file)
    assert "the name filters leave the repository out" in ended.out
    assert "the tag filters leave the tag out" in ended.out


async def test_a_filter_that_matches_nothing_is_no_success(
    transship: Transship, file: Path
) -> None:
    file.write_text(file.read_text().replace("team/**", "taem/**"))
    ended = await transship("sync", file)
    assert ended.code == 1
    assert "did nothing: 0 of 3 repositories" in ended.err


async def test_a_policy_that_matches_nothing_does_not_keep_others_from_being_followed(
    transship: Transship, destination: FakeRegistry, file: Path
) -> None:
    policies = file.read_text().partition("policies:")[2]
    idle = policies.replace("name: mirror", "name: idle").replace("team/**", "taem/**")
    file.write_text(file.read_text().replace("policies:", f"policies:{idle.rstrip()}"))
    ended = await transship("sync", file)
    assert ended.code == 1
    assert "policy 'idle' did nothing" in ended.err
    assert destination.repository("mirror/app").tags.keys() == {"v1", "v2"}


async def test_requests_are_counted_on_both_sides(
    transship: Transship, source: FakeRegistry, destination: FakeRegistry, file: Path
) -> None:
    ended = await transship("sync", "--json", file)
    summary = ended.objects[-1]
    assert summary["source_requests"] == source.requests.count()
    assert summary["destination_requests"] == destination.requests.count()


async def test_an_address_without_a_scheme_is_told_which_there_are(
    transship: Transship, file: Path, destination: FakeRegistry
) -> None:
    file.write_text(file.read_text().replace(destination.url, "/srv/mirror"))
    ended = await transship("sync", file)
    assert ended.code == 2
    assert (
        "registries[1].url: write '/srv/mirror' with one of https://, http://, oci://" in ended.err
    )


async def test_a_disabled_policy_is_skipped_aloud(
    transship: Transship, destination: FakeRegistry, file: Path
) -> None:
    file.write_text(file.read_text() + "    enabled: false\n")
    ended = await transship("sync", file)
    assert ended.code == 0
    assert "it is not enabled" in ended.out
    assert destination.requests.count() == 0


async def test_a_layout_on_disk_is_a_registry_too(
    transship: Transship, source: FakeRegistry, tmp_path: Path, file: Path
) -> None:
    layouts = tmp_path / "layouts"
    text = FILE.format(source=source.url, destination=f"oci://{layouts}")
    file.write_text(text.replace("name: here\n", "name: here\n    type: oci-layout\n"))
    ended = await transship("sync", file)
    assert ended.code == 0, ended.err
    assert (layouts / "mirror/app/index.json").exists()


async def test_secrets_come_from_where_the_file_says(
    transship: Transship, destination: FakeRegistry, tmp_path: Path
) -> None:
    door = Door(scheme="basic", username="ann", password="secret")
    async with FakeRegistry(door=door) as source:
        source.repository("team/app").put_image("v1")
        file = tmp_path / "sync.yml"
        text = FILE.format(source=source.url, destination=destination.url)
        login = 'credential: {access_key: ann, access_secret: "env:UP_PASSWORD"}'
        file.write_text(text.replace(f'"{source.url}"', f'"{source.url}", {login}'))
        ended = await transship("sync", file, UP_PASSWORD="secret")
        assert ended.code == 0, ended.err
        missing = await transship("sync", file)
        assert missing.code == 2
        assert "env:UP_PASSWORD: that environment variable is not set" in missing.err
