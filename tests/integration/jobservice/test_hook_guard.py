"""Where hooks may not lead: refused when they are saved, and again at every connection."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from database.pool import Database
from database.sealing import Keyring, generate_key
from jobservice.domain.hook_delivery import DeliveryStatus
from jobservice.errors import InvalidRequest
from jobservice.hook_secrets import HookSecrets
from jobservice.hook_targets import WantedTarget
from jobservice.hooks import Hooks, Wanted
from protocol.guard import Guard
from protocol.transport import Transport
from tests.fakes.receiver import Receiver
from tests.integration.jobservice.conftest import Jobs
from tests.integration.jobservice.hook_house import House

SECRETS = HookSecrets(Keyring([generate_key()]))
EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))
OURS = frozenset({("localhost", 6379), ("10.1.2.3", 5432), ("db.example", 5432)})


def led_to(address: str) -> Wanted:
    target = WantedTarget(kind="http", address=address)
    return Wanted(name="ops", event_types=["EXECUTION"], enabled=True, targets=[target])


async def refused(database: Database, guard: Guard, address: str) -> str:
    """Return why a hook to an address is not saved."""
    async with Transport(outbound=guard) as transport:
        hooks = Hooks(database=database, secrets=SECRETS, transport=transport)
        with pytest.raises(InvalidRequest) as refusal:
            await hooks.create(led_to(address), creator="admin")
    (problem,) = refusal.value.problems
    return problem


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://127.0.0.1:8080/", "127.0.0.1 is a loopback address"),
        ("http://[::1]:8080/", "::1 is a loopback address"),
        ("http://localhost:8080/", "localhost is a loopback address"),
        ("http://api.localhost/", "api.localhost is a loopback address"),
        ("http://localhost./", "localhost. is a loopback address"),
        ("http://127.0.0.1./", "127.0.0.1 is a loopback address"),
        ("http://0x7f000001/", "loopback address"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is a link-local or metadata"),
    ],
)
async def test_loopback_and_metadata_are_refused(
    database: Database, address: str, why: str
) -> None:
    problem = await refused(database, Guard(), address)
    assert problem.startswith("targets[0].address: hooks may not go there: ")
    assert why in problem


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:6379/",
        "http://localhost:6379/",
        "http://10.1.2.3:5432/",
        "http://[::ffff:10.1.2.3]:5432/",
        "http://db.example:5432/",
    ],
)
async def test_our_own_servers_are_refused_whatever_is_opened(
    database: Database, address: str
) -> None:
    guard = Guard(forbidden=OURS, opened=EVERYTHING)
    assert "belongs to this installation" in await refused(database, guard, address)


async def test_a_name_of_this_machine_is_no_way_to_our_own_servers(database: Database) -> None:
    name = socket.gethostname()
    try:
        socket.gethostbyname(name)
    except OSError:
        pytest.skip(f"{name} does not resolve here")
    guard = Guard(forbidden=OURS, opened=EVERYTHING)
    problem = await refused(database, guard, f"http://{name}:6379/")
    assert f"{name} leads to " in problem
    assert "belongs to this installation" in problem


@pytest.mark.parametrize("address", ["http://169.254.169.254/", "http://224.0.0.1/"])
async def test_what_may_never_be_reached_is_not_opened(database: Database, address: str) -> None:
    await refused(database, Guard(opened=EVERYTHING), address)


async def test_a_private_network_is_reached_by_default(database: Database) -> None:
    async with Transport() as transport:
        hooks = Hooks(database=database, secrets=SECRETS, transport=transport)
        assert await hooks.create(led_to("https://10.9.8.7/hook"), creator="admin")


async def test_an_opened_network_opens_nothing_beside_it(database: Database) -> None:
    guard = Guard(opened=(ip_network("127.0.0.8/29"),))
    assert "loopback" in await refused(database, guard, "http://127.0.0.1/")
    assert "loopback" in await refused(database, guard, "http://localhost/")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as opened:
        yield opened


async def test_what_was_saved_is_looked_at_again_when_it_is_sent(
    dsn: str, valkey_url: str, database: Database, jobs_at: Jobs, receiver: Receiver
) -> None:
    """As with a name that resolved to something harmless when the hook was saved."""
    async with Transport(outbound=Guard(opened=EVERYTHING)) as lenient:
        saving = Hooks(database=database, secrets=SECRETS, transport=lenient)
        hook_id = await saving.create(led_to(receiver.url), creator="admin")
    async with Transport() as strict:
        hooks = Hooks(database=database, secrets=SECRETS, transport=strict)
        house = House(dsn=dsn, redis_dsn=valkey_url, hooks=hooks, jobs=jobs_at)
        async with house.working():
            await house.jobs.start([{}])
            delivery = await house.settled(hook_id)
    assert delivery.status is DeliveryStatus.FAILED
    assert delivery.error is not None
    assert delivery.error.kind == "Refused"
    assert "is a loopback address" in delivery.error.message
    assert receiver.tries == 0


async def test_a_redirect_leads_nowhere(
    dsn: str, valkey_url: str, database: Database, jobs_at: Jobs, receiver: Receiver
) -> None:
    async with Receiver() as elsewhere, Transport(outbound=Guard(opened=EVERYTHING)) as transport:
        receiver.answers, receiver.answer_headers = 307, {"Location": elsewhere.url}
        hooks = Hooks(database=database, secrets=SECRETS, transport=transport)
        house = House(dsn=dsn, redis_dsn=valkey_url, hooks=hooks, jobs=jobs_at)
        hook_id = await hooks.create(led_to(receiver.url), creator="admin")
        async with house.working():
            await hooks.try_out(hook_id, by="admin")
            delivery = await house.settled(hook_id)
        assert delivery.error is not None
        assert delivery.error.kind == "Redirected"
        assert elsewhere.tries == 0
