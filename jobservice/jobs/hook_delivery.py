"""Carry one message to a hook's target."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import ClassVar, Final, Protocol

import structlog
from typing_extensions import override
from yarl import URL

from database.pool import Connection, Database
from jobservice.domain.hook import Target
from jobservice.domain.hook_payloads import signature
from jobservice.domain.retrying import RetryRule
from jobservice.domain.task import TaskError
from jobservice.jobs.base import Answer, Failed, JobType, Run, Snoozed, Stopped, Succeeded
from jobservice.logging import redact_text
from jobservice.store import hook_deliveries
from jobservice.store.hook_deliveries import Due
from protocol import fence
from protocol.errors import ExchangeError, Refused
from protocol.guard import Reach
from protocol.request import Request
from protocol.tls import Trust
from protocol.transport import Transport

NAME: Final = hook_deliveries.JOB_TYPE
QUEUE: Final = hook_deliveries.QUEUE
LONGEST_SECONDS: Final = 24 * 3600.0
# A receiver answers at once and does its work afterwards; slots are few.
SEND_SECONDS: Final = 15.0
REACH: Final = Reach.PRIVATE
_BODY_BYTES: Final = 4096
_LONGEST_PAUSE_SECONDS: Final = 3600.0
_GONE: Final = 410
_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503
_SUCCESS: Final = range(200, 300)
_REDIRECTION: Final = range(300, 400)

log = structlog.get_logger(__name__)


class Secrets(Protocol):
    """Opens what is sealed for a target; jobservice.hook_secrets has it."""

    def auth_header(self, target: Target) -> str | None:
        """Return the Authorization header, None where there is none."""
        ...

    def signing(self, target: Target) -> bytes | None:
        """Return the secret that signatures are made with, None where there is none."""
        ...


class HookDelivery(JobType):
    """Parameters: `tries_once`. A message arrived when the answer is 2xx.

    It is tried for a day, then given up; at once where the receiver says that it is gone (410),
    leads elsewhere, or lies where hooks may not go.
    """

    name: ClassVar[str] = NAME
    queue: ClassVar[str] = QUEUE
    # With the most jitter the pauses of these attempts are more than a day long.
    retry: ClassVar[RetryRule] = RetryRule(attempts=64, first_seconds=10, longest_seconds=3600)
    timeout_seconds: ClassVar[float] = 60.0

    def __init__(self, database: Database, transport: Transport, secrets: Secrets) -> None:
        self._database = database
        self._transport = transport
        self._secrets = secrets

    @override
    async def run(self, run: Run) -> Answer:
        """Send, unless it arrived before."""
        async with self._database.connection() as connection:
            due = await hook_deliveries.due(connection, run.task.id)
        if due is None:
            return Stopped()  # the hook was removed, and its deliveries with it
        if due.is_delivered:
            return Succeeded(unchanged=True)
        if due.target is None:
            return _given_up("TargetRemoved", "the hook no longer has this target")
        return await self._send(run, due, due.target)

    async def _send(self, run: Run, due: Due, target: Target) -> Answer:
        request = self._request(due, target)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                with fence.fenced(run.confirm):
                    answer = await self._transport.send(request)
                async with answer:
                    body = await answer.read(_BODY_BYTES)
                code, headers = answer.status, answer.headers
        except (ExchangeError, TimeoutError) as error:
            await self._note(run, code=None, body="")
            return self._unanswered(run, due, target, error)
        return await self._judged(run, due, target, code, headers, body)

    def _unanswered(
        self, run: Run, due: Due, target: Target, error: ExchangeError | TimeoutError
    ) -> Failed:
        """Return what no answer comes to; the address may hold a secret and is not told."""
        said = f"it did not answer within {SEND_SECONDS:.0f} s"
        if isinstance(error, ExchangeError):
            said = redact_text(error.message)
        message = f"{target.shown}: {said}"
        if isinstance(error, Refused):
            return _given_up("Refused", message)
        return self._failed(run, due, _problem(type(error).__name__, message))

    async def _judged(
        self,
        run: Run,
        due: Due,
        target: Target,
        code: int,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        text = redact_text(body[:_BODY_BYTES].decode(errors="replace")).replace("\x00", "")
        await self._note(run, code=code, body=text)
        log.info("hook_answered", target=target.shown, code=code, event_id=due.event_id)
        if code in _SUCCESS:
            return Succeeded(result={"response_code": code})
        if code == _GONE:
            return _given_up("Gone", f"{target.shown} answered 410: it wants no more messages")
        if code in _REDIRECTION:
            return _given_up(
                "Redirected",
                f"{target.shown} answered {code} and leads elsewhere; redirects are not followed: "
                "give the hook the address that it leads to",
            )
        said = f": {text[:200]}" if text.strip() else ""
        problem = f"{target.shown} answered {code}{said}"
        pause = _asked_pause(code, headers)
        if pause is not None and not self._is_over(run, due):
            return Snoozed(delay_seconds=pause, reason=_problem("NotAccepted", problem))
        return self._failed(run, due, _problem("NotAccepted", problem))

    def _request(self, due: Due, target: Target) -> Request:
        body = due.payload.encode()
        headers = {
            "Content-Type": due.content_type,
            signature.EVENT_ID: due.event_id,
            signature.EVENT_TYPE: due.event_type,
        }
        authorization = self._secrets.auth_header(target)
        if authorization is not None:
            headers["Authorization"] = authorization
        secret = self._secrets.signing(target)
        if secret is not None:
            now = int(time.time())
            headers[signature.HEADER] = signature.header(secret, body, timestamp=now)
        return Request(
            operation="deliver a hook",
            method="POST",
            url=URL(target.address),
            headers=headers,
            body=body,
            within=REACH,
            trust=Trust(insecure=target.skip_cert_verify),
            follows_redirects=False,
        )

    async def _note(self, run: Run, *, code: int | None, body: str) -> None:
        async def write(connection: Connection) -> None:
            await hook_deliveries.note(
                connection, run.task, code=code, body=body, arrived=code in _SUCCESS
            )

        await self._database.run(write)

    def _failed(self, run: Run, due: Due, error: TaskError) -> Failed:
        if not self._is_over(run, due):
            return Failed(error=error)
        over = _problem(error.kind, f"{error.message}; given up")
        return Failed(error=_final(over))

    def _is_over(self, run: Run, due: Due) -> bool:
        return bool(run.task.parameters.get("tries_once")) or due.age_seconds > LONGEST_SECONDS


def _asked_pause(code: int, headers: Mapping[str, str]) -> float | None:
    """Return the pause that a busy receiver asks for; None where it asks for none."""
    asked = headers.get("Retry-After", "")
    if code not in {_TOO_MANY, _UNAVAILABLE} or not asked.isdecimal():
        return None
    return min(float(asked[:6]), _LONGEST_PAUSE_SECONDS)


def _problem(kind: str, message: str) -> TaskError:
    return TaskError(message=message, kind=kind, operation="deliver a hook", retryable=True)


def _final(error: TaskError) -> TaskError:
    return TaskError(message=error.message, kind=error.kind, operation=error.operation)


def _given_up(kind: str, message: str) -> Failed:
    return Failed(error=_final(_problem(kind, message)))
