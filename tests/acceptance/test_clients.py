"""Clients that people use push here, list, sign, pull and delete: each with its own ways."""

from __future__ import annotations

import asyncio
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from protocol.client.registry import RegistryClient
from protocol.content import RawManifest
from protocol.credential import Credential
from protocol.digest import Digest
from protocol.transport import Transport
from tests.acceptance import house as acceptance
from tests.acceptance.house import House
from tests.contract import artifacts, places

USER, PASSWORD = "admin", acceptance.PASSWORD
CONTENT = os.urandom(200_000)


class Shell:
    """A folder in which one client is at home."""

    def __init__(self, home: Path, program: str, host: str) -> None:
        self.home = home
        self.program = program
        self.host = host
        self.variables: Mapping[str, str] = {}

    async def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run the client; return what it printed, and fail with it."""
        code, said, complaints = await self.ended(*arguments, stdin=stdin)
        assert code == 0, f"{arguments}: {said}{complaints}"
        return said

    async def ended(self, *arguments: str, stdin: str = "") -> tuple[int | None, str, str]:
        """Run the client; return its exit code, what it printed, and what it complained of."""
        process = await asyncio.create_subprocess_exec(
            self.program,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": os.defpath, **self.variables},
        )
        said, complaints = await process.communicate(stdin.encode())
        return process.returncode, said.decode(), complaints.decode()


@pytest.fixture
def shell(house: House, tmp_path: Path, request: pytest.FixtureRequest) -> Shell:
    program: str = request.param
    in_ci = program in {"buildah", "skopeo"}
    found = places.needs_program(program) if in_ci else places.may_use_program(program)
    (tmp_path / "file.bin").write_bytes(CONTENT)
    with tarfile.open(tmp_path / "layer.tar", "w") as layer:
        layer.add(tmp_path / "file.bin", "file.bin")
    return Shell(tmp_path, found, house.url.removeprefix("http://"))


def of(program: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("shell", [program], indirect=True)


async def tags(house: House, repository: str) -> list[str]:
    """Return the repository's tags, as we see them."""
    async with Transport() as transport:
        ours = _ours(house, transport)
        return [tag async for page in ours.repository(repository).tags() for tag in page]


@of("crane")
async def test_crane_appends_lists_pulls_and_deletes(house: House, shell: Shell) -> None:
    image = f"{shell.host}/library/by-crane"
    await shell("auth", "login", shell.host, "-u", USER, "-p", PASSWORD)
    layer = ("--oci-empty-base", "-f", "layer.tar")
    pushed = await shell("append", "--insecure", *layer, "-t", f"{image}:1")
    await shell("copy", "--insecure", f"{image}:1", f"{image}:2")
    assert (await shell("ls", "--insecure", image)).split() == ["1", "2"]
    await shell("pull", "--insecure", "--format", "oci", f"{image}:2", "pulled")
    digest = pushed.strip().rpartition("@")[2]
    assert (shell.home / "pulled/blobs" / digest.replace(":", "/")).is_file()
    await shell("validate", "--insecure", "--remote", f"{image}:1")
    await shell("delete", "--insecure", f"{image}:2")
    assert await tags(house, "library/by-crane") == ["1"]


@of("oras")
async def test_oras_attaches_discovers_and_deletes(house: House, shell: Shell) -> None:
    artifact = f"{shell.host}/library/by-oras-go:1"
    plain = "--plain-http"
    await shell("login", plain, "-u", USER, "--password-stdin", shell.host, stdin=PASSWORD)
    await shell("push", plain, "--artifact-type", "application/x.file", artifact, "file.bin")
    await shell("attach", plain, "--artifact-type", "application/x.note", artifact, "layer.tar")
    found = json.loads(await shell("discover", plain, "--format", "json", artifact))
    assert [it["artifactType"] for it in found["referrers"]] == ["application/x.note"]
    await shell("pull", plain, "-o", "pulled", artifact)
    assert (shell.home / "pulled/file.bin").read_bytes() == CONTENT
    assert "library/by-oras-go" in (await shell("repo", "ls", plain, shell.host)).split()
    await shell("manifest", "delete", plain, "--force", artifact)
    assert await tags(house, "library/by-oras-go") == []


