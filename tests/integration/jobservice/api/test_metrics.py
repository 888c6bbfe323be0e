"""`/metrics`: who may read it, and that it tells what workers did."""

from __future__ import annotations

from pathlib import Path

from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from access import users
from access.authentication import Authenticator
from database.pool import Database
from jobservice.api import metering
from jobservice.coordination import Rate, RateLimits
from jobservice.domain import metric
from jobservice.metrics import Metrics
from registry.collection import reviewing, sweeping
from registry.collection.reviewing import Scope
from registry.http import routes
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.integration.jobservice.api.caller import Caller
from tests.integration.jobservice.api.conftest import METRICS_TOKEN
from tests.integration.jobservice.conftest import Jobs, Worker
from tests.integration.registry import steps

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def at(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


async def told(database: Database) -> Samples:
    return read((await Metrics(database).text()).decode())


async def test_only_administrators_and_the_token_read_metrics(
    client: TestClient[web.Request, web.Application],
    admin: Caller,
    nobody: Caller,
    stranger: Caller,
) -> None:
    assert (await admin.get("//metrics")).status == 200
    assert (await nobody.get("//metrics")).status == 403
    assert (await stranger.get("//metrics")).status == 401
    bearer = Caller(client, f"Bearer {METRICS_TOKEN}")
    assert (await bearer.get("//metrics")).status == 200
    assert (await bearer.get("/registries")).status == 401
    assert (await Caller(client, "Bearer wrong").get("//metrics")).status == 401
    assert (await Caller(client, "Bearer ").get("//metrics")).status == 401


async def test_every_metric_is_told(worker: Worker, jobs_at: Jobs, admin: Caller) -> None:
    async with worker():
        await jobs_at.ended(await jobs_at.start([{}, {"do": "fail"}]))
        answer = await admin.get("//metrics")
    await admin.get("/registries")
    text = (await admin.get("//metrics")).text + answer.text
    of_tls = {metric.CERTIFICATE_END, metric.CERTIFICATE_REFUSED}  # told where TLS is served
    untold = [one for one in metric.METRICS if f"# HELP {one.name} " not in text]
    assert set(untold) == of_tls
    assert "process_resident_memory_bytes" in text


async def test_what_workers_did_is_counted_once(
    database: Database, worker: Worker, jobs_at: Jobs
) -> None:
    async with worker():
        await jobs_at.ended(await jobs_at.start([{}, {}, {"do": "fail"}, {"do": "flaky"}]))
        during = await told(database)
    after = await told(database)
    for found in (during, after):
        name = "transship_task_tries_total"
        assert at(found, name, job_type="act", outcome="succeeded") == 3
        assert at(found, name, job_type="act", outcome="failed") == 1
        assert at(found, name, job_type="act", outcome="retrying") == 1
        count = "transship_task_duration_seconds_count"
        assert at(found, count, job_type="act", outcome="succeeded") == 3
        assert at(found, "transship_leader_changes_total") == 1
    assert at(during, "transship_workers") == 1
    assert at(during, "transship_worker_slots", queue="transfer") == 4
    assert at(after, "transship_workers") == 0


async def test_counters_of_workers_that_left_are_folded_together(
    database: Database, worker: Worker, jobs_at: Jobs
) -> None:
    for _ in range(2):
        async with worker():
            await jobs_at.ended(await jobs_at.start([{}]))
    assert await jobs_at.one("SELECT max(worker_id) FROM jobservice.counters") == 0
    found = await told(database)
    assert at(found, "transship_task_tries_total", job_type="act", outcome="succeeded") == 2


async def test_what_waits_is_told_by_job_type_and_state(database: Database, jobs_at: Jobs) -> None:
    await jobs_at.start([{}])
    await jobs_at.start([{}])
    found = await told(database)
    assert at(found, "transship_queue_tasks", job_type="plan", state="pending") == 2
    oldest = at(found, "transship_queue_oldest_seconds", job_type="plan")
    assert oldest is not None
    assert oldest >= 0


async def test_a_limit_and_a_pause_of_a_registry_are_told(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO jobservice.endpoint_limits"
            " (endpoint_id, concurrency, requests_per_second, postponed_until)"
            " VALUES (0, 4, 2.5, now() + interval '1 minute')"
        )
    found = await told(database)
    assert at(found, "transship_registry_concurrency_limit", registry="Local") == 4
    assert at(found, "transship_registry_request_rate_limit", registry="Local") == 2.5
    assert at(found, "transship_registry_running_tasks", registry="Local") == 0
    assert 50 < (at(found, "transship_registry_postponed_seconds", registry="Local") or 0) <= 60


async def test_a_schedule_that_is_overdue_is_told(database: Database) -> None:
    async with database.connection() as connection:
        schedule_id = await connection.fetchval(
            "INSERT INTO jobservice.schedules (vendor_type, vendor_id, cron, next_fire_time,"
            " next_fire_at, updated_at)"
            " VALUES ('test', 7, '0 0 * * * *', now() - interval '1 hour',"
            " now() - interval '1 hour', now() - interval '1 day') RETURNING id"
        )
    found = await told(database)
    labels = {"schedule": str(schedule_id), "vendor_type": "test", "vendor_id": "7"}
    assert at(found, "transship_schedule_overdue", **labels) == 1
    assert at(found, "transship_schedule_last_success_timestamp_seconds", **labels) is None
    assert (at(found, "transship_schedule_lag_seconds") or 0) >= 3600


async def test_requests_are_counted_by_template_however_many_paths_are_asked_for(
    admin: Caller,
) -> None:
    for number in range(30):
        await admin.get(f"/registries/{number + 1}")
        await admin.get(f"/nonsense/{number}")
    found = read((await admin.get("//metrics")).text)
    name = "transship_api_requests_total"
    route = "/api/v2.0/registries/{id}"
    assert at(found, name, method="GET", route=route, status="404") == 30
    templates = {dict(labels)["route"] for metric, labels in found if metric == name}
    assert templates == {route, "/api/{rest}"}


async def test_postgres_is_asked_at_most_every_few_seconds(
    database: Database, jobs_at: Jobs
) -> None:
    kept = Metrics(database)
    before = await kept.text()
    await jobs_at.start([{}])
    texts = [await kept.text() for _ in range(3)]
    name = "transship_queue_tasks{"
    assert name not in before.decode()
    assert [name in text.decode() for text in texts] == [False] * 3


async def test_a_database_that_does_not_answer_leaves_the_rest(dsn: str) -> None:
    small = await Database.connect(dsn, max_size=1)
    try:
        async with small.connection():
            hasty = Metrics(small, patience_seconds=0.05)
            found = read((await hasty.text()).decode())
    finally:
        await small.close()
    assert at(found, "transship_metrics_up") == 0
    assert at(found, "transship_database_pool_connections", state="maximum") == 1
    assert at(found, "transship_workers") is None


async def test_what_is_left_of_a_request_rate_is_told(database: Database, valkey_url: str) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO jobservice.endpoint_limits (endpoint_id, requests_per_second)"
            " VALUES (0, 100)"
        )
    async with RateLimits.connected(valkey_url) as rates:
        name = "transship_registry_request_budget"
        before = read((await Metrics(database, rates).text()).decode())
        for _ in range(60):
            assert await rates.take(0, Rate(per_second=100)) == 0
        after = read((await Metrics(database, rates).text()).decode())
    assert at(before, name, registry="Local") == 100
    left = at(after, name, registry="Local")
    assert left is not None
    assert 40 <= left < 100


