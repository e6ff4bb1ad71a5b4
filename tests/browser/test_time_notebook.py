"""The notebook about time as a newcomer meets it: its figures are drawn, stepped, changed and asked, one by one."""

import re
import shutil
from pathlib import Path

import laboratory
import pytest
from playwright.sync_api import expect

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "03_time.ipynb"
BATCH, PERFECT, HEURISTIC, EARLY, DISCARDING, RETRACTING, REAL, RUN, WHY, STOP = 3, 7, 9, 11, 13, 14, 19, 21, 22, 23
"""Numbers of cells."""


@pytest.fixture
def time(lab: laboratory.Server, lab_page):
    """The notebook in the browser, its kernel ready."""
    shutil.copy(NOTEBOOK, lab.notebooks / "time.ipynb")
    yield laboratory.Notebook(lab_page, lab, "time", "time").open()
    lab.end_kernels()


def test_its_figures_can_be_stepped_changed_and_asked_and_its_run_says_why(time, lab_page, lab_screenshot):
    lab_page.evaluate("() => void jupyterapp.commands.execute('notebook:run-all-cells')")
    expect(time.cell(STOP).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"), timeout=120_000)
    time.wait_until_idle()
    expect(lab_page.locator("[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)
    for cell in (BATCH, PERFECT, HEURISTIC, EARLY, DISCARDING, RETRACTING, REAL):
        output = time.output(cell)
        output.scroll_into_view_if_needed()
        expect(output.get_by_role("figure")).to_be_visible()
        expect(output.get_by_role("slider", name="epoch")).to_be_visible()
    expect(time.output(REAL).get_by_role("figure", name="flights of VX")).to_be_visible()
    expect(time.output(WHY)).to_contain_text("fires on time when the watermark reaches its end")
    expect(time.output(RUN)).to_contain_text("answers stopped")

    heuristic = time.output(HEURISTIC)
    heuristic.scroll_into_view_if_needed()
    heuristic.get_by_role("slider", name="epoch").fill("6")
    heuristic.locator(".flower-windows button").first.press("Enter")
    expect(heuristic.locator(".flower-why")).to_contain_text("fires on time when the watermark reaches its end")
    lab_screenshot("time-notebook-why")
    early = time.output(EARLY)
    early.scroll_into_view_if_needed()
    windows = early.get_by_role("slider", name="windows")
    windows.focus()
    lab_page.keyboard.press("Home")
    expect(windows).to_have_attribute("aria-valuetext", "sessions of 1min")
    expect(early.locator("[aria-busy=true]")).to_have_count(0)
    lab_screenshot("time-notebook-changed")
    time.output(RETRACTING).scroll_into_view_if_needed()
    lab_screenshot("time-notebook-retracting")
    time.output(REAL).scroll_into_view_if_needed()
    lab_screenshot("time-notebook-real")
