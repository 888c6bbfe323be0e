"""How the fake registry misbehaves: single faults on chosen requests, and lasting habits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to the next `times` requests (-1: to all) of a method and kind.

    With `status` the request is answered at once with it, `headers` and `body`, unheard.
    `reset_after_bytes` cuts the answer's body; `reset_request_after_bytes` cuts while the
    request's body is read, and what came until then is kept as a real registry keeps it.
    `reset_after_commit` handles the request and hangs up instead of answering.
    `hold` keeps the answer (or its body) back until the event is set; `reached` is set when a
    request was hit.
    """

    method: str
    kind: str
    times: int = 1
    skip: int = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    reset_after_bytes: int | None = None
    reset_request_after_bytes: int | None = None
    reset_after_commit: bool = False
    drop_headers: tuple[str, ...] = ()
    flip_bit_at: int | None = None
    replace_body: bytes | None = None
    drip_bytes: int | None = None
    hold: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def takes(self, method: str, kind: str) -> bool:
        """Say whether this request is hit, and count it down."""
        if self.times == 0 or (self.method, self.kind) != (method, kind):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times > 0:
            self.times -= 1
        self.reached.set()
        return True


@dataclass(slots=True)
class Faults:
    """The faults in waiting; the first that fits is used."""

    waiting: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> Fault:
        """Put a fault in the queue and give it back."""
        self.waiting.append(fault)
        return fault

    def too_many_requests(
        self, method: str, kind: str, *, retry_after: str, times: int = 1
    ) -> None:
        """Answer 429 with Retry-After: seconds, or a date."""
        headers = {"Retry-After": retry_after}
        self.add(Fault(method=method, kind=kind, status=429, headers=headers, times=times))

    def answer(self, method: str, kind: str, status: int, *, times: int = 1, skip: int = 0) -> None:
        """Answer a bare status without a body."""
        self.add(Fault(method=method, kind=kind, status=status, times=times, skip=skip))

    def cut(self, method: str, kind: str, *, after_bytes: int, times: int = 1) -> None:
        """Hang up after so many bytes of the answer's body."""
        self.add(Fault(method=method, kind=kind, reset_after_bytes=after_bytes, times=times))

    def take(self, method: str, kind: str) -> Fault | None:
        """Find what happens to a request."""
        return next((fault for fault in self.waiting if fault.takes(method, kind)), None)


@dataclass(slots=True, kw_only=True)
class Habits:
    """How this registry always is; change any attribute at any time. Defaults are conformant.

    `location`: "relative", "absolute" or "state" (relative with a percent-encoded query that
    must come back byte by byte). `redirect_blobs`: blob GETs go to a second port, which refuses
    any Authorization and, after `storage_expires_after` requests, answers 403 until asked anew.
    `page_size` caps every listing; `link`: "relative", "absolute", "loop" or None for no paging.
    """

    mounts: bool = True
    mount_status: int | None = None
    digest_headers: bool = True
    lying_digest_header: str | None = None
    referrers_api: bool = True
    referrers_status: int = 404
    filters_referrers: bool = True
    subject_header: bool = True
    conditional_writes: bool = False
    content_type_suffix: str = ""
    location: str = "relative"
    ranges: bool = True
    redirect_blobs: bool = False
    storage_expires_after: int | None = None
    whole_limit_bytes: int | None = None
    chunk_min_bytes: int | None = None
    chunk_accepts_bytes: int | None = None
    link: str | None = "relative"
    page_size: int = 1000
    odd_tags: tuple[object, ...] = ()
    catalog: bool = True
    checks_children: bool = True
    deletes: bool = True
    deletes_tags: bool = True
    cancels: bool = True
    manifest_limit_bytes: int = 4 * 1024 * 1024
    warning: str | None = None
    html_everywhere: bool = False
