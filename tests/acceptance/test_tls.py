"""`transship up` with a certificate, as a user meets it."""

from __future__ import annotations

import shutil
import signal
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from adapters import oci_layout
from jobservice.demo import artifacts, content
from tests.acceptance import running
from tests.contract import places
from tests.fakes import certificates
from tests.fakes.certificates import Pair


@pytest.fixture
def pair(short_folder: Path) -> Pair:
    return certificates.make(short_folder, "localhost")


def options(pair: Pair) -> tuple[str, ...]:
    return ("--tls-cert", str(pair.certificate), "--tls-key", str(pair.key))


def shown(up: running.Up) -> str:
    """The certificate that a new connection gets."""
    return ssl.get_server_certificate(("127.0.0.1", int(up.url.rpartition(":")[2])))


def test_up_serves_tls_to_commands_and_takes_a_renewed_certificate_on_a_signal(
    short_folder: Path, pair: Pair
) -> None:
    with running.up(short_folder / "data", "--workers", "0", *options(pair)) as up:
        assert up.url.startswith("https://127.0.0.1:")
        trusting = {"SSL_CERT_FILE": str(pair.certificate)}
        made = up.command("project", "create", "over-tls", check=False)
        assert made.returncode != 0, "nobody knows the CA"
        up.command("project", "create", "over-tls", variables=trusting)
        assert shown(up) == pair.certificate.read_text()
        new = certificates.make(short_folder, "localhost", stem="new")
        shutil.copy(new.certificate, pair.certificate)
        shutil.copy(new.key, pair.key)
        up.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + running.DEADLINE_SECONDS
        while shown(up) != new.certificate.read_text():
            assert time.monotonic() < deadline, "the new certificate was not taken up"
        up.command("project", "list", variables=trusting)


def test_a_certificate_that_cannot_be_served_with_ends_up_before_anything_starts(
    short_folder: Path,
) -> None:
    locked = certificates.make(short_folder, passphrase="secret")
    data = short_folder / "data"
    refused = subprocess.run(
        running.transship("up", "--data", str(data), "--listen", "127.0.0.1:0", *options(locked)),
        env=running.surroundings(),
        capture_output=True,
        text=True,
        check=False,
        timeout=running.DEADLINE_SECONDS,
    )
    assert refused.returncode == 1
    assert "the key is encrypted" in refused.stderr
    assert not data.exists()


async def test_skopeo_pushes_and_pulls_with_the_private_ca_in_its_certs_folder(
    short_folder: Path, pair: Pair
) -> None:
    copy = (places.needs_program("skopeo"), "--insecure-policy", "copy", "--quiet", "--all")
    index = artifacts.build("library")[0]
    await content.push(index, oci_layout.open_directory(short_folder / "pushed"))
    trust = short_folder / "certs"
    trust.mkdir()
    shutil.copy(pair.certificate, trust / "ca.crt")
    with running.up(short_folder / "data", "--workers", "0", *options(pair)) as up:
        there = f"docker://{up.url.removeprefix('https://')}/library/app:1.0"
        login = f"admin:{up.password}"
        pushed, pulled = (f"oci:{short_folder}/{name}:1.0" for name in ("pushed", "pulled"))
        run(*copy, f"--dest-cert-dir={trust}", f"--dest-creds={login}", pushed, there)
        run(*copy, f"--src-cert-dir={trust}", f"--src-creds={login}", there, pulled)
    arrived = oci_layout.open_directory(short_folder / "pulled")
    assert (await arrived.read_manifest("1.0")).body == index.root.body


def run(*command: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=running.DEADLINE_SECONDS
    )
    assert done.returncode == 0, done.stderr
