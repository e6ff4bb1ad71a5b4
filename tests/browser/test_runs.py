"""A run in JupyterLab: led by its buttons, also while the kernel is busy, and replaced by its cell."""

import re

import pytest
from playwright.sync_api import expect

SETUP = """
%load_ext flower
import comm
import flower as fl
from flower.engine.run import alive
from flower.notebook import live
panes = fl.read.rate(100).window(fl.FixedWindows("2s")).agg(rows="count").named("counts")
"""
RUN = "run = panes.run(name='mine')\nrun"
BUSY = "import pathlib\nprint('busy')\nwhile not pathlib.Path('enough').exists():\n    sum(range(1000))"


def button(shown, name):
    return shown.get_by_role("button", name=name, exact=True)


def fact(shown, name):
    """The number with which a fact begins."""
    text = shown.get_by_role("row", name=re.compile(f"^{name}")).locator("td").inner_text()
    return int(re.match("[0-9,]+", text)[0].replace(",", ""))


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_run_is_led_by_its_buttons(opened, lab_page, lab_screenshot, theme):
    notebook = opened([SETUP, RUN, "print(len(run.panes()), run.metrics.epochs)"])
    notebook.theme(theme).run(0).run(1)
    shown = notebook.output(1)
    state = shown.locator(".flower-state")
    expect(state).to_have_text("running")
    expect(shown.locator(".flower-rate")).to_contain_text("rows/s")
    expect(shown.locator("[data-step=counts] .flower-count")).to_contain_text("pairs")
    expect(button(shown, "step")).to_be_hidden()
    lab_screenshot(f"run-running-{theme.split()[-1].lower()}")
    button(shown, "pause").click()
    expect(state).to_have_text("paused")
    expect(button(shown, "pause")).to_be_disabled()
    notebook.run(2)
    fired, epochs = map(int, notebook.output(2).inner_text().split())
    button(shown, "step").click()
    expect(shown).to_contain_text(re.compile(rf"epochs\s*{epochs + 1:,} in "))
    notebook.run(2)
    fired, epochs = map(int, notebook.output(2).inner_text().split())
    button(shown, "to next firing").click()
    expect(shown).to_contain_text(f", {fired + 1} out")
    expect(state).to_have_text("paused")
    lab_screenshot(f"run-paused-{theme.split()[-1].lower()}")
    shown.get_by_label("speed of replays and rates").select_option("10")
    button(shown, "resume").click()
    expect(state).to_have_text("running")
    lab_page.wait_for_function(
        "() => parseInt(document.querySelector('.flower-rate').textContent.replaceAll(',', '')) > 500"
    )
    button(shown, "drain").click()
    expect(shown.locator(".jp-RenderedHTMLCommon")).to_contain_text("mine finished")
    lab_screenshot(f"run-over-{theme.split()[-1].lower()}")


def test_an_open_window_says_what_it_waits_for_by_mouse_and_by_keyboard(opened, lab_page, lab_screenshot):
    hostile = "rows = fl.read.rate(100, keys=1).assign(name=lambda f: f['key'].map({0: '<b>x</b>'}).astype('str'))"
    named = "run = rows.window(fl.FixedWindows('1D')).groupby('name').agg(n='count').run(name='mine')\nrun"
    notebook = opened([SETUP, f"{hostile}\n{named}"])
    notebook.run(0).run(1)
    shown = notebook.output(1)
    shown.get_by_text("Open windows, and why they wait").click()
    window = shown.locator(".flower-windows button").first
    expect(window).to_contain_text("1 key \u00b7")
    expect(window).to_contain_text("of <b>x</b>")
    window.click()
    said = shown.locator(".flower-why")
    expect(said).to_contain_text("fires on time when the watermark reaches its end")
    lab_screenshot("run-why")
    shown.get_by_text("Open windows, and why they wait").press("Enter")
    expect(said).to_be_hidden()
    shown.get_by_text("Open windows, and why they wait").press("Enter")
    expect(window).to_be_visible()
    while not window.evaluate("element => element === document.activeElement"):  # the list may be drawn anew meanwhile
        shown.get_by_text("Open windows, and why they wait").press("Tab")
        lab_page.wait_for_timeout(100)
    before = said.inner_text()
    lab_page.wait_for_function("text => document.activeElement.textContent !== text", arg=window.inner_text())
    expect(window).to_be_focused()
    lab_page.keyboard.press("Enter")
    expect(said).not_to_have_text(before)
    button(shown, "stop").click()


