"""What was measured, as a table, as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from flower.bench.rounds import Report, Taken, machine

if TYPE_CHECKING:
    from rich.console import RenderableType

FIGURES = {
    "p50_ms": "50th pct. ms",
    "p95_ms": "95th pct. ms",
    "p99_ms": "99th pct. ms",
    "state_bytes": "bytes a key",
    "messages_per_second": "messages/s",
    "kB_per_second": "kB/s",
}
"""Columns that only some works have, by what subjects call them."""


def row(report: Report, taken: Taken) -> dict[str, Any]:
    """The figures of a subject."""
    seconds = [sample["seconds"] for sample in taken.samples]
    median = taken.median("seconds")
    return {
        "subject": taken.subject.name,
        "rows": taken.rows or None,
        "seconds": median,
        "lowest": min(seconds, default=None),
        "highest": max(seconds, default=None),
        "rows_per_second": taken.rows / median if taken.rows and median else None,
        "ratio": report.ratio(taken),
        "cpu_seconds": taken.median("cpu_seconds"),
        "peak_mb": taken.median("peak_mb"),
        **{name: value for name in FIGURES if (value := taken.median(name)) is not None},
        "problem": taken.problem,
        "samples": taken.samples,
    }


def table(report: Report) -> RenderableType:
    """A report as a person reads it."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    work, rows = report.work, [row(report, taken) for taken in report.taken]
    title = Text(f"{work.name}: {work.says} (median of {report.rounds}, fresh processes in turn)", style="bold")
    drawn = Table(box=None, pad_edge=False)
    extra = [name for name in FIGURES if any(name in each for each in rows)]
    heads = ["", *(["rows", "rows/s"] if work.rows else []), "seconds", "from", "to", "ratio", "CPU s", "peak MB"]
    for head in [*heads, *(FIGURES[name] for name in extra)]:
        drawn.add_column(head, justify="right" if head else "left", no_wrap=True)
    for each in rows:
        counts = [_text(each["rows"], ",.0f"), _text(each["rows_per_second"], ",.0f")] if work.rows else []
        # Of milliseconds, the parts that tell two apart.
        form = ".3f" if (each["seconds"] or 1.0) >= 0.1 else ".6f"
        times = [_text(each[name], form) for name in ("seconds", "lowest", "highest")]
        rest = [_text(each["ratio"], ".2f"), _text(each["cpu_seconds"], ".2f"), _text(each["peak_mb"], ",.0f")]
        more = [_text(each.get(name), ".2f") for name in extra]
        drawn.add_row(Text(each["subject"]), *counts, *times, *rest, *more)
    notes = [f"  {each['subject']}: {each['problem']}" for each in rows if each["problem"]]
    if work.limit_seconds is not None and report.judged_seconds is not None:
        word = "within" if report.judged_seconds <= work.limit_seconds else "OVER"
        notes.append(f"  {report.judged_seconds:.3f} s: {word} the limit of {work.limit_seconds} s")
    return Group(title, drawn, *map(Text, notes), Text())


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def written_json(reports: Sequence[Report], path: Path) -> None:
    """All figures and samples."""
    told = [
        {
            "work": report.work.name,
            "says": report.work.says,
            "rounds": report.rounds,
            "judged_seconds": report.judged_seconds,
            "limit_seconds": report.work.limit_seconds,
            "subjects": [row(report, taken) for taken in report.taken],
        }
        for report in reports
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": dict(machine()), "works": told}, indent=1))


def written_page(reports: Sequence[Report], path: Path) -> None:
    """A bar a subject and a figure a work, in one page that needs no network."""
    from flower.charts import Barh, save

    figures = []
    for report in reports:
        rows = [each for each in (row(report, taken) for taken in report.taken) if each["seconds"] is not None]
        if not rows:
            continue
        figure, what = ("rows_per_second", "rows/s") if report.work.rows else ("seconds", "seconds")
        frame = pd.DataFrame({"system": [each["subject"] for each in rows], what: [each[figure] for each in rows]})
        title = f"{report.work.name}: {report.work.says} ({what}, median of {report.rounds})"
        figures.append(Barh(x="system", y=what, title=title).figure(frame))
    path.parent.mkdir(parents=True, exist_ok=True)
    where = ", ".join(f"{name} {value}" for name, value in machine())
    save(figures, path, f"Flower beside other systems ({where})")
