from __future__ import annotations

from datetime import UTC, datetime

import pytest

from protocol import retrying
from protocol.errors import (
    Denied,
    ExchangeError,
    NotFound,
    RateLimited,
    RegistryError,
    Rejected,
    Unavailable,
    Unreachable,
    Unsupported,
)
from protocol.retrying import HoldBack, Patience

NOW = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)
PATIENCE = Patience(attempts=3, first_pause_seconds=1, longest_pause_seconds=4)


def failed(kind: type[RegistryError], status: int, wait: float | None = None) -> RegistryError:
    error = kind("no", operation="x", url="y", status=status)
    if isinstance(error, RateLimited | Unavailable):
        error.retry_after_seconds = wait
    return error


def unreachable(*, transient: bool) -> Unreachable:
    error = Unreachable("gone", operation="x", url="y")
    error.transient = transient
    return error


class Tries:
    """Fails with each error in turn, then succeeds; notes its pauses."""

    def __init__(self, *errors: ExchangeError) -> None:
        self.errors = list(errors)
        self.count = 0
        self.pauses: list[float] = []

    async def operation(self) -> str:
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def run(self, only: type[Exception] = Exception) -> str:
        return await retrying.call(self.operation, PATIENCE, only=only, sleep=self.sleep)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2),
        ("0", 0),
        ("-5", 0),
        ("Mon, 23 Nov 2026 08:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 07:00:00 GMT", 0),
        ("Mon, 23 Nov 2026 08:00:30 -0000", 30),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retrying.retry_after_seconds(value, NOW) == seconds


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (failed(RateLimited, 429), True),
        (failed(RateLimited, 429, 30), True),
        (failed(RateLimited, 429, 31), False),
        (failed(Unavailable, 503), True),
        (failed(Unavailable, 503, 3600), False),
        (failed(NotFound, 404), False),
        (failed(Denied, 403), False),
        (failed(Unsupported, 405), False),
        (failed(Rejected, 413), False),
        (unreachable(transient=True), True),
        (unreachable(transient=False), False),
        (ValueError(), False),
    ],
)
def test_what_is_tried_again(error: Exception, *, again: bool) -> None:
    assert retrying.is_worth_retrying(error, PATIENCE) is again


async def test_a_success_makes_no_pause() -> None:
    tries = Tries()
    assert await tries.run() == "done"
    assert (tries.count, tries.pauses) == (1, [])


async def test_pauses_double_with_jitter_and_end_with_patience() -> None:
    tries = Tries(*[failed(Unavailable, 500) for _ in range(9)])
    with pytest.raises(Unavailable):
        await tries.run()
    assert tries.count == 3
    first, second = tries.pauses
    assert 0 <= first <= 1
    assert 0 <= second <= 2


async def test_the_host_names_its_own_pause() -> None:
    tries = Tries(failed(RateLimited, 429, 7), unreachable(transient=True))
    assert await tries.run() == "done"
    assert tries.pauses[0] == 7


async def test_an_error_that_will_not_help_comes_out_at_once() -> None:
    tries = Tries(failed(NotFound, 404))
    with pytest.raises(NotFound):
        await tries.run()
    assert tries.pauses == []


async def test_what_is_tried_again_can_be_narrowed() -> None:
    tries = Tries(failed(RateLimited, 429), failed(Unavailable, 500))
    with pytest.raises(Unavailable):
        await tries.run(only=RateLimited)
    assert tries.count == 2


async def test_a_host_that_asked_for_quiet_is_left_alone() -> None:
    now = [100.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    hold = HoldBack(clock=lambda: now[0], sleep=sleep)
    hold.ask_for(5)
    hold.ask_for(2)
    await hold.wait()
    assert now[0] == 105
    await hold.wait()
    assert now[0] == 105


def test_all_requests_to_a_host_share_its_wish() -> None:
    hosts = retrying.HoldBacks()
    assert hosts.of("a:1") is hosts.of("a:1")
    assert hosts.of("a:1") is not hosts.of("b:1")


@pytest.mark.parametrize(
    ("error", "asks"),
    [
        (failed(RateLimited, 429), True),
        (failed(RateLimited, 429, 60), True),
        (failed(Unavailable, 503, 60), True),
        (failed(Unavailable, 503), False),
        (failed(Unavailable, 502, 60), False),
        (failed(Denied, 403), False),
        (unreachable(transient=True), False),
    ],
)
def test_a_registry_asks_for_a_pause_by_429_or_503_with_a_time(
    error: ExchangeError, *, asks: bool
) -> None:
    assert retrying.asks_for_a_pause(error) is asks
