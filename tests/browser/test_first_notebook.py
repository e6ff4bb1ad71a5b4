"""The first notebook as a newcomer meets it: JupyterLab opens it, and all its cells are run."""

import shutil
from pathlib import Path

import laboratory
import pytest
from playwright.sync_api import Page, expect

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_first_stream.ipynb"
CHART, BUSY, LIST, STOP = 10, 12, 15, 28
"""Numbers of cells."""

# How many points the charts of the page have.
POINTS = """() => (window.Bokeh?.documents ?? []).flatMap(doc => [...doc._all_models.values()])
    .filter(model => model.type === "ColumnDataSource" && model.data.y)
    .reduce((sum, model) => sum + model.data.y.length, 0)"""
MORE = f"before => ({POINTS})() > before"
CHARTS = "() => (window.Bokeh?.documents ?? []).length"


def grows(page: Page) -> None:
    """Wait until a chart has more points."""
    page.wait_for_function(MORE, arg=page.evaluate(POINTS))


@pytest.fixture
def first(lab: laboratory.Server, lab_page: Page):
    """The notebook in the browser, its kernel ready."""
    shutil.copy(NOTEBOOK, lab.notebooks / "first.ipynb")
    yield laboratory.Notebook(lab_page, lab, "first", "first").open()
    lab.end_kernels()


def test_all_cells_run_the_chart_grows_and_a_cell_run_again_leaves_one_chart(first, lab_page, lab_screenshot):
    lab_page.evaluate("() => void jupyterapp.commands.execute('notebook:run-all-cells')")
    lab_page.wait_for_function(MORE, arg=0, timeout=60_000)
    busy = first.cell(BUSY).locator(".jp-InputPrompt")
    expect(busy).to_have_text("[*]:", timeout=30_000)
    grows(lab_page)
    grows(lab_page)
    expect(busy).to_have_text("[*]:")
    # As a newcomer sees it, on a screen of a usual height: running all cells has scrolled to the last one.
    lab_page.set_viewport_size({"width": 1300, "height": 900})
    chart = first.output(CHART).locator(".flower-chart")
    first.cell(CHART).locator(".jp-InputArea").evaluate("cell => cell.scrollIntoView()")
    expect(chart).to_be_in_viewport(ratio=1)
    lab_screenshot("first-notebook-busy")
    lab_page.set_viewport_size({"width": 1300, "height": 1500})
    expect(first.cell(STOP).locator(".jp-InputPrompt")).not_to_have_text("[*]:", timeout=90_000)
    first.wait_until_idle()
    expect(first.output(CHART).locator("img")).to_be_visible()
    lab_page.wait_for_function(f"() => ({CHARTS})() === 0")
    expect(lab_page.locator("[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)

    for _ in range(2):
        first.run(CHART)
        lab_page.wait_for_function(f"() => ({CHARTS})() === 1")
        grows(lab_page)
    first.run(LIST)
    expect(first.output(LIST).get_by_text("running", exact=False)).to_have_count(1)
    first.run(STOP)
    expect(first.output(CHART).locator("img")).to_be_visible()
    lab_page.wait_for_function(f"() => ({CHARTS})() === 0")
    first.cell(CHART).locator(".jp-InputArea").evaluate("cell => cell.scrollIntoView()")
    lab_screenshot("first-notebook-stopped")