@of("regctl")
async def test_regctl_uploads_copies_and_deletes(house: House, shell: Shell) -> None:
    artifact = f"{shell.host}/library/by-regctl"
    await shell("registry", "set", "--skip-check", "--tls", "disabled", shell.host)
    await shell("registry", "login", "-u", USER, "--pass-stdin", shell.host, stdin=PASSWORD)
    kind = ("--artifact-type", "application/x.file")
    await shell("artifact", "put", *kind, "--file-title", "-f", "file.bin", f"{artifact}:1")
    await shell("image", "copy", f"{artifact}:1", f"{artifact}:2")
    assert (await shell("tag", "ls", artifact)).split() == ["1", "2"]
    (shell.home / "pulled").mkdir()
    await shell("artifact", "get", "-o", "pulled", f"{artifact}:2")
    assert (shell.home / "pulled/file.bin").read_bytes() == CONTENT
    await shell("tag", "rm", f"{artifact}:1")
    assert await tags(house, "library/by-regctl") == ["2"]


@of("helm")
async def test_helm_pushes_and_pulls_a_chart(house: House, shell: Shell) -> None:
    charts = f"oci://{shell.host}/library/charts"
    plain = "--plain-http"
    await shell("create", "app")
    await shell("package", "app")
    await shell("registry", "login", plain, "-u", USER, "-p", PASSWORD, shell.host)
    await shell("push", plain, "app-0.1.0.tgz", charts)
    (shell.home / "pulled").mkdir()
    await shell("pull", plain, f"{charts}/app", "--version", "0.1.0", "-d", "pulled")
    pushed, pulled = (shell.home / folder / "app-0.1.0.tgz" for folder in (".", "pulled"))
    assert pulled.read_bytes() == pushed.read_bytes()
    assert await tags(house, "library/charts/app") == ["0.1.0"]


@of("cosign")
async def test_cosign_signs_and_verifies(house: House, shell: Shell) -> None:
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [],
        }
    ).encode()
    image = await _pushed(house, "library/by-cosign", index)
    shell.variables = {"COSIGN_PASSWORD": "", "COSIGN_YES": "true"}
    await shell("generate-key-pair")
    await shell("login", shell.host, "-u", USER, "-p", PASSWORD)
    plain = "--allow-http-registry"
    await shell("sign", "--key", "cosign.key", plain, "--tlog-upload=false", image)
    offline = "--insecure-ignore-tlog=true"
    verified = await shell("verify", "--key", "cosign.pub", plain, offline, image)
    digest = image.rpartition("@")[2]
    assert json.loads(verified)[0]["critical"]["image"]["docker-manifest-digest"] == digest
    signature = digest.replace(":", "-") + ".sig"
    assert await tags(house, "library/by-cosign") == [signature]


