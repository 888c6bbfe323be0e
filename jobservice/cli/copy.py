"""`transship copy SRC DST`: one artifact or one repository, without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

import typer

from jobservice.cli import ends, one_shot, places, selection
from jobservice.cli.errand import Errand
from jobservice.cli.errors import UsageError
from jobservice.cli.fleet import Job
from jobservice.cli.one_shot import Voyage
from jobservice.cli.selection import Order
from protocol.content import ContentSource, ContentStore
from protocol.errors import InvalidReference
from replication import copy as copying
from replication.context import CopyContext
from replication.limits import Bandwidth
from replication.transfer import TransferReport

AT_ONCE = 16

app = typer.Typer(add_completion=False)


@app.command()
def copy(  # noqa: PLR0913 - every parameter is an option of the command
    source: Annotated[
        str,
        typer.Argument(
            help="docker://host/repo:tag or bare, oci:DIR[:tag], oci-archive:FILE[:tag]",
            metavar="SRC",
        ),
    ],
    destination: Annotated[
        str,
        typer.Argument(help="the same forms; without a tag the source's is kept", metavar="DST"),
    ],
    *,
    all_tags: Annotated[
        bool, typer.Option("--all-tags", "-a", help="Copy every tag of the repository.")
    ] = False,
    referrers: Annotated[
        bool, typer.Option(help="Copy signatures, SBOMs and whatever else refers to it.")
    ] = True,
    plain_http: Annotated[
        bool,
        typer.Option(
            "--plain-http", help="Speak plain HTTP to registries that are not on this machine, too."
        ),
    ] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Artifacts at once.")] = AT_ONCE,
    limit_kilobits: Annotated[
        int | None,
        typer.Option(min=1, help="Kilobits a second (128 bytes each) for the whole command."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per artifact, and a summary.")
    ] = False,
) -> None:
    """Copy an artifact, or with --all-tags a repository, from one place to another."""
    try:
        order = Order(
            source=places.parse(source, plain_http=plain_http),
            destination=places.parse(destination, plain_http=plain_http),
            all_tags=all_tags,
            referrers=referrers,
        )
    except InvalidReference as error:
        raise UsageError(str(error)) from error
    selection.check(order)
    shown = one_shot.display(as_json=as_json)
    context = CopyContext(
        referrers=referrers, listener=shown, bandwidth=Bandwidth.from_kilobits(limit_kilobits)
    )

    async def work(voyage: Voyage) -> None:
        await _copy(order, context, voyage)

    raise typer.Exit(one_shot.run(work, display=shown, at_once=concurrency))


async def _copy(order: Order, context: CopyContext, voyage: Voyage) -> None:
    source = await voyage.stack.enter_async_context(ends.opened(order.source, voyage.transport))
    target = ends.opened(order.destination, voyage.transport, writes=True)
    destination = await voyage.stack.enter_async_context(target)
    try:
        await voyage.fleet.run(_jobs(order, source.store, destination.store, context))
    finally:
        voyage.fleet.totals.source_requests = source.requests
        voyage.fleet.totals.destination_requests = destination.requests


async def _jobs(
    order: Order, source: ContentSource, destination: ContentStore, context: CopyContext
) -> AsyncIterator[Job]:
    async def carry(errand: Errand) -> TransferReport:
        transfer, root = await errand.resolve(source)
        return await copying.copy_transfer(
            transfer, source=source, destination=destination, context=context, root=root
        )

    async for errand in selection.errands(order, source, destination):
        yield Job(errand=errand, carry=partial(carry, errand))
