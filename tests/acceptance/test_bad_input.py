"""Wrong input is refused at the earliest point, with one clear sentence and nothing half done."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.acceptance import house as acceptance
from tests.acceptance.house import Api, House
from tests.fakes.registry.authentication import Door
from tests.fakes.registry.server import FakeRegistry


def closed_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@asynccontextmanager
async def self_signed(folder: Path) -> AsyncIterator[str]:
    """Serve TLS with a certificate that nobody trusts; yield its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "server.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


async def refused_endpoint(api: Api, url: str, **fields: object) -> str:
    """Try to make an endpoint; nothing is made, and the refusal's sentence is returned."""
    body = {"name": "unwanted", "type": "docker-registry", "url": url, **fields}
    answer = await api.post("/registries", body)
    assert answer.status == 400, (answer.status, answer.body)
    assert await api.get("/registries?q=name%3Dunwanted") == []
    return answer.message


class TestEndpoints:
    async def test_an_unknown_host(self, api: Api) -> None:
        told = await refused_endpoint(api, "https://no-such-host.invalid")
        assert "no-such-host.invalid" in told

    async def test_a_refused_connection(self, api: Api) -> None:
        url = f"http://127.0.0.1:{closed_port()}"
        told = await refused_endpoint(api, url)
        assert url in told
        assert "refused" in told.lower()

    async def test_a_certificate_that_nobody_trusts(self, api: Api, tmp_path: Path) -> None:
        async with self_signed(tmp_path) as url:
            told = await refused_endpoint(api, url)
        assert "certificate" in told.lower()

    async def test_tls_spoken_to_a_plain_server(self, api: Api) -> None:
        async with FakeRegistry() as registry:
            told = await refused_endpoint(api, registry.url.replace("http:", "https:"))
        assert "tls" in told.lower() or "ssl" in told.lower()

    async def test_a_wrong_password(self, api: Api) -> None:
        door = Door(scheme="basic", username="reader", password="right", guards_ping=True)
        credential = {"type": "basic", "access_key": "reader", "access_secret": "wrong-s3cret"}
        async with FakeRegistry(door=door) as registry:
            told = await refused_endpoint(api, registry.url, credential=credential)
        assert "wrong-s3cret" not in told
        assert registry.url in told

    async def test_an_address_the_guard_refuses(self, api: Api) -> None:
        told = await refused_endpoint(api, "http://169.254.169.254")
        assert "169.254.169.254" in told

    async def test_an_unknown_kind(self, api: Api) -> None:
        told = await refused_endpoint(api, "http://127.0.0.1", type="floppy-disk")
        assert "floppy-disk" in told

    async def test_this_registry_itself_cannot_be_made(self, api: Api) -> None:
        await refused_endpoint(api, "http://127.0.0.1", type="local")

    async def test_a_layout_outside_the_roots(self, api: Api) -> None:
        told = await refused_endpoint(api, "oci:///etc", type="oci-layout")
        assert "TRANSSHIP_LAYOUT_ROOTS" in told

    async def test_a_layout_behind_a_link(self, api: Api, house: House) -> None:
        link = house.folder / "layouts" / "elsewhere"
        link.symlink_to("/etc")
        try:
            told = await refused_endpoint(api, f"oci://{link}", type="oci-layout")
        finally:
            link.unlink()
        assert "link" in told

    async def test_missing_fields_are_all_named(self, api: Api) -> None:
        answer = await api.post("/registries", {"type": "docker-registry"})
        assert answer.status == 400
        assert "name" in answer.message
        assert "url" in answer.message


