"""The certificate that the API serves with, over real sockets."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from aiohttp import web

from jobservice.errors import CertificateUnusable
from jobservice.health import Unhealthy
from jobservice.probing import Probes
from jobservice.tls import ServerTls
from tests.fakes import certificates
from tests.fakes.certificates import Pair

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True)
class Served:
    """A server whose certificate lies in the files of `pair`."""

    tls: ServerTls
    pair: Pair
    port: int

    async def connect(
        self, context: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context or believing())

    async def certificate(self) -> bytes | None:
        """Return what a new connection is shown."""
        _, writer = await self.connect()
        shown: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
        return shown

    def replace(self, other: Pair) -> None:
        """Put other files in the place of those that are served with, as a renewal does."""
        for new, old in ((other.certificate, self.pair.certificate), (other.key, self.pair.key)):
            copy = new.with_suffix(".copy")
            shutil.copy(new, copy)
            copy.rename(old)


def believing() -> ssl.SSLContext:
    """Believe everything: what is shown is what the tests compare."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def encoded(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=request.scheme)

    pair = certificates.make(tmp_path, "localhost")
    tls = ServerTls(pair.certificate, pair.key)
    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls.context).start()
    yield Served(tls=tls, pair=pair, port=runner.addresses[0][1])
    await runner.cleanup()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(len("https"))


async def test_a_client_that_verifies_is_served(served: Served) -> None:
    context = ssl.create_default_context(cafile=str(served.pair.certificate))
    reader, writer = await served.connect(context)
    assert await ask(reader, writer) == b"https"
    writer.close()


async def test_a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on(
    served: Served, tmp_path: Path
) -> None:
    before = encoded(served.pair)
    reader, writer = await served.connect()
    assert await ask(reader, writer) == b"https"
    served.replace(new := certificates.make(tmp_path, stem="new"))
    await served.tls.look()
    assert await served.certificate() == before, "what is just being written is left alone"
    await served.tls.look()
    assert await served.certificate() == encoded(new)
    assert await ask(reader, writer) == b"https"
    writer.close()


async def test_who_asks_for_it_gets_the_new_certificate_at_once(
    served: Served, tmp_path: Path
) -> None:
    served.replace(new := certificates.make(tmp_path, stem="new"))
    served.tls.forget()
    await served.tls.look()
    assert await served.certificate() == encoded(new)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("key of another", "the key does not belong to the certificate"),
        ("encrypted", "the key is encrypted"),
        ("expired", "the certificate expired at"),
        ("gone", "a file cannot be read: No such file"),
    ],
)
async def test_what_cannot_be_used_changes_nothing_and_is_told_until_it_can(
    served: Served, tmp_path: Path, wrong: str, reason: str
) -> None:
    probes = Probes(database=None, queue=None, local_registry=None, server_tls=served.tls)  # type: ignore[arg-type]  # only TLS is probed
    before = encoded(served.pair)
    await probes.tls()
    spoil(served, tmp_path, wrong)
    for _ in range(2):
        await served.tls.look()
    assert await served.certificate() == before
    assert served.tls.is_refusing
    with pytest.raises(Unhealthy, match=f"the one before is: {reason}"):
        await probes.tls()
    served.replace(good := certificates.make(tmp_path, stem="good"))
    for _ in range(2):
        await served.tls.look()
    assert await served.certificate() == encoded(good)
    await probes.tls()


def spoil(served: Served, folder: Path, how: str) -> None:
    other = certificates.make(folder, stem="other")
    match how:
        case "key of another":
            shutil.copy(other.key, served.pair.key)
        case "encrypted":
            served.replace(certificates.make(folder, stem="locked", passphrase="secret"))
        case "expired":
            old = timedelta(days=-2), timedelta(days=-1)
            served.replace(certificates.make(folder, stem="old", begins_in=old[0], ends_in=old[1]))
        case _:
            served.pair.key.unlink()


def test_a_start_with_files_that_cannot_be_used_names_them(tmp_path: Path) -> None:
    pair = certificates.make(tmp_path, passphrase="secret")
    with pytest.raises(CertificateUnusable, match=r"made\.pem .*made-key\.pem: the key is encrypt"):
        ServerTls(pair.certificate, pair.key)
    with pytest.raises(CertificateUnusable, match="No such file"):
        ServerTls(pair.certificate, tmp_path / "nothing")


async def test_a_certificate_that_ends_while_it_is_in_use_is_told_before_and_after(
    tmp_path: Path,
) -> None:
    clock = [datetime.now(UTC)]
    pair = certificates.make(tmp_path, ends_in=timedelta(days=29))
    tls = ServerTls(pair.certificate, pair.key, clock=lambda: clock[0])
    with structlog.testing.capture_logs() as told:
        await tls.look()
        assert told == []
        clock[0] += timedelta(days=27)
        for _ in range(2):
            await tls.look()
    assert [line["event"] for line in told] == ["certificate_ends_soon"]
    assert tls.problem == ""
    clock[0] += timedelta(days=2)
    assert tls.problem == "the TLS certificate has expired"


async def test_tls_begins_at_1_2_and_speaks_http_1_1(served: Served) -> None:
    modern = believing()
    modern.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await served.connect(modern)
    spoken = writer.get_extra_info("ssl_object")
    assert (spoken.version(), spoken.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
    writer.close()
    old = believing()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await served.connect(old)


async def test_who_speaks_no_tls_is_hung_up_on_and_others_are_served(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(REQUEST)
    assert b"HTTP/1" not in await reader.read()
    writer.close()
    assert await served.certificate() == encoded(served.pair)
