"""`make bench`: two docker-registry servers on loopback, content made on the spot, five runs each.

The programs take turns, so that what else the machine does hits all of them alike. Raw runs are
kept beside the page as JSON. Exits with 1 when a bound does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Final

from bench import content, measure, report, rows, service, tools
from bench.measure import Run
from bench.report import Results
from bench.rows import Row
from bench.servers import RegistryServer
from bench.tools import Errand

_PAGE: Final = tools.ROOT / "docs/benchmarks.md"
_RAW: Final = tools.ROOT / "docs/benchmarks.json"


def main() -> int:
    """Measure, write, judge."""
    wanted = _arguments()
    results: Results = defaultdict(lambda: defaultdict(list))
    if _RAW.exists() and wanted.keep:
        results.update(_read(_RAW))
    with RegistryServer() as source, RegistryServer() as destination:
        for row in rows.ROWS:
            if wanted.rows and row.name not in wanted.rows:
                continue
            found = _row(row, source, destination, wanted.runs)
            if not wanted.one_shot:
                found |= service.measure(row, source, destination, wanted.runs, tell=_tell)
            results[row.name] = found
            _RAW.write_text(json.dumps(results, default=Run.to_json, indent=1) + "\n")
            report.write(_PAGE, results, runs=wanted.runs)
    failed = report.write(_PAGE, results, runs=wanted.runs)
    for bound in failed:
        sys.stderr.write(f"does not hold: {bound}\n")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each program (5)")
    parser.add_argument("--keep", action="store_true", help="keep the rows measured before")
    parser.add_argument("--one-shot", action="store_true", help="leave the service out")
    parser.add_argument("rows", nargs="*", help=", ".join(row.name for row in rows.ROWS))
    return parser.parse_args()


def _read(path: Path) -> Results:
    document = json.loads(path.read_text())
    return {
        row: {
            tool: [Run(**{k: v for k, v in run.items() if k != "requests"}) for run in of_tool]
            for tool, of_tool in of_row.items()
        }
        for row, of_row in document.items()
    }


def _row(
    row: Row, source: RegistryServer, destination: RegistryServer, runs: int
) -> dict[str, list[Run]]:
    """Measure one row with the one-shot programs: each once, then again, `runs` times."""
    source.wipe()
    content.push_apart(row.push, source.host, row.repository)
    errand = Errand(
        source=source.host, destination=destination.host, repository=row.repository, tag=row.tag
    )
    found: dict[str, list[Run]] = {tool: [] for tool in tools.installed()}
    with tempfile.TemporaryDirectory(prefix="transship-bench-") as folder:
        for _ in range(runs):
            for tool, so_far in found.items():
                command = tools.command(tool, errand, Path(folder))
                so_far.append(_one(command, row, source, destination, Path(folder)))
                _tell(row, tool, so_far[-1])
    return found


def _one(
    command: list[str],
    row: Row,
    source: RegistryServer,
    destination: RegistryServer,
    home: Path,
) -> Run:
    environment = tools.environment(home)
    destination.wipe()
    if row.again:
        measure.run(command, environment)
    source.requests()
    destination.requests()
    run = measure.run(command, environment)
    return run.with_requests(source.requests().total(), destination.requests().total())


def _tell(row: Row, tool: str, run: Run) -> None:
    sys.stderr.write(
        f"{row.name:12} {tool:20} {run.wall_seconds:7.2f} s {run.cpu_seconds:7.2f} s cpu "
        f"{run.peak_bytes >> 20:5} MiB {run.requests:6} requests\n"
    )


if __name__ == "__main__":
    sys.exit(main())
