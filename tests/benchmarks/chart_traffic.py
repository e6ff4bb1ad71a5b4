"""What a live chart sends to the browser, and what that costs the processor: at several rates of its rows."""

from __future__ import annotations

import json
import time
from typing import Any

import flower as fl
from flower.engine.run import Run
from flower.notebook.chart import LivePlot
from flower.notebook.showing import SHARE

SECONDS, FPS = 10.0, 10.0
FULL = 1_000_000_000
MOST_KB = 100.0


def traffic(rows_per_second: int) -> dict[str, Any]:
    """Messages and bytes a second of a chart of ten keys, and the processor's seconds that preparing them takes."""
    rows = fl.read.rate(rows_per_second, keys=10)
    panes = (
        rows.window(fl.FixedWindows("1s"), trigger=fl.AfterWatermark(early=fl.AfterProcessingTime("100ms")))
        .groupby("key")
        .agg(n="count", largest=("value", "max"))
    )
    run: Run = panes.run()
    chart = LivePlot(panes).line(x="window_end", y="largest", by="key", keys=10, last="60s", run=run)
    messages = size = 0
    # As the ticker does, with a browser that answers at once.
    began, cpu, due = time.monotonic(), time.thread_time(), 0.0
    while (now := time.monotonic()) < began + SECONDS:
        if now >= due:
            before = time.thread_time()
            sent = chart.changes()
            due = now + max(1 / FPS, SHARE * (time.thread_time() - before))
            if sent is not None:
                messages += 1
                size += len(json.dumps(sent[0], default=str)) + sum(map(len, sent[1]))
        time.sleep(max(min(due, began + SECONDS) - time.monotonic(), 0.0))
    spent = time.thread_time() - cpu
    run.stop()
    chart.close()
    return {
        "seconds": spent,
        "cpu_seconds": spent,
        "messages_per_second": messages / SECONDS,
        "kB_per_second": size / SECONDS / 1000,
    }


def _measured(given, rows_per_second: int) -> dict[str, Any]:
    """The figures, which the work compares, and whether they are within bounds that hold at any rate."""
    figures = traffic(rows_per_second)
    given.record(**figures)
    assert 0 < figures["messages_per_second"] <= FPS, figures
    assert 0 < figures["kB_per_second"] <= MOST_KB, figures
    return {}


def few(given):
    """Ten thousand rows a second."""
    return _measured(given, 10_000)


def many(given):
    """A million."""
    return _measured(given, 1_000_000)


def full(given):
    """More than the engine can: at its full speed."""
    return _measured(given, FULL)