async def test_what_clients_do_to_manifests_is_counted(database: Database, tmp_path: Path) -> None:
    registry = Registry(database, FilesystemStorage(tmp_path))
    await registry.prepare(steps.REPOSITORY)
    await users.ensure_admin(database, "correct horse")
    kept = Metrics(database)
    app = web.Application(middlewares=[metering.middleware(kept)])
    routes.register(app, registry, Authenticator(database))
    headers = {"Authorization": encode_basic_auth("admin", "correct horse")}
    manifests = f"/v2/{steps.REPOSITORY}/manifests"
    async with TestClient(TestServer(app), headers=headers) as client:
        body = await steps.push_image(client, "1.0")
        for method, path in (
            ("GET", "1.0"),
            ("GET", "1.0"),
            ("HEAD", "1.0"),
            ("GET", "none"),
            ("DELETE", "1.0"),
            ("DELETE", steps.digest(body)),
        ):
            await steps.ask(client, method, f"{manifests}/{path}")
    found = read((await kept.text()).decode())
    counted = {
        dict(labels)["action"]: value
        for (name, labels), value in found.items()
        if name == metric.ACTIONS.name
    }
    assert counted == {"push": 1, "pull": 2, "untag": 1, "delete": 1}


async def test_what_collection_did_and_what_waits_is_told(
    database: Database, tmp_path: Path
) -> None:
    async with database.connection() as connection:
        await connection.execute(
            """
            INSERT INTO registry.blobs (digest, size_bytes, storage_key)
            VALUES ('\\x01' || sha256('a'), 7, gen_random_uuid());
            INSERT INTO registry.tombstones (storage_key, size_bytes, reason)
            VALUES (gen_random_uuid(), 5, 'expired');
            UPDATE registry.gc_queue SET review_after = now()
            """
        )
    await reviewing.review(database, Scope())
    found = await told(database)
    assert at(found, "transship_collected_total", kind="blobs") == 1
    assert at(found, "transship_collected_bytes_total", kind="blobs") == 7
    assert at(found, "transship_tombstones_bytes", state="waiting") == 7
    assert at(found, "transship_tombstones_bytes", state="due") == 5
    await sweeping.sweep(database, FilesystemStorage(tmp_path))
    found = await told(database)
    assert at(found, "transship_collected_bytes_total", kind="objects") == 5
    assert at(found, "transship_tombstones", state="due") == 0
    assert at(found, "transship_collection_failures_total") == 0
