"""What is measured: the rows of the benchmark and the bounds they are held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench import content
from bench.measure import Run

Medians = dict[str, Run]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A promise about a row's medians; it is skipped where a program it needs did not run."""

    text: str
    needs: tuple[str, ...]
    holds: Callable[[Medians], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing to do. `again` measures it with everything at the destination already."""

    name: str
    title: str
    push: Callable[[str, str], None]
    tag: str | None = None
    again: bool = False
    bounds: tuple[Bound, ...] = ()

    @property
    def repository(self) -> str:
        """Where its content is."""
        return f"bench/{self.push.__name__.removeprefix('push_')}"


def medians(runs: dict[str, list[Run]]) -> Medians:
    """Return the median of each figure for each program."""
    return {tool: _median(of_tool) for tool, of_tool in runs.items() if of_tool}


def _median(runs: list[Run]) -> Run:
    return Run(
        wall_seconds=median(run.wall_seconds for run in runs),
        cpu_seconds=median(run.cpu_seconds for run in runs),
        peak_bytes=int(median(run.peak_bytes for run in runs)),
        source_requests=int(median(run.source_requests for run in runs)),
        destination_requests=int(median(run.destination_requests for run in runs)),
    )


def _faster(other: str, times: float) -> Bound:
    return Bound(
        text=f"at least {times:g} x as fast as {other}",
        needs=(other,),
        holds=lambda m: m["transship"].wall_seconds * times <= m[other].wall_seconds,
    )


def _requests(most: int) -> Bound:
    return Bound(
        text=f"at most {most} requests",
        needs=(),
        holds=lambda m: m["transship"].requests <= most,
    )


def _service() -> Bound:
    return Bound(
        text="as a policy at most 1.5 x the one-shot command",
        needs=("transship, policy",),
        holds=lambda m: m["transship, policy"].wall_seconds <= 1.5 * m["transship"].wall_seconds,
    )


_LARGE: Final = (
    _faster("skopeo", 1),
    _faster("crane", 1 / 1.1),
    Bound(
        text="into this registry faster than any of them into docker-registry",
        needs=("skopeo", "transship, policy into itself"),
        holds=lambda m: (
            m["transship, policy into itself"].wall_seconds
            < min(run.wall_seconds for tool, run in m.items() if not tool.startswith("transship"))
        ),
    ),
    Bound(
        text="less processor time than skopeo",
        needs=("skopeo",),
        holds=lambda m: m["transship"].cpu_seconds < m["skopeo"].cpu_seconds,
    ),
    Bound(
        text="peak memory under 100 MiB",
        needs=(),
        holds=lambda m: m["transship"].peak_bytes < 100 * 1024 * 1024,
    ),
)

ROWS: Final = (
    Row(
        name="many",
        title="200 images of 4 layers of 64 KiB, first copy",
        push=content.push_many,
        bounds=(_faster("skopeo", 2.5), _faster("crane", 1.5), _service()),
    ),
    Row(
        name="many-again",
        title="the same again, nothing to do",
        push=content.push_many,
        again=True,
        bounds=(_faster("skopeo", 5), _requests(3 * content.MANY_IMAGES + 4), _service()),
    ),
    Row(
        name="large",
        title="one image of 4 layers of 256 MiB",
        push=content.push_large,
        tag="v1",
        bounds=(*_LARGE, _service()),
    ),
    Row(
        name="index",
        title="an index of two platforms, 11 blobs",
        push=content.push_index,
        tag="v1",
        bounds=(_requests(53), _service()),
    ),
)