@of("buildah")
async def test_buildah_builds_pushes_and_pulls(house: House, shell: Shell) -> None:
    (shell.home / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    folders = ("--root", str(shell.home / "root"), "--runroot", str(shell.home / "run"))
    store = (*folders, "--storage-driver", "vfs")
    credentials = ("--creds", f"{USER}:{PASSWORD}")
    remote = ("--signature-policy", "policy.json", "--tls-verify=false", *credentials)
    image = f"{shell.host}/library/by-buildah:1"
    container = (await shell(*store, "from", "scratch")).strip()
    await shell(*store, "copy", container, "file.bin", "/")
    built = (await shell(*store, "commit", container, "built")).strip()
    await shell(*store, "push", *remote, "built", f"docker://{image}")
    await shell(*store, "rm", container)
    await shell(*store, "rmi", "--all", "--force")
    assert (await shell(*store, "pull", *remote, image)).strip() == built
    assert await tags(house, "library/by-buildah") == ["1"]


async def _pushed(house: House, repository: str, body: bytes) -> str:
    """Push a manifest without a tag; return its address."""
    async with Transport() as transport:
        ours = _ours(house, transport)
        manifest = RawManifest(
            media_type="application/vnd.oci.image.index.v1+json", digest=Digest.of(body), body=body
        )
        await ours.repository(repository, writes=True).write_manifest(manifest)
    return f"{house.url.removeprefix('http://')}/{repository}@{Digest.of(body)}"


COPIES = {
    "crane": ("copy", "--insecure", "{host}/{a}", "{host}/{b}"),
    "oras": ("cp", "--from-plain-http", "--to-plain-http", "{host}/{a}", "{host}/{b}"),
    "regctl": ("image", "copy", "{host}/{a}", "{host}/{b}"),
    "skopeo": (
        *("--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"),
        *("docker://{host}/{a}", "docker://{host}/{b}"),
    ),
}


async def _logged_in(shell: Shell, name: str) -> None:
    host, pair = shell.host, ("-u", USER, "-p", PASSWORD)
    match name:
        case "regctl":
            await shell("registry", "set", "--skip-check", "--tls", "disabled", host)
            await shell("registry", "login", "-u", USER, "--pass-stdin", host, stdin=PASSWORD)
        case "crane":
            await shell("auth", "login", host, *pair)
        case "skopeo":
            shell.variables = {"REGISTRY_AUTH_FILE": str(shell.home / "auth.json")}
            await shell("login", "--tls-verify=false", *pair, host)
        case _:
            plain = ("--plain-http", "-u", USER, "--password-stdin")
            await shell("login", *plain, host, stdin=PASSWORD)


@pytest.mark.parametrize(("shell", "name"), [(name, name) for name in COPIES], indirect=["shell"])
async def test_a_client_prints_why_an_immutable_tag_stays(
    house: House, shell: Shell, name: str
) -> None:
    repository = f"library/kept-from-{name}"
    first, second = [await _image(house, repository, tag) for tag in ("v1", "other")]
    rules = ("project", "immutable")
    only = ("--tags", "v*", "--repositories", f"kept-from-{name}")
    rule = json.loads(await _told(house, *rules, "add", "library", *only, "--json"))["id"]
    await _logged_in(shell, name)

    async def push(tag: str) -> tuple[int | None, str]:
        fill = {"host": shell.host, "a": f"{repository}:{tag}", "b": f"{repository}:v1"}
        code, said, complaints = await shell.ended(*(word.format(**fill) for word in COPIES[name]))
        return code, said + complaints

    code, told = await push("other")
    assert code != 0
    assert f"tag v1 is immutable by rule {rule} (tags matching v* in repositories" in told
    assert "push under another tag" in told
    assert (await push("v1"))[0] == 0
    assert f"kept-from-{name}" in await _told(house, *rules, "list", "library")
    await _told(house, *rules, "disable", "library", str(rule))
    assert (await push("other"))[0] == 0
    assert await _digest(house, repository, "v1") == second != first
    await _told(house, *rules, "enable", "library", str(rule))
    assert (await push("other"))[0] == 0
    await _told(house, *rules, "remove", "library", str(rule))
    assert json.loads(await _told(house, *rules, "list", "library", "--json")) == []


async def _told(house: House, *words: str) -> str:
    """Run a command of ours; return what it printed."""
    ended = await asyncio.to_thread(house.run, *words)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


async def _image(house: House, repository: str, tag: str) -> Digest:
    """Push a small image under a tag, which is all that tells it from others."""
    image = artifacts.image(artifacts.blob(tag.encode()), label=tag)
    async with Transport() as transport:
        there = _ours(house, transport).repository(repository, writes=True)
        await artifacts.put_image(there, image, tag=tag)
    return image.manifest.digest


async def _digest(house: House, repository: str, tag: str) -> Digest:
    async with Transport() as transport:
        return (await _ours(house, transport).repository(repository).resolve(tag)).digest


def _ours(house: House, transport: Transport) -> RegistryClient:
    credential = Credential(username=USER, password=PASSWORD)
    return RegistryClient(transport, url=house.url, credential=credential)
