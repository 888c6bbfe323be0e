"""`transship storage import`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import typer

from config.settings import Settings
from database.pool import Database
from jobservice.cli import display, installation, printing, process_settings
from jobservice.cli.errors import CommandError, UsageError, files_told
from jobservice.cli.exit_codes import ExitCode
from jobservice.cli.ticker import Ticker
from registry.care.distribution_folder import DistributionFolder
from registry.care.errors import NotAdoptable
from registry.care.handing_over import HandedOver, HandingOver, is_committed
from registry.care.importing import Import, Wish
from registry.care.old_repository import Skipped
from registry.care.old_storage import OldStorage
from registry.care.taken import Taken
from registry.storage.driver import Storage
from registry.storage.filesystem import FilesystemStorage


def import_storage(  # noqa: PLR0913 - one parameter for each option
    *,
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="DIR|s3://BUCKET/PREFIX", help="The other registry's rootdirectory."
        ),
    ],
    project: Annotated[
        str, typer.Option("--project", help="For repositories in none, such as `alpine`.")
    ] = "library",
    quick: Annotated[bool, typer.Option("--quick", help="Trust sizes; hash no blob.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would come; change nothing.")
    ] = False,
    commit: Annotated[
        bool,
        typer.Option("--commit", help="Then remove the originals: from now on they are ours."),
    ] = False,
    leave_skipped: Annotated[
        bool, typer.Option("--leave-skipped", help="Commit although something was left out.")
    ] = False,
    data: installation.Data = None,
    as_json: printing.AsJson = False,
    config: process_settings.ConfigFile = None,
) -> None:
    """Adopt the storage of a CNCF distribution registry where it lies, without copying blobs.

    The other registry may go on; call it again for what is new, and after an interruption.
    """
    if commit and dry_run:
        raise UsageError("--commit and --dry-run exclude each other")
    settings = installation.settings_of(config, data)
    wish = Wish(project=project, quick=quick, dry_run=dry_run)
    commits = _Commits.ALWAYS if leave_skipped else _Commits.IF_ALL_CAME
    ends = commits if commit else _Commits.NEVER
    with files_told("the import is unfinished, call it again"):
        outcome = asyncio.run(_import(settings, source, wish, ends, quiet=as_json))
    if as_json:
        printing.as_json(outcome.as_json())
    else:
        for line in outcome.summary(dry_run=dry_run):
            printing.line(line)
    outcome.end(ends)


class _Commits(Enum):
    """When an import ends with handing the originals over."""

    NEVER = auto()
    IF_ALL_CAME = auto()
    ALWAYS = auto()


async def _import(
    settings: Settings, source: str, wish: Wish, commits: _Commits, *, quiet: bool
) -> _Outcome:
    async with installation.opened(settings, name="transship storage import") as opened:
        old = await _old_storage(source, opened.storage)
        if commits is not _Commits.NEVER and await is_committed(opened.database, old):
            return _Outcome(handed_over=await _handed_over(opened.database, old))
        adoption = Import(opened.database, opened.storage, old, wish)
        skipped = [one async for one in _told(adoption, quiet=quiet)]
        outcome = _Outcome(taken=adoption.taken, skipped=skipped)
        if commits is _Commits.ALWAYS or (commits is _Commits.IF_ALL_CAME and not skipped):
            outcome.handed_over = await _handed_over(opened.database, old)
        return outcome


@dataclass(slots=True, kw_only=True)
class _Outcome:
    """What the command came to."""

    taken: Taken | None = None
    skipped: Sequence[Skipped] = ()
    handed_over: HandedOver | None = None

    def end(self, commits: _Commits) -> None:
        """End the command with a code that says whether everything came."""
        if self.skipped and commits is _Commits.IF_ALL_CAME:
            raise CommandError(
                "nothing was handed over, because something was left out: mend it, or leave it "
                "with --leave-skipped"
            )
        if self.skipped:
            raise typer.Exit(ExitCode.FAILED)

    def as_json(self) -> dict[str, Any]:
        counts = asdict(self.taken) if self.taken else {}
        counts |= {"skipped": [asdict(one) for one in self.skipped]}
        return counts | ({"handed_over": asdict(self.handed_over)} if self.handed_over else {})

    def summary(self, *, dry_run: bool) -> Iterator[str]:
        if self.taken is not None:
            yield from _summary(self.taken, would="would be " if dry_run else "")
        if (done := self.handed_over) is not None:
            yield (
                f"handed over: {done.removed} originals ({display.size(done.removed_bytes)}) are "
                f"removed, {done.in_place} stay because their bytes are read there; the links "
                "under docker/registry/v2/repositories are no longer needed"
            )


async def _old_storage(source: str, storage: Storage) -> OldStorage:
    """Open the other registry's storage; raise NotAStorage or NotAdoptable."""
    url = urlsplit(source)
    if isinstance(storage, FilesystemStorage):
        if url.scheme == "s3":
            raise NotAdoptable(
                f"this registry keeps its blobs in a folder, and {source} is a bucket: copy that "
                f"into a folder first, or start with TRANSSHIP_STORAGE=s3://{url.netloc}/PREFIX"
            )
        return DistributionFolder(Path(source), storage)
    if url.scheme != "s3":
        raise NotAdoptable(
            f"this registry keeps its blobs in a bucket, and {source} is a folder: copy that into "
            "the bucket first, for example with `aws s3 sync`, and import it from there"
        )
    # botocore takes 0.3 s and 30 MiB to load
    from registry.care.distribution_bucket import DistributionBucket  # noqa: PLC0415
    from registry.storage.s3 import S3Storage  # noqa: PLC0415

    assert isinstance(storage, S3Storage)  # noqa: S101 there is no third
    old = DistributionBucket(storage, bucket=url.netloc, prefix=unquote(url.path).strip("/"))
    await old.check()
    return old


