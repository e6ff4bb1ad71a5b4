"""What a live chart sends to the browser, and what that costs: at ten thousand rows a second, a million, full speed."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import flower as fl
from flower.engine.run import Run
from flower.notebook.chart import LivePlot

SECONDS, FPS = 10.0, 10.0
FULL = 1_000_000_000


def traffic(rows_per_second: int) -> dict[str, Any]:
    """Messages and bytes a second of a chart of ten keys, and the share of a processor that preparing them takes."""
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
            due = now + max(1 / FPS, 12 * (time.thread_time() - before))
            if sent is not None:
                messages += 1
                size += len(json.dumps(sent[0], default=str)) + sum(map(len, sent[1]))
        time.sleep(max(min(due, began + SECONDS) - time.monotonic(), 0.0))
    spent = time.thread_time() - cpu
    in_ = run.metrics.rows_in
    run.stop()
    chart.close()
    return {
        "rows/s": round(in_ / SECONDS),
        "messages/s": round(messages / SECONDS, 1),
        "kB/s": round(size / SECONDS / 1000, 1),
        "processor": round(spent / SECONDS, 3),
    }


def _measured(given, rows_per_second: int):
    """The processor's time counts; the figures are printed, and bounds that all rates keep compared."""
    figures = traffic(rows_per_second)
    print(json.dumps(figures), file=sys.stderr)
    given.record(seconds=figures["processor"] * SECONDS, cpu_seconds=figures["processor"] * SECONDS)
    return {"messages": [0 < figures["messages/s"] <= FPS], "bytes": [0 < figures["kB/s"] <= 100]}


def few(given):
    """Ten thousand rows a second."""
    return _measured(given, 10_000)


def many(given):
    """A million."""
    return _measured(given, 1_000_000)


def full(given):
    """More than the engine can: at its full speed."""
    return _measured(given, FULL)


if __name__ == "__main__":
    for rate in (10_000, 1_000_000, FULL):
        print(json.dumps(traffic(rate)), flush=True)
    sys.exit(0)
