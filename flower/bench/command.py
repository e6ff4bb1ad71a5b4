"""``flower bench``: works are picked, measured, shown, and kept."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from flower.bench.report import table, written_json, written_page
from flower.bench.rounds import Report, measured, planned, steps
from flower.bench.suite import WORKS, Work

WIDTH = 140
"""Columns of a table that goes to a file."""


def cache_directory() -> Path:
    """Where the data, the environments and the figures are unless said: the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flower" / "bench"


def arguments(parser: argparse.ArgumentParser, works: Sequence[Work] = WORKS) -> None:
    """Add what the command takes."""
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"of {', '.join(each.name for each in works)} (all)")
    parser.add_argument("--rows", type=_count, help="rows, in place of each work's own")
    parser.add_argument("--rounds", type=_count, help="rounds that count, in place of each work's own")
    parser.add_argument("--systems", help="those to measure beside Flower, with commas between them (all)")
    parser.add_argument("--html", type=Path, help="write the charts to this page")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--cache", type=Path, default=cache_directory(), help="data and environments (%(default)s)")
    parser.set_defaults(does=lambda options: run(options, works))


def _count(text: str) -> int:
    count = int(text.replace("_", "").replace(",", ""))
    if count < 1:
        raise argparse.ArgumentTypeError(f"at least 1 is required; got {text}")
    return count


def run(options: argparse.Namespace, works: Sequence[Work]) -> int:
    """Measure what the options say; 1 if something is wrong with the figures, 130 if Ctrl-C ended it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    known = {each.name: each for each in works}
    names = {subject.name for work in works for subject in work.subjects}
    systems = None if options.systems is None else {name.strip() for name in options.systems.split(",")}
    for what, unknown, there in (
        ("work", [name for name in options.works if name not in known], known),
        ("system", sorted((systems or set()) - names), names),
    ):
        if unknown:
            console.print(f"flower bench: no {what} {', '.join(unknown)}; there are {', '.join(sorted(there))}")
            return 2
    picked = [known[name] for name in options.works or known]
    reports = [planned(work, options.rows, systems) for work in picked]
    shown: list[Report] = []
    stopped = False
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=sum(steps(each, options.rounds or each.work.rounds) for each in reports))
        try:
            for report in reports:
                shown.append(report)
                measured(
                    report,
                    options.rounds or report.work.rounds,
                    options.cache,
                    seen=lambda what: progress.update(bar, advance=1, description=what),
                )
                console.print(table(report))
        except KeyboardInterrupt:
            stopped = True
            console.print(table(shown[-1]))
    if options.json is not None:
        written_json(shown, options.json)
        console.print(f"figures: {options.json}")
    if options.html is not None:
        written_page(shown, options.html)
        console.print(f"charts: {options.html}")
    if stopped:
        console.print("stopped: these are the figures so far")
        return 130
    problems = [f"{report.work.name}: {problem}" for report in shown for problem in report.problems]
    for problem in problems:
        console.print(problem)
    return 1 if problems else 0
