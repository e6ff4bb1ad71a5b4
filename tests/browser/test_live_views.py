"""Live views in JupyterLab: they grow, also while a cell is busy, stop, are replaced, come back and hurt nobody."""

import json
import threading
import time
from collections.abc import Callable

import laboratory
import pytest
from laboratory import bundles
from playwright.sync_api import Page, expect

SETUP = """
import flower as fl
from flower.engine.run import alive
from flower.notebook import live
live.install(get_ipython())
names = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "$$\\\\href{javascript:alert(3)}{x}$$",
    "plain",
]
rows = fl.read.rate(200, keys=4).assign(name=lambda frame: frame["key"].map(dict(enumerate(names))).astype("str"))
panes = (
    rows.window(fl.FixedWindows("1s"), trigger=fl.AfterWatermark(early=fl.AfterProcessingTime("200ms")))
    .groupby("name")
    .agg(rows="count", largest=("value", "max"))
)
"""
CHART = "chart = panes.plot.line(x='window_end', y='largest', by='name')\nchart"
BUSY = "import pathlib\nwhile not pathlib.Path('enough').exists():\n    sum(range(1000))"

# The largest value that the charts of the page show.
LARGEST = """() => Math.max(...(window.Bokeh?.documents ?? []).flatMap(doc => [...doc._all_models.values()])
    .filter(model => model.type === "ColumnDataSource" && model.data.y).flatMap(model => [...model.data.y]))"""
GROWN = f"before => ({LARGEST})() > before"
CHARTS = "() => (window.Bokeh?.documents ?? []).length"


FORMULA = "$$\\href{javascript:alert(3)}{x}$$"


def grows(page: Page, more: float = 0) -> float:
    """Wait until a chart shows larger values, and give the largest."""
    before = page.evaluate(LARGEST)
    page.wait_for_function(GROWN, arg=(before if before is not None else float(-1)) + more)
    return page.evaluate(LARGEST)


def test_a_chart_grows_also_while_a_cell_is_busy_and_ends_as_a_picture(opened, lab, lab_page):
    notebook = opened([SETUP, CHART, BUSY, "chart.stop()\nalive()"])
    notebook.run(0).run(1)
    lab_page.wait_for_function(GROWN, arg=-1)
    grows(lab_page)
    notebook.run(2, wait=False)
    expect(notebook.cell(2).locator(".jp-InputPrompt")).to_have_text("[*]:")
    for _ in range(5):
        grows(lab_page, more=100)
    expect(notebook.cell(2).locator(".jp-InputPrompt")).to_have_text("[*]:")
    (lab.notebooks / "enough").touch()
    notebook.wait_until_idle().run(3)
    expect(notebook.output(3)).to_contain_text("[]")
    expect(notebook.output(1).locator("img")).to_be_visible()
    lab_page.wait_for_function(f"() => ({CHARTS})() === 0")
    [kept] = bundles(notebook.save()["cells"][1])
    assert set(kept) == {"image/png", "text/plain"}
    assert "stopped" in "".join(kept["text/plain"])


def test_a_cell_that_runs_again_leaves_one_run_and_one_chart(opened, lab_page):
    count = "print([run.name for run in alive()], len(live.views()))"
    notebook = opened([SETUP, CHART, count])
    notebook.run(0)
    for _ in range(3):
        notebook.run(1)
        lab_page.wait_for_function(f"() => ({CHARTS})() === 1")
        grows(lab_page)
    notebook.run(2)
    expect(notebook.output(2)).to_have_text("['run-3'] 1")
    expect(notebook.output(1).locator(".flower-chart")).to_have_count(1)


def test_a_page_that_is_loaded_again_shows_the_chart_of_the_moment(opened, lab_page):
    notebook = opened([SETUP, CHART])
    notebook.run(0).run(1)
    before = grows(lab_page)
    notebook.save()
    notebook.reload()
    lab_page.wait_for_function(GROWN, arg=before)
    grows(lab_page)
    lab_page.wait_for_function(f"() => ({CHARTS})() === 1")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_hostile_keys_are_text_in_chart_table_and_run(opened, lab_page, lab_screenshot, theme):
    notebook = opened([SETUP, CHART, "table = panes.table(run=chart.run)\ntable", "chart.run", "chart.stop()\nNone"])
    notebook.theme(theme).run(0).run(1).run(2).run(3)
    for key in ("<script>alert(1)</script>", FORMULA):
        expect(notebook.output(2).get_by_text(key, exact=True).first).to_be_visible()
        expect(notebook.output(1).locator(".bk-Legend").get_by_text(key[:20]).first).to_be_visible()
    expect(notebook.output(3).locator(".flower-state")).to_have_text("running")
    expect(notebook.output(3)).to_contain_text("lag")
    lab_screenshot(f"live-{theme.split()[-1].lower()}")
    notebook.run(4)
    expect(notebook.output(1).locator("img")).to_be_visible()
    expect(notebook.output(3)).to_contain_text("stopped")
    expect(notebook.output(2).locator("td").get_by_text(FORMULA, exact=True).first).to_be_visible()
    expect(notebook.output(2).locator("mjx-container")).to_have_count(0)
    lab_screenshot(f"still-{theme.split()[-1].lower()}")
    kinds = [set(kept) for cell in notebook.save()["cells"] for kept in bundles(cell)]
    assert kinds == [{"image/png", "text/plain"}, {"text/html", "text/plain"}, {"text/html", "text/plain"}]


