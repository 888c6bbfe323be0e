"""Behind nginx, with the configuration that docs/tls.md gives: a large image, pushed and pulled."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from protocol import media_types
from protocol.digest import Digest
from tests.acceptance import running
from tests.contract import places
from tests.fakes import certificates
from tests.fakes.certificates import Pair

PAGE = Path(__file__).parents[2] / "docs/tls.md"
BLOCK = re.compile(r"```nginx\n(.*?)```", re.DOTALL)
# What nginx would write elsewhere; started by root, its workers read what root alone may.
AROUND = """
user root;
pid "{folder}/pid";
error_log "{folder}/error.log" warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path "{folder}/body";
    proxy_temp_path "{folder}/proxy";
    fastcgi_temp_path "{folder}/fastcgi";
    uwsgi_temp_path "{folder}/uwsgi";
    scgi_temp_path "{folder}/scgi";
    {server}
}}
"""
LAYER_MEBIBYTES = 200
CLIENT = "127.0.0.2"  # a client whose address is not the proxy's
SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxied:
    """An installation behind nginx, at `host`, and what nginx wrote beneath `folder`."""

    up: running.Up
    pair: Pair
    host: str
    folder: Path

    @property
    def login(self) -> str:
        return f"admin:{self.up.password}"

    def ask(self, method: str, path: str, body: bytes = b"") -> http.client.HTTPResponse:
        """Ask through nginx; the answer's body is read."""
        context = ssl.create_default_context(cafile=str(self.pair.certificate))
        name, _, port = self.host.partition(":")
        connection = http.client.HTTPSConnection(
            name, int(port), context=context, timeout=SECONDS, source_address=(CLIENT, 0)
        )
        login = b64encode(self.login.encode()).decode()
        headers = {
            "Authorization": f"Basic {login}",
            "Content-Type": "application/json",
            "X-Forwarded-For": "192.0.2.66",  # what a client writes here has no effect
        }
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def configuration(folder: Path, pair: Pair, port: int, upstream: str) -> str:
    """Return the page's server, with the addresses and files of here."""
    found = BLOCK.search(PAGE.read_text())
    assert found is not None
    server = found[1]
    for there, here in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/nginx/chain.pem", f'"{pair.certificate}"'),
        ("/etc/nginx/key.pem", f'"{pair.key}"'),
        ("http://127.0.0.1:8080", upstream),
    ):
        assert server.count(there) == 1, there
        server = server.replace(there, here)
    return AROUND.format(folder=folder, server=server)


@contextmanager
def nginx(folder: Path, pair: Pair, port: int, upstream: str) -> Iterator[None]:
    """Run nginx in front of an address."""
    program = places.needs_program("nginx")
    file = folder / "nginx.conf"
    file.write_text(configuration(folder, pair, port, upstream))
    command = (program, "-e", str(folder / "error.log"), "-c", str(file))
    run(*command)  # it goes into the background once it listens
    try:
        yield
    finally:
        run(*command, "-s", "stop")


@pytest.fixture
def proxied(short_folder: Path) -> Iterator[Proxied]:
    places.needs_program("nginx")
    pair, port = certificates.make(short_folder, "localhost"), free_port()
    host = f"localhost:{port}"
    behind = {
        "TRANSSHIP_EXTERNAL_URL": f"https://{host}",
        "TRANSSHIP_TRUSTED_PROXIES": "127.0.0.1/32",
    }
    folder = short_folder / "nginx"
    folder.mkdir()
    with (
        running.up(short_folder / "data", "--workers", "0", variables=behind) as up,
        nginx(folder, pair, port, up.url),
    ):
        yield Proxied(up=up, pair=pair, host=host, folder=folder)


def layout(folder: Path) -> str:
    """Write an image with one large layer; return its manifest's digest."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    hashed, piece = hashlib.sha256(), folder / "layer"
    with piece.open("wb") as file:
        for _ in range(LAYER_MEBIBYTES):
            chunk = os.urandom(2**20)
            hashed.update(chunk)
            file.write(chunk)
    piece.rename(blobs / hashed.hexdigest())

    def put(content: bytes, media_type: str) -> dict[str, object]:
        digest = Digest.of(content)
        (blobs / digest.encoded).write_bytes(content)
        return {"mediaType": media_type, "digest": str(digest), "size": len(content)}

    layer = {
        "mediaType": media_types.OCI_LAYER_GZIP,
        "digest": f"sha256:{hashed.hexdigest()}",
        "size": LAYER_MEBIBYTES * 2**20,
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": put(b"{}", media_types.OCI_CONFIG),
        "layers": [layer],
    }
    entry = put(json.dumps(manifest).encode(), media_types.OCI_MANIFEST)
    named = entry | {"annotations": {"org.opencontainers.image.ref.name": "1"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return str(entry["digest"])


def run(*command: str, **variables: str) -> None:
    done = subprocess.run(
        command,
        env=running.surroundings() | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr


def test_skopeo_pushes_and_pulls_a_large_layer_through_nginx_which_keeps_nothing_of_it(
    proxied: Proxied, short_folder: Path
) -> None:
    copy = (places.needs_program("skopeo"), "--insecure-policy", "copy", "--preserve-digests")
    digest = layout(short_folder / "pushed")
    trust = short_folder / "certs"
    trust.mkdir()
    shutil.copy(proxied.pair.certificate, trust / "ca.crt")
    there = f"docker://{proxied.host}/library/large:1"
    ends = f"oci:{short_folder}/pushed:1", f"oci:{short_folder}/pulled:1"
    run(*copy, f"--dest-cert-dir={trust}", f"--dest-creds={proxied.login}", ends[0], there)
    run(*copy, f"--src-cert-dir={trust}", f"--src-creds={proxied.login}", there, ends[1])
    assert sorted(blob.name for blob in (short_folder / "pulled/blobs/sha256").iterdir()) == sorted(
        blob.name for blob in (short_folder / "pushed/blobs/sha256").iterdir()
    )
    assert proxied.ask("HEAD", f"/v2/library/large/manifests/{digest}").status == 200
    assert "buffered to a temporary file" not in (proxied.folder / "error.log").read_text()


def test_crane_pushes_and_pulls_a_large_layer_through_nginx(
    proxied: Proxied, short_folder: Path
) -> None:
    crane = places.may_use_program("crane")
    digest = layout(short_folder / "pushed")
    home = {"HOME": str(short_folder), "SSL_CERT_FILE": str(proxied.pair.certificate)}
    there = f"{proxied.host}/library/large:1"
    user, _, password = proxied.login.partition(":")
    run(crane, "auth", "login", proxied.host, "-u", user, "-p", password, **home)
    run(crane, "push", str(short_folder / "pushed"), there, **home)
    run(crane, "pull", "--format", "oci", there, str(short_folder / "pulled"), **home)
    assert (short_folder / "pulled/blobs/sha256" / digest.partition(":")[2]).is_file()


def test_addresses_are_those_of_the_proxy_and_the_audit_log_knows_the_client(
    proxied: Proxied,
) -> None:
    opened = proxied.ask("POST", "/v2/library/app/blobs/uploads/")
    assert opened.status == 202
    assert opened.headers["Location"].startswith("/v2/library/app/blobs/uploads/")
    made = proxied.ask("POST", "/api/v2.0/projects", b'{"project_name": "behind"}')
    assert made.status == 201
    assert made.headers["Location"].startswith(("/api/v2.0/projects/", f"https://{proxied.host}/"))
    (entry,) = json.loads(proxied.up.command("audit", "list", "--type", "project", "--json").stdout)
    assert entry["transship"]["client_address"] == CLIENT
