"""Which effects a task had under which fence, from its timeline and from what was done when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from tests.chaos.receiver import Write


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A task held under a fence by a process, from the claim to whatever ended it."""

    fence: int
    pid: int
    since: float
    until: float = inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """`doubled` names tasks with effects under two fences, or under one lost before, and messages
    that were sent again; `on_the_wire` counts what was under way when the fence was lost: the
    request, or, of a message, what was to be noted of the answer."""

    doubled: tuple[str, ...] = ()
    on_the_wire: int = 0


def judge(
    writes: Iterable[Write],
    tasks: Mapping[tuple[str, ...], int],
    claims: Mapping[int, Sequence[Claim]],
    noted: Mapping[int, float],
) -> Effects:
    """Judge what was done; `tasks` says whose it is, `claims` are in order.

    `noted` is when it was written down that a task's message had arrived. A receiver that is told
    twice drops what it knows, so until then a message is on the wire.
    """
    fences: dict[int, set[int]] = defaultdict(set)
    doubled: list[str] = []
    on_the_wire = 0
    for write in writes:
        task = tasks.get(write.what)
        if task is None:
            doubled.append(f"{':'.join(write.what)} is nobody's")
            continue
        claim = _claim(write, claims[task])
        if claim is None or write.arrived_at > claim.until:
            doubled.append(f"task {task}: {write} under {claim} of {claims[task]}")
        elif write.arrived_at > noted.get(task, inf):
            doubled.append(f"task {task}: {write} after it was known to have arrived")
        elif max(write.answered_at, noted.get(task, 0)) > claim.until:
            on_the_wire += 1
        else:
            fences[task].add(claim.fence)
    doubled += [f"task {task}: fences {held}" for task, held in fences.items() if len(held) > 1]
    return Effects(doubled=tuple(doubled), on_the_wire=on_the_wire)


def _claim(write: Write, claims: Sequence[Claim]) -> Claim | None:
    """Return under which claim it was written: the last one that this process had by then."""
    had = [
        claim
        for claim in claims
        if claim.since <= write.arrived_at and write.pid in {None, claim.pid}
    ]
    return had[-1] if had else None