def test_a_run_is_paused_resumed_and_stopped_by_its_buttons(opened, lab_page):
    notebook = opened([SETUP, "run = panes.run(name='<b>mine</b>')\nrun"])
    notebook.run(0).run(1)
    shown = notebook.output(1)
    state = shown.locator(".flower-state")
    expect(shown.locator(".flower-name")).to_have_text("<b>mine</b>")
    expect(state).to_have_text("running")
    shown.get_by_role("button", name="pause").click()
    expect(state).to_have_text("paused")
    expect(shown.get_by_role("button", name="pause")).to_be_disabled()
    shown.get_by_role("button", name="resume").click()
    expect(state).to_have_text("running")
    shown.get_by_role("button", name="stop").click()
    expect(shown.locator(".jp-RenderedHTMLCommon")).to_contain_text("<b>mine</b> stopped")
    assert json.dumps(notebook.save()["cells"][1]["outputs"][0]["data"]).count("widget-view") == 0


def test_a_stream_that_ends_at_once_leaves_a_picture_and_can_be_looked_at_again(opened, lab_page, lab_screenshot):
    bounded = """
import flower as fl
from flower.notebook import live
live.install(get_ipython())
flights = fl.read.parquet(fl.datasets.flights, event_time="departure", watermark=fl.BoundedDisorder("12h"))
hourly = flights.window(fl.FixedWindows("3h")).groupby("carrier").agg(flights="count")
chart = hourly.plot.bar(x="window_start", y="flights", by="carrier", stacked=True)
chart.run.wait()
chart
"""
    notebook = opened([bounded, "chart"])
    notebook.run(0)
    expect(notebook.output(0).locator("img")).to_be_visible()
    notebook.run(1)
    lab_page.wait_for_function(f"() => ({CHARTS})() === 1")
    expect(notebook.output(1).locator(".bk-Legend")).to_contain_text("UA")
    lab_screenshot("bounded")


def until(true: Callable[[], object]) -> None:
    """Wait for what nobody tells."""
    tick, end = threading.Event(), time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it did not come about"
        tick.wait(0.2)


def restarted(notebook: laboratory.Notebook) -> None:
    """As by the menu, once a person has said yes."""
    notebook.page.evaluate("() => jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()")


def killed(notebook: laboratory.Notebook) -> None:
    """As by a system that is short of memory; the server starts another, and JupyterLab says so in a dialog."""
    notebook.run(5, wait=False)
    notebook.page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()


@pytest.mark.parametrize("lost", [restarted, killed])
def test_views_of_a_lost_kernel_say_so_and_their_cells_run_again(opened, lab_page, lab_screenshot, lost):
    count = "print([run.name for run in alive()], len(live.views()))"
    kill = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    cells = [SETUP, CHART, "table = panes.table(run=chart.run)\ntable", "chart.run", count, kill]
    notebook = opened(cells)
    for number in range(4):
        notebook.run(number)
    grows(lab_page)
    lost(notebook)
    for number in (1, 2, 3):
        expect(notebook.output(number)).to_contain_text("No longer live: its kernel was restarted or has ended.")
        expect(notebook.output(number).locator(".flower-gone")).to_have_count(1)
    expect(notebook.output(3).locator(".flower-state")).to_have_text("gone")
    expect(notebook.output(3).get_by_role("button", disabled=False)).to_have_count(0)
    lab_screenshot(f"kernel-{lost.__name__}")
    notebook.wait_for_kernel().wait_until_idle()
    for number in range(5):
        notebook.run(number)
    grows(lab_page)
    expect(notebook.output(4)).to_have_text("['run-1'] 3")
    expect(lab_page.locator(".flower-gone")).to_have_count(0)
    assert lab_page.evaluate(CHARTS) == 1


def test_nothing_is_sent_to_a_page_that_was_closed_while_the_run_goes_on(opened, lab, lab_page):
    notebook = opened([SETUP, CHART])
    notebook.run(0).run(1)
    grows(lab_page)
    notebook.save()
    lab_page.goto("about:blank")
    with lab.kernel() as ask:
        until(lambda: not ask("chart.view.feed.may_send(__import__('time').monotonic(), busy=False)"))
        sent, rows = ask("(chart.view.feed.sequence, chart.run.metrics.rows_in)")
        until(lambda: ask("chart.run.metrics.rows_in") > rows + 500)
        assert ask("chart.view.feed.sequence") == sent
    notebook.open()
    lab_page.wait_for_function(GROWN, arg=rows / 2)
    grows(lab_page, more=200)
    assert lab_page.evaluate(CHARTS) == 1