async def _handed_over(database: Database, old: OldStorage) -> HandedOver:
    handing_over = HandingOver(database, old)
    ticker = Ticker(lambda: f"{handing_over.done.removed} originals removed")
    async for _ in handing_over.run():
        ticker.tick()
    ticker.clear()
    return handing_over.done


async def _told(adoption: Import, *, quiet: bool) -> AsyncIterator[Skipped]:
    """Yield what is left out, and say it and how far the import is as it goes."""
    ticker = Ticker(lambda: _progress(adoption.taken))
    async for step in adoption.run():
        if step is not None:
            if not quiet:
                ticker.clear()
                printing.line(f"left out: {step.where}: {step.reason}")
            yield step
        ticker.tick()
    ticker.clear()


def _progress(taken: Taken) -> str:
    return (
        f"{taken.repositories} repositories, {taken.manifests + taken.manifests_here} manifests, "
        f"{taken.blobs} blobs ({display.size(taken.blob_bytes)})"
    )


def _summary(taken: Taken, *, would: str) -> Iterator[str]:
    for project in taken.projects:
        yield f"project {project} {would or 'was '}made, private"
    yield (
        f"{would or ''}taken: {taken.manifests} manifests, {taken.tags} tags, {taken.blobs} blobs "
        f"({display.size(taken.blob_bytes)}) of {taken.repositories} repositories; "
        f"here already: {taken.manifests_here} manifests, {taken.tags_here} tags"
    )
    if taken.symbolic_links:
        yield (
            f"{taken.symbolic_links} blobs are symbolic links, because they lie on another file "
            "system: the other registry's files must stay"
        )
    if taken.left:
        yield (
            f"{taken.left} blobs ({display.size(taken.left_bytes)}) belong to nothing that was "
            "taken, and stay where they are"
        )
    if taken.skipped:
        yield f"{taken.skipped} left out, each with its reason above"
