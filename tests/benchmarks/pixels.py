"""What a person waits for in the notebook: the first chart after ``%load_ext``, and each pane until it is drawn; and
what a chart takes of the kernel.

In JupyterLab, in a headless browser; its start and the kernel's do not count.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "browser"))

import laboratory  # beside the browser tests

CHANGES = 100

# A chart whose newest value is the time, in milliseconds, at which its pane's last row was read.
CHART = """%load_ext flower
import time
import flower as fl
rows = fl.read.rate(1000).assign(at=lambda frame: frame["value"] * 0 + time.time() * 1000)
trigger = fl.AfterWatermark(early=fl.AfterProcessingTime("100ms"))
panes = rows.window(fl.FixedWindows("1s"), trigger=trigger).agg(at=("at", "max"))
chart = panes.plot.line(x="window_end", y="at")
chart"""

# As fast as the engine can.
FULL = """%load_ext flower
import threading
import flower as fl
rows = fl.read.rate(1_000_000_000, keys=10)
trigger = fl.AfterWatermark(early=fl.AfterProcessingTime("100ms"))
panes = rows.window(fl.FixedWindows("1s"), trigger=trigger).groupby("key").agg(n="count", largest=("value", "max"))
chart = panes.plot.line(x="window_end", y="largest", by="key", keys=10, last="60s")
chart"""

SECONDS = 10.0

# Ticks of a processor that each thread of the kernel has had.
TICKS = """{
    each.name: sum(map(int, open(f'/proc/self/task/{each.native_id}/stat').read().rsplit(')', 1)[1].split()[11:13]))
    for each in threading.enumerate()
}"""

# What is there without a chart; all else prepares changes, sends them, or hears and answers the page.
ENGINE = ("flower-run", "flower-reader")

BUSY = "while True:\n    sum(range(1000))"

NEWEST = """Math.max(...(window.Bokeh?.documents ?? []).flatMap(doc => [...doc._all_models.values()])
    .filter(model => model.type === "ColumnDataSource" && model.data.y).flatMap(model => [...model.data.y]))"""

# When the browser has painted a new value: the frame after the one in which it is there.
WATCHED = f"""changes => new Promise(done => {{
    const waited = []
    let last = {NEWEST}
    const look = () => {{
        const now = {NEWEST}
        if (now > last) {{
            last = now
            requestAnimationFrame(() => waited.push(Date.now() - now))
        }}
        if (waited.length < changes) requestAnimationFrame(look)
        else done(waited)
    }}
    look()
}})"""

FIRST = f"""() => new Promise(done => {{
    const began = Date.now()
    const look = () => {{
        if ({NEWEST} > 0) requestAnimationFrame(() => done(Date.now() - began))
        else requestAnimationFrame(look)
    }}
    look()
}})"""


@contextmanager
def _notebook(*cells: str) -> Iterator[laboratory.Notebook]:
    from conftest import FLAGS, chromium
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server = laboratory.start(Path(home))
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            laboratory.written(server.notebooks / "pixels.ipynb", list(cells))
            page = browser.new_page(viewport={"width": 1300, "height": 1000})
            yield laboratory.Notebook(page, server, "pixels", "pixels").open()
        finally:
            browser.close()
            server.close()


def first_chart(given):
    """From `%load_ext` to the first pane's pixels, imports and BokehJS included."""
    with _notebook(CHART) as notebook:
        notebook.wait_until_idle().run(0, wait=False)
        waited = notebook.page.evaluate(FIRST)
        given.record(seconds=waited / 1000)
    return {}


def _panes(given, notebook: laboratory.Notebook) -> None:
    waited = notebook.page.evaluate(WATCHED, CHANGES)
    given.record(seconds=statistics.median(waited) / 1000, p95_ms=statistics.quantiles(waited, n=20)[-1])


def pane_to_pixels(given):
    """From the last row of a pane to its pixels, the median of some panes."""
    with _notebook(CHART) as notebook:
        notebook.run(0)
        _panes(given, notebook)
    return {}


def pane_while_a_cell_computes(given):
    """The same while the kernel runs a cell that does not end."""
    with _notebook(CHART, BUSY) as notebook:
        notebook.run(0).run(1, wait=False)
        _panes(given, notebook)
        assert notebook.cell(1).locator(".jp-InputPrompt").inner_text() == "[*]:", "the cell has ended"
    return {}


def chart_at_full_speed(given):
    """The processor time of the kernel that charting takes while one looks and the engine does its most."""
    with _notebook(FULL) as notebook:
        notebook.run(0)
        notebook.page.wait_for_function(f"() => {NEWEST} > 0")
        with notebook.server.kernel() as ask:
            before, began = ask(TICKS), time.monotonic()
            notebook.page.wait_for_timeout(1000 * SECONDS)
            after, passed = ask(TICKS), time.monotonic() - began
    ticks = sum(after[name] - before.get(name, 0) for name in after if not name.startswith(ENGINE))
    seconds = ticks / os.sysconf("SC_CLK_TCK") * SECONDS / passed
    given.record(seconds=seconds, cpu_seconds=seconds)
    return {}
