from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from protocol import credentials
from protocol.credential import Credential
from protocol.errors import CredentialsUnusable
from protocol.surroundings import Surroundings


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_the_most_specific_key_wins() -> None:
    document = {
        "auths": {
            "reg.test": auth("host", "1"),
            "reg.test/team": auth("team", "2"),
            "reg.test/team/app": auth("app", "3"),
        }
    }
    found = credentials.lookup(document, "reg.test", "team/app")
    assert found == Credential(username="app", password="3")
    assert credentials.lookup(document, "reg.test", "team/other") == Credential(
        username="team", password="2"
    )
    assert credentials.lookup(document, "reg.test", "else") == Credential(
        username="host", password="1"
    )
    assert credentials.lookup(document, "other.test", "team/app") is None


@pytest.mark.parametrize("name", ["docker.io", "index.docker.io", "registry-1.docker.io"])
@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_docker_hub_goes_by_all_its_names(name: str, key: str) -> None:
    document = {"auths": {key: auth("me", "secret")}}
    assert credentials.lookup(document, name, "library/alpine") == Credential(
        username="me", password="secret"
    )


def test_an_identity_token_is_kept_apart_from_a_password() -> None:
    entry = {**auth("00000000-0000-0000-0000-000000000000", ""), "identitytoken": "long"}
    found = credentials.lookup({"auths": {"https://reg.test": entry}}, "reg.test", "a")
    assert isinstance(found, Credential)
    assert (found.identity_token, found.password) == ("long", "")


def test_a_helper_for_the_registry_comes_before_the_store_and_docker_hub_keeps_its_url() -> None:
    document = {"credHelpers": {"reg.test": "cloud"}, "credsStore": "desktop"}
    assert credentials.lookup(document, "reg.test", "a") == credentials.Helper(
        name="cloud", server="reg.test"
    )
    assert credentials.lookup(document, "docker.io", "library/a") == credentials.Helper(
        name="desktop", server="https://index.docker.io/v1/"
    )


def test_an_entry_that_is_not_base64_is_named_without_its_content() -> None:
    document = {"auths": {"reg.test": {"auth": "s3cret!!"}}}
    with pytest.raises(CredentialsUnusable, match=r"an entry of my\.json") as caught:
        credentials.lookup(document, "reg.test", "a", where="my.json")
    assert "s3cret" not in str(caught.value)


def test_a_null_entry_and_padding_are_tolerated() -> None:
    document = {"auths": {"reg.test": None, "b.test": auth("u", "p\0\0")}}
    assert credentials.lookup(document, "reg.test", "a") is None
    assert credentials.lookup(document, "b.test", "a") == Credential(username="u", password="p")


def helper(folder: Path, name: str, script: str) -> Surroundings:
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    file = folder / "config.json"
    file.write_text(json.dumps({"credHelpers": {"reg.test": name}}))
    return Surroundings(
        auth_files=(folder / "missing.json", file),
        helper_environment=(("PATH", f"{folder}:/usr/bin:/bin"),),
    )


async def test_a_helper_is_run_and_asked_for_the_registry(tmp_path: Path) -> None:
    script = 'read server; echo "{\\"Username\\":\\"u-$server\\",\\"Secret\\":\\"s\\"}"'
    found = await credentials.find(helper(tmp_path, "fine", script), "reg.test", "a/b")
    assert found == Credential(username="u-reg.test", password="s")


async def test_a_helper_may_answer_with_an_identity_token(tmp_path: Path) -> None:
    script = """echo '{"Username":"<token>","Secret":"refresh"}'"""
    found = await credentials.find(helper(tmp_path, "token", script), "reg.test", "a/b")
    assert found == Credential(identity_token="refresh")


async def test_a_helper_that_knows_nothing_is_no_error(tmp_path: Path) -> None:
    script = "echo 'credentials not found in native keychain'; exit 1"
    assert await credentials.find(helper(tmp_path, "empty", script), "reg.test", "a/b") is None


@pytest.mark.parametrize(
    ("script", "said"), [("echo hunter2; exit 3", "exit code 3"), ("echo '[]'", "no user name")]
)
async def test_a_failing_helper_is_named_and_its_output_is_not(
    tmp_path: Path, script: str, said: str
) -> None:
    with pytest.raises(CredentialsUnusable, match=said) as caught:
        await credentials.find(helper(tmp_path, "broken", script), "reg.test", "a/b")
    assert "docker-credential-broken" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_a_helper_that_is_not_installed_or_not_a_name_is_said(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"credHelpers": {"a.test": "absent-xyz", "b.test": "../evil"}}))
    around = Surroundings(auth_files=(file,), helper_environment=(("PATH", str(tmp_path)),))
    with pytest.raises(CredentialsUnusable, match="cannot be started"):
        await credentials.find(around, "a.test", "a")
    with pytest.raises(CredentialsUnusable, match="no name of a credential helper"):
        await credentials.find(around, "b.test", "a")


async def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    file.write_text("{")
    with pytest.raises(CredentialsUnusable, match=r"auth\.json is not JSON"):
        await credentials.find(Surroundings(auth_files=(file,)), "reg.test", "a")