class TestPolicies:
    async def test_both_ends_local(self, api: Api) -> None:
        answer = await api.post("/replication/policies", acceptance.policy("both-local"))
        assert answer.status == 400
        assert "registry" in answer.message.lower()

    async def test_a_bad_pattern_says_where(self, api: Api) -> None:
        async with FakeRegistry() as registry:
            source = await api.endpoint("bad-pattern", registry)
            for pattern in ("demo/[a", "demo/{a", "demo/[]"):
                body = acceptance.policy(
                    "bad-pattern", source=source, filters=acceptance.names(pattern)
                )
                answer = await api.post("/replication/policies", body)
                assert answer.status == 400, pattern
                assert pattern in answer.message

    async def test_missing_fields_are_all_named(self, api: Api) -> None:
        answer = await api.post("/replication/policies", {"trigger": {"type": "manual"}})
        assert answer.status == 400
        assert "name" in answer.message

    async def test_an_endpoint_that_is_not_there(self, api: Api) -> None:
        body = acceptance.policy("no-end", source=987_654)
        answer = await api.post("/replication/policies", body)
        assert answer.status in {400, 404}
        assert "987654" in answer.message

    async def test_unknown_fields_of_harbor_are_ignored_and_named(self, api: Api) -> None:
        async with FakeRegistry() as registry:
            source = await api.endpoint("unknown-fields", registry)
            body = acceptance.policy("unknown-fields", source=source, colour="blue")
            answer = await api.post("/replication/policies", body)
        assert answer.status == 201
        assert "colour" in answer.headers["Warning"]

    async def test_unknown_fields_of_ours_are_refused(self, api: Api) -> None:
        async with FakeRegistry() as registry:
            source = await api.endpoint("own-fields", registry)
            wrong = {"referrers": True, "colour": "blue"}
            body = acceptance.policy("own-fields", source=source, transship=wrong)
            answer = await api.post("/replication/policies", body)
        assert answer.status == 400
        assert "colour" in answer.message

    async def test_a_policy_does_not_follow_the_events_of_another_registry(self, api: Api) -> None:
        async with FakeRegistry() as registry:
            source = await api.endpoint("elsewhere", registry)
            trigger = {"type": "event_based"}
            body = acceptance.policy("elsewhere", source=source, trigger=trigger)
            answer = await api.post("/replication/policies", body)
        assert answer.status == 400
        assert "event_based" in answer.message

    async def test_a_policy_that_is_not_there_cannot_be_started(self, api: Api) -> None:
        answer = await api.post("/replication/executions", {"policy_id": 987_654})
        assert answer.status == 404

    async def test_no_json_at_all(self, api: Api) -> None:
        answer = await api.call("POST", "/replication/policies", None)
        assert answer.status == 400


class TestRuns:
    async def test_a_filter_that_matches_nothing_says_so(self, api: Api) -> None:
        async with FakeRegistry() as registry:
            registry.repository("library/app").put_image("1.0")
            source = await api.endpoint("no-match", registry)
            policy = await api.policy(
                "no-match", source=source, filters=acceptance.names("libary/**")
            )
            ended = await api.ended(await api.start(policy))
        assert "0 of 1" in ended["status_text"], ended

    async def test_a_repository_too_shallow_fails_alone(self, api: Api) -> None:
        async with FakeRegistry() as registry:
            registry.repository("shallow").put_image("1.0")
            registry.repository("deep/er/app").put_image("1.0")
            source = await api.endpoint("shallow", registry)
            policy = await api.policy(
                "shallow",
                source=source,
                dest_namespace="shallow",
                dest_namespace_replace_count=2,
            )
            execution = await api.start(policy)
            ended = await api.ended(execution)
            tasks = {t["src_resource"].split(" ")[0]: t for t in await api.tasks(execution)}
        assert ended["status"] == "Failed", ended
        assert tasks["deep/er/app"]["status"] == "Succeed"
        assert tasks["shallow"]["status"] == "Failed"


class TestCommandLine:
    @pytest.mark.parametrize(
        ("source", "code", "told"),
        [
            ("docker://127.0.0.1:{closed}/a/b:1", 3, "refused"),
            ("no-such-host.invalid/a/b:1", 3, "no-such-host.invalid"),
            ("ftp://x/a:1", 2, "ftp"),
            ("127.0.0.1:{closed}/UPPER:1", 2, "UPPER"),
            ("oci:/does/not/exist:1", 5, "/does/not/exist"),
        ],
    )
    def test_copy_ends_with_a_sentence_and_a_code(
        self, house: House, source: str, code: int, told: str
    ) -> None:
        target = house.folder / "never"
        ended = house.run("copy", source.format(closed=closed_port()), f"oci:{target}")
        assert (ended.returncode, "Traceback" in ended.stderr) == (code, False), ended.stderr
        assert told in ended.stderr
        assert not target.exists()

    def test_a_wrong_password_for_the_server(self, house: House) -> None:
        wrong = {"TRANSSHIP_PASSWORD": "wr0ng-secret"}
        ended = house.run("remote", "list", variables=wrong)
        assert ended.returncode == 4
        assert "wr0ng-secret" not in ended.stderr
        assert house.url in ended.stderr
