"""`transship storage verify`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from jobservice.cli import display, installation, printing, process_settings
from jobservice.cli.exit_codes import ExitCode
from jobservice.cli.ticker import Ticker
from registry.care.fault import Fault, Finding, Seen
from registry.care.verifying import Verification, Wish

JSON_LIMIT: Final = 10_000


def verify(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Compare sizes; hash nothing.")] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Remove leftovers; mark what is lost, so that a push heals it."
        ),
    ] = False,
    data: installation.Data = None,
    as_json: printing.AsJson = False,
    config: process_settings.ConfigFile = None,
) -> None:
    """Compare everything that this registry's database says with what its storage holds.

    The registry may serve meanwhile. Ends with 6 if something is wrong that was not repaired.
    """
    settings = installation.settings_of(config, data)
    wish = Wish(quick=quick, repair=repair)

    async def work() -> tuple[Seen, list[Finding]]:
        async with installation.opened(settings, name="transship storage verify") as opened:
            audit = Verification(opened.database, opened.storage, wish)
            return audit.seen, await _told(audit, quiet=as_json)

    seen, findings = asyncio.run(work())
    if as_json:
        printing.as_json(_for_machines(seen, findings))
    else:
        for line in _summary(seen, wish):
            printing.line(line)
    if seen.open:
        raise typer.Exit(ExitCode.CONTENT)


async def _told(audit: Verification, *, quiet: bool) -> list[Finding]:
    """Say what is wrong and how far the audit is as it goes; return what fits into an answer."""
    ticker = Ticker(lambda: _progress(audit.seen))
    kept: list[Finding] = []
    async for finding in audit.run():
        ticker.tick()
        if finding is None:
            continue
        if quiet and len(kept) < JSON_LIMIT:
            kept.append(finding)
        elif not quiet:
            ticker.clear()
            for line in _lines(finding):
                printing.line(line)
    ticker.clear()
    return kept


def _lines(finding: Finding) -> Iterator[str]:
    done = f" ({_done(finding.fault)})" if finding.is_repaired else ""
    size = f" ({display.size(finding.size_bytes)})" if finding.size_bytes else ""
    yield f"{finding.fault}: {finding.subject}{size}: {finding.reason}{done}"
    for broken in finding.breaks:
        yield f"  breaks {broken}"
    if finding.breaks_count > len(finding.breaks):
        yield f"  breaks {finding.breaks_count - len(finding.breaks)} more manifests"


def _done(fault: Fault) -> str:
    if fault is Fault.FOUND_AGAIN:
        return "served again"
    return "marked as lost" if fault.is_loss else "removed"


def _progress(seen: Seen) -> str:
    return (
        f"{seen.blobs} blobs ({display.size(seen.hashed_bytes)} read), {seen.manifests} manifests, "
        f"{seen.faults.total()} findings"
    )


def _summary(seen: Seen, wish: Wish) -> Iterator[str]:
    yield (
        f"looked at {seen.blobs} blobs ({display.size(seen.blob_bytes)}), "
        f"{display.size(seen.hashed_bytes)} of them read, {seen.objects} objects "
        f"({display.size(seen.object_bytes)}), {seen.manifests} manifests, "
        f"{seen.partials} uploads under way"
    )
    if not seen.faults:
        yield "nothing is wrong"
        return
    yield ", ".join(f"{count} {fault}" for fault, count in sorted(seen.faults.items()))
    if any(fault.is_loss for fault in seen.faults):
        yield (
            "push the tags above again, or run the replications that brought them: what is marked "
            "is taken as new"
            if wish.repair
            else "`--repair` marks what is lost; then push the tags above again, or run the "
            "replications that brought them"
        )
    if seen.faults[Fault.DANGLING] or seen.faults[Fault.MANIFEST_DAMAGED]:
        yield "delete manifests that are damaged or dangling by digest, and push them again"
    elif seen.open and not wish.repair:
        yield "`--repair` removes what nothing needs and serves what was found again"


def _for_machines(seen: Seen, findings: list[Finding]) -> Mapping[str, Any]:
    counts = {name: value for name, value in asdict(seen).items() if name != "faults"}
    return {
        **counts,
        "faults": dict(seen.faults),
        "findings": [_row(finding) for finding in findings],
        "findings_left_out": seen.faults.total() - len(findings),
    }


def _row(finding: Finding) -> Mapping[str, Any]:
    breaks = [{**asdict(one), "digest": str(one.digest)} for one in finding.breaks]
    return {**asdict(finding), "breaks": breaks, "is_open": finding.is_open}
