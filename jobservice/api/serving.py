"""The API process: this registry and /api/v2.0 on one listener, from its parts to its end."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import structlog
from aiohttp import web

from access import users
from access.authentication import Authenticator
from config.settings import Settings
from jobservice import composing, signals
from jobservice.api import application, forwarding, server, server_log
from jobservice.api.services import Installation, Services
from jobservice.composing import Parts
from jobservice.coordination import RateLimits
from jobservice.endpoints import Endpoints
from jobservice.errors import CannotListen
from jobservice.following import Follower
from jobservice.hook_secrets import HookSecrets
from jobservice.hooks import Hooks
from jobservice.immutable_rules import ImmutableRules
from jobservice.jobs.registries import Registries
from jobservice.jobs.retention_places import Places
from jobservice.maintenance import service, use_merger
from jobservice.maintenance.service import Service
from jobservice.metrics import Metrics
from jobservice.policies import Policies
from jobservice.probing import Probes
from jobservice.projects import Projects
from jobservice.queue import TaskQueue
from jobservice.tls import ServerTls
from registry.http import routes

log = structlog.get_logger(__name__)

CONNECTIONS = 20
# A transfer under way has this long to end before its connection is cut.
SHUTDOWN_SECONDS = 10.0
# A connection may wait so long for a request, its first one too; longer than proxies keep theirs.
IDLE_SECONDS = 75.0
# Who connects in a burst waits here for this process instead of being sent again a second later.
BACKLOG = 1024


async def serve(
    settings: Settings, environment: Mapping[str, str], announce: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT; `announce` gets the URL once everything answers.

    Raises CannotListen, CertificateUnusable, and what composing raises.
    """
    tls = _tls(settings)
    _allow_open_files()
    async with (
        composing.composed(
            settings, environment, name="transship api", connections=CONNECTIONS
        ) as parts,
        TaskQueue.connected(parts.redis_dsn) as tasks,
        RateLimits.connected(parts.redis_dsn) as rates,
        use_merger.merging(parts.database, parts.registry.uses),
    ):
        await _want_user(parts)
        runner = server.Runner(
            _application(parts, tasks, rates, tls),
            access_log=None,
            handle_signals=False,
            logger=server_log.server_logger(),
            handler_cancellation=True,
            shutdown_timeout=SHUTDOWN_SECONDS,
            keepalive_timeout=IDLE_SECONDS,
        )
        await runner.setup()
        try:
            stop, watch = signals.stop_requested(), _watch(tls) if tls is not None else None
            url = await _listen(runner, settings, tls)
            announce(url)
            await (service.run(watch, stop) if watch is not None else stop.wait())
        finally:
            await runner.cleanup()


def _allow_open_files() -> None:
    """Take as many connections as the system allows, not the few it gives by default."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tls(settings: Settings) -> ServerTls | None:
    if not settings.tls_cert:
        return None
    return ServerTls(Path(settings.tls_cert), Path(settings.tls_key))


def _watch(tls: ServerTls) -> Service:
    """Return what keeps the certificate current; a SIGHUP has it read at once."""
    watch = tls.service()

    def again() -> None:
        tls.forget()
        watch.wake.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, again)
    return watch


async def _want_user(parts: Parts) -> None:
    """Make the first user; where no password was set for it, say that nobody can log in."""
    password = parts.settings.admin_password
    if password is not None:
        await users.ensure_admin(parts.database, password.get_secret_value())
    elif await users.is_empty(parts.database):
        log.warning(
            "nobody_can_log_in", remedy="set TRANSSHIP_ADMIN_PASSWORD and start the API once more"
        )


def _application(
    parts: Parts, tasks: TaskQueue, rates: RateLimits, tls: ServerTls | None
) -> web.Application:
    app = web.Application()
    if parts.settings.trusted_proxies:
        app.middlewares.append(forwarding.middleware(parts.settings.trusted_proxies))
    authenticator = Authenticator(parts.database)
    routes.register(
        app,
        parts.registry,
        authenticator,
        silence_seconds=parts.settings.client_silence_seconds,
    )
    application.add_routes(app, _services(parts, authenticator, tasks, rates, tls))
    return app


def _services(
    parts: Parts,
    authenticator: Authenticator,
    tasks: TaskQueue,
    rates: RateLimits,
    tls: ServerTls | None,
) -> Services:
    token = parts.settings.metrics_token
    probes = Probes(
        database=parts.database, queue=tasks, local_registry=parts.registry, server_tls=tls
    )
    return Services(
        database=parts.database,
        authenticator=authenticator,
        endpoints=Endpoints(database=parts.database, connector=parts.connector),
        policies=Policies(database=parts.database, connector=parts.connector),
        immutable_rules=ImmutableRules(database=parts.database),
        projects=Projects(database=parts.database, registry=parts.registry),
        hooks=Hooks(
            database=parts.database,
            secrets=HookSecrets(parts.keyring),
            transport=parts.hook_transport,
        ),
        metrics=Metrics(parts.database, rates, server_tls=tls, admission=parts.registry.admission),
        rates=rates,
        follower=Follower(parts.database),
        health=probes.health(),
        registry=parts.registry,
        places=Places(
            parts.database,
            parts.registry,
            Registries(parts.database, parts.connector, rates),
        ),
        installation=Installation(
            version=metadata.version("transship"),
            external_url=parts.settings.external_url,
            metrics_token=token.get_secret_value() if token else "",
        ),
    )


async def _listen(runner: web.AppRunner, settings: Settings, tls: ServerTls | None) -> str:
    """Open the listener and return its URL with the port that it really has."""
    listener = settings.listener
    context = tls.context if tls is not None else None
    site = web.TCPSite(
        runner,
        listener.host,
        listener.port,
        ssl_context=context,
        backlog=BACKLOG,
        reuse_port=settings.listen_shared,
    )
    try:
        await site.start()
    except OSError as error:
        raise CannotListen(listener.host, listener.port, reason=str(error)) from error
    port = runner.addresses[0][1]
    host = f"[{listener.host}]" if ":" in listener.host else listener.host
    return f"{'https' if tls else 'http'}://{host}:{port}"
