"""``make soak``: a rolling chart in JupyterLab for minutes, and whether the memory of kernel and page stays flat."""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

import psutil

from flower.bench.soak import WARM, flat

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "browser"))

MEGABYTE = 2**20

# Ten keys, a pane of each every tenth of a second: what rolls out is as much as what comes.
CHART = """%load_ext flower
import flower as fl, os
trigger = fl.AfterWatermark(early=fl.AfterProcessingTime("100ms"))
panes = fl.read.rate(10_000, keys=10).window(fl.FixedWindows("1s"), trigger=trigger).groupby("key").agg(n="count")
run = panes.run(keep_rows=5_000)  # as many as come in a minute: what a run keeps for who looks is full before long
chart = panes.plot.line(x="window_end", y="n", by="key", keys=10, last="30s", run=run)
chart"""

POINTS = """() => Math.max(0, ...(window.Bokeh?.documents ?? []).flatMap(doc => [...doc._all_models.values()])
    .map(model => model.type === "ColumnDataSource" ? model.data.x?.length ?? 0 : 0))"""
NEWEST = """() => Math.max(...Bokeh.documents.flatMap(doc => [...doc._all_models.values()])
    .filter(model => model.type === "ColumnDataSource" && model.data.x?.length).flatMap(({data}) => [...data.x]))"""


def rolling(minutes: float) -> bool:
    """Look at a chart for minutes, print the figures, and tell whether memory was flat and the chart went on."""
    import laboratory
    from conftest import FLAGS, chromium
    from playwright.sync_api import sync_playwright

    times: list[float] = []
    kernel, page_, drawn = [], [], []
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server = laboratory.start(Path(home))
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            laboratory.written(server.notebooks / "rolling.ipynb", [CHART, "run.stop()"])
            page = browser.new_page(viewport={"width": 1300, "height": 1000})
            notebook = laboratory.Notebook(page, server, "rolling", "rolling").open().wait_until_idle().run(0)
            with server.kernel() as ask:
                process = psutil.Process(int(str(ask("os.getpid()"))))
            devtools = page.context.new_cdp_session(page)
            began = time.monotonic()
            while (now := time.monotonic() - began) < 60 * minutes:
                page.wait_for_timeout(1000 * max(1.0, 60 * minutes / 200))
                if now < WARM * 60 * minutes:
                    continue
                devtools.send("HeapProfiler.collectGarbage")
                times.append(now)
                kernel.append(process.memory_info().rss / MEGABYTE)
                page_.append(devtools.send("Runtime.getHeapUsage")["usedSize"] / MEGABYTE)
                drawn.append((page.evaluate(NEWEST), page.evaluate(POINTS)))
            notebook.run(1)
        finally:
            browser.close()
            server.close()
    went_on = all(before < after for (before, _), (after, _) in itertools.pairwise(drawn))
    most = max(points for _, points in drawn)
    state = "went on" if went_on else "STOOD STILL"
    print(f"a rolling chart for {minutes:g} minutes: {state}, at most {most} points a key")
    said = [flat("its kernel", times, kernel), flat("its page", times, page_)]
    for _, text in said:
        print(text)
    return went_on and all(kept for kept, _ in said)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python tests/benchmarks/rolling.py", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    sys.exit(0 if rolling(parser.parse_args().minutes) else 1)