def test_a_click_on_a_busy_kernel_is_taken_or_says_that_it_waits(opened, lab, lab_page, lab_screenshot):
    notebook = opened([SETUP, RUN, BUSY])
    notebook.run(0).run(1)
    shown = notebook.output(1)
    expect(shown.locator(".flower-state")).to_have_text("running")
    notebook.run(2, wait=False)
    expect(notebook.output(2)).to_have_text("busy")
    button(shown, "pause").click()
    # By a subshell, where JupyterLab has given the comm one by now, the click is taken while the cell runs.
    waits = shown.locator(".flower-waits", has_text="waits for the kernel, which is busy")
    expect(shown.locator(".flower-state", has_text="paused").or_(waits).first).to_be_visible()
    lab_screenshot("run-clicked-while-busy")
    (lab.notebooks / "enough").touch()
    notebook.wait_until_idle()
    expect(shown.locator(".flower-state")).to_have_text("paused")
    expect(shown.locator(".flower-waits")).to_have_text("")
    (lab.notebooks / "enough").unlink()


EVERYTHING = """
run = panes.run()
chart = panes.plot.line(x="window_end", y="rows", run=run)
board = fl.dashboard([panes.plot.bar(x="window_end", y="rows", run=run), panes.table(run=run)])
display(run, chart, board)"""
SHOWN = 5  # three of them are the dashboard's: what is selected, the chart and the table
MEGABYTE = 2**20
MORE = {"kernel": 15 * MEGABYTE, "page": 12 * MEGABYTE}
"""How much more memory a cell may take that ran eleven times, beside one that ran once. A figure that stayed would take
a megabyte of the page each time; 0.1 MB a view are the modules of anywidget, which no browser gives back."""


def weighed(notebook):
    """How many runs, views and comms there are, and the memory of kernel and page without their garbage."""
    with notebook.server.kernel() as ask:
        counts = ask("(len(alive()), len(live.views()), len(comm.get_comm_manager().comms))")
        ask("__import__('gc').collect()")
        memory = {"kernel": ask("__import__('psutil').Process().memory_info().rss")}
    devtools = notebook.page.context.new_cdp_session(notebook.page)
    for _ in range(3):
        devtools.send("HeapProfiler.collectGarbage")
    memory["page"] = devtools.send("Runtime.getHeapUsage")["usedSize"]
    devtools.detach()
    return counts, memory


def test_a_cell_that_runs_again_and_again_leaves_what_it_left_the_first_time(opened, lab_page):
    notebook = opened([SETUP, EVERYTHING])
    output = notebook.output(1)
    notebook.run(0)

    def ran():
        notebook.run(1)
        expect(output.locator(".flower-state")).to_have_text("running")
        lab_page.wait_for_function("() => Bokeh?.documents.length === 2 && Bokeh.documents.every(doc => doc.is_idle)")

    ran()
    first, before = weighed(notebook)
    for _ in range(10):
        ran()
    counts, after = weighed(notebook)
    assert counts == first
    assert first[:2] == (1, 5)
    expect(output.locator(".flower-view")).to_have_count(SHOWN)
    grown = {name: after[name] - before[name] for name in MORE}
    print({name: round(size / MEGABYTE, 1) for name, size in grown.items()})
    assert {name: size for name, size in grown.items() if size > MORE[name]} == {}
